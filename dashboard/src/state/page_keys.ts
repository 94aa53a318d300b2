// Where the keys go when a site's page opens, to its heading, and when it closes, back to what it was opened from.
import { tick } from "svelte";

/** Ids of the page and of its heading. */
const PAGE = "site-page";
const HEADING = "site-heading";
/** What has keys as a whole, whichever part of it was pressed. */
const WHOLES = "#attention, #site-rows";
/** Where the keys go when what the page was opened from is gone, the first that is shown. */
const HOMES = ["attention", "site-rows", "sites"];

export class PageKeys {
  #from: Element | undefined;

  /** A site's page opens, or is asked for again. What has the keys now gets them back. */
  async enter(): Promise<void> {
    const active = document.activeElement;
    if (active && active !== document.body && !isInPage(active)) this.#from = active.closest(WHOLES) ?? active;
    await tick();
    document.getElementById(HEADING)?.focus({ preventScroll: true });
  }

  /** It is about to close. Who is elsewhere already stays there. */
  async leave(): Promise<void> {
    const active = document.activeElement;
    if (active && active !== document.body && !isInPage(active)) return;
    const from = this.#from;
    this.#from = undefined;
    await tick();
    const homes = HOMES.map((id) => document.getElementById(id));
    const [target] = [from, ...homes].filter((element) => element?.isConnected && element.checkVisibility());
    if (target instanceof HTMLElement) target.focus({ preventScroll: true });
  }
}

function isInPage(element: Element): boolean {
  return element.closest(`#${PAGE}`) !== null;
}
