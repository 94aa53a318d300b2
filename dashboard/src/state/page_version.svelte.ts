// Whether the server has another version of this page than the one that is open, as after an upgrade: asked for when a connection comes
// back, and now and then. Reloads nothing: what is typed and not saved would be lost.

/** Pause in milliseconds between two looks while nothing happens: servers behind one address are upgraded one after the other. */
const PAUSE_MS = 600_000;

/** What the page names that is built, each by what is in it: other names are another version. */
const BUILT = 'script[type="module"][src^="/assets/"], link[rel="stylesheet"][href^="/assets/"]';

/** Of the page that is open, as it came: parts that are loaded later name more. */
const OWN = namesIn(document);

export class PageVersion {
  /** Whether the server's page is another one. */
  isOther = $state(false);

  #timer: ReturnType<typeof setInterval> | undefined;

  start(): void {
    this.#timer = setInterval(() => void (document.visibilityState === "visible" && this.look()), PAUSE_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Looks now. An answer that is no page of ours, as a proxy's, says nothing. */
  async look(): Promise<void> {
    if (!OWN) return;
    try {
      // The server says in short that it is the same; without a question to it the browser would not know.
      const answer = await fetch("/", { cache: "no-cache" });
      const names = answer.ok ? namesIn(new DOMParser().parseFromString(await answer.text(), "text/html")) : "";
      if (names) this.isOther = names !== OWN;
    } catch {
      // The connection is told of elsewhere, and this is asked again when it is back.
    }
  }
}

function namesIn(page: Document): string {
  const names = [...page.querySelectorAll(BUILT)].map((part) => part.getAttribute("src") ?? part.getAttribute("href"));
  return names.sort().join(" ");
}
