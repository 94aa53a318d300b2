// Where the keys go when a site's page opens, to its heading, and when it closes, back to what it was opened from; and where
// they go when what they are on is taken away: near, and never to the top of the page.
import { tick } from "svelte";

/** Ids of the page and of its heading. */
const PAGE = "site-page";
const HEADING = "site-heading";
/** Id of what holds the list, or the queue in its place. */
const LIST = "sites";
/** What has keys as a whole, whichever part of it was pressed. */
const WHOLES = "#attention, #site-rows";
/** Where the keys go when what the page was opened from is gone, the first that is shown. */
const HOMES = ["attention", "site-rows", LIST];
/** What of a form is typed in or chosen from. */
export const FIELDS = ":is(input, select, textarea):not(:disabled)";

export class PageKeys {
  #from: Element | undefined;
  /** Whether the keys wait for the page, whose code is loaded when the first one opens. */
  #isAwaited = false;

  /** A site's page opens, or is asked for again. What has the keys now gets them back. */
  async enter(): Promise<void> {
    const active = document.activeElement;
    if (active && active !== document.body && !isInPage(active)) this.#from = active.closest(WHOLES) ?? active;
    await tick();
    this.#isAwaited = !toHeading();
  }

  /** The page stands there. */
  arrive(): void {
    if (this.#isAwaited) this.#isAwaited = !toHeading();
  }

  /** It is about to close. Who is elsewhere already stays there. */
  async leave(): Promise<void> {
    this.#isAwaited = false;
    const active = document.activeElement;
    if (active && active !== document.body && !isInPage(active)) return;
    const from = this.#from;
    this.#from = undefined;
    await tick();
    const homes = HOMES.map((id) => document.getElementById(id));
    const [target] = [from, ...homes].filter((element) => element?.isConnected && element.checkVisibility());
    if (target instanceof HTMLElement) target.focus({ preventScroll: true });
  }

  /** Something else is about to stand in the list's place. Who is in it stays in it. */
  async stayInList(): Promise<void> {
    if (!document.getElementById(LIST)?.contains(document.activeElement)) return;
    await tick();
    if (isNowhere()) toList();
  }
}

/** Puts the keys on the list, once what it is to show has its place. */
export async function goToList(): Promise<void> {
  await tick();
  toList();
}

/** Does something that may take away, or disable for a while, what the keys are on. They stay there where they can, else go to `home`. */
export async function keepKeys(task: () => unknown, home: () => HTMLElement | null | undefined): Promise<void> {
  const from = document.activeElement;
  await task();
  await tick();
  if (from === null || from === document.body || (document.activeElement !== from && !isNowhere())) return;
  const stays = from instanceof HTMLElement && from.isConnected && from.checkVisibility() && !from.matches(":disabled");
  const target = stays ? from : home();
  if (target !== document.activeElement) target?.focus();
}

/** Gives the keys to `home`, where what had them is gone. Who is elsewhere stays there. */
export async function takeKeys(home: () => HTMLElement | null | undefined): Promise<void> {
  await tick();
  if (isNowhere()) home()?.focus();
}

/** Whether the keys are on nothing that is there. */
function isNowhere(): boolean {
  const active = document.activeElement;
  return active === null || active === document.body;
}

/** Puts the keys on the page's heading; `false` where there is none. */
function toHeading(): boolean {
  const heading = document.getElementById(HEADING);
  heading?.focus({ preventScroll: true });
  return heading !== null;
}

function toList(): void {
  document.getElementById(LIST)?.focus({ preventScroll: true });
}

function isInPage(element: Element): boolean {
  return element.closest(`#${PAGE}`) !== null;
}
