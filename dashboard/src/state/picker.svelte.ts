// Something of a ticketing system that is chosen by typing: asked for there, page by page. Only the newest answer is shown.
import { type Fault, faultOf } from "../api/fault.js";
import { Choosing } from "./choosing.svelte.js";

/** Pause in typing, in milliseconds, after which is asked: a system allows some 50 questions a minute. */
const PAUSE_MS = 300;
/** Shortest text that is looked for; what is shorter lists everything. */
const SEARCH_CHARS_MIN = 2;
/** Longest text that is looked for. */
export const SEARCH_CHARS_MAX = 100;
/** Pages that are read for one question while nothing is on them. */
const PAGES_MAX = 5;

/** What can be chosen. */
export interface Choice {
  id: string;
  name: string;
  /** What tells it from another of the same name. */
  detail: string;
  /** Its web page; empty where that is not known. */
  uri: string;
}

export interface ChoicePage {
  choices: Choice[];
  /** Token of the next page; empty at the end. */
  next: string;
}

export type LoadPage = (search: string, token: string, signal: AbortSignal) => Promise<ChoicePage>;

export class Picker extends Choosing<Choice> {
  open = $state(false);
  loading = $state(false);
  fault = $state.raw<Fault | undefined>();

  #load: LoadPage;
  #search = "";
  #next = $state("");

  constructor(load: LoadPage) {
    super();
    this.#load = load;
  }

  /** Whether there are more pages. */
  get hasMore(): boolean {
    return this.#next !== "";
  }

  /** Lists what has `typed` in its name, once typing rests. */
  ask(typed: string): void {
    this.#begin(typed);
    this.after(PAUSE_MS, (signal) => this.#more(signal));
  }

  /** Lists everything, at once. */
  show(): void {
    this.#begin("");
    void this.#more(this.turn());
  }

  /** Loads the next page. */
  more(): void {
    if (this.hasMore && !this.loading) void this.#more(this.turn());
  }

  override close(): void {
    super.close();
    this.open = false;
  }

  #begin(typed: string): void {
    const text = typed.trim();
    this.#search = text.length < SEARCH_CHARS_MIN ? "" : text.slice(0, SEARCH_CHARS_MAX);
    [this.#next, this.found, this.active] = ["", [], -1];
    [this.open, this.loading, this.fault] = [true, true, undefined];
  }

  async #more(signal: AbortSignal): Promise<void> {
    this.loading = true;
    try {
      for (let pages = 1; ; pages += 1) {
        const { choices, next } = await this.#load(this.#search, this.#next, signal);
        if (signal.aborted) return;
        this.#next = next;
        // One that moves there while pages are read may stand on two of them.
        const known = new Set(this.found.map(({ id }) => id));
        this.found = this.found.concat(choices.filter(({ id }) => !known.has(id)));
        if (choices.length > 0 || !next || pages >= PAGES_MAX) break;
      }
      this.fault = undefined;
    } catch (error) {
      if (!signal.aborted) this.fault = faultOf(error);
    } finally {
      if (!signal.aborted) this.loading = false;
    }
  }
}
