// Something of a ticketing system that is chosen by typing: asked for there, page by page. Only the newest answer is shown.
import { type Fault, faultOf } from "../api/fault.js";

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

export class Picker {
  open = $state(false);
  found = $state.raw<Choice[]>([]);
  /** Index of the choice that the keys are on; -1 for none. */
  active = $state(-1);
  loading = $state(false);
  fault = $state.raw<Fault | undefined>();

  #load: LoadPage;
  #search = "";
  #next = $state("");
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking: AbortController | undefined;

  constructor(load: LoadPage) {
    this.#load = load;
  }

  /** Whether there are more pages. */
  get hasMore(): boolean {
    return this.#next !== "";
  }

  /** Lists what has `typed` in its name, once typing rests. */
  ask(typed: string): void {
    this.#begin(typed);
    this.#timer = setTimeout(() => void this.#more(), PAUSE_MS);
  }

  /** Lists everything, at once. */
  show(): void {
    this.#begin("");
    void this.#more();
  }

  /** Loads the next page. */
  more(): void {
    if (this.hasMore && !this.loading) void this.#more();
  }

  /** Moves along the choices with the keys, round their ends; past an end none is active. */
  step(by: 1 | -1): void {
    const places = this.found.length + 1;
    this.active = ((this.active + 1 + by + places) % places) - 1;
  }

  close(): void {
    this.#cancel();
    this.open = false;
    this.found = [];
    this.active = -1;
  }

  #begin(typed: string): void {
    this.#cancel();
    const text = typed.trim();
    this.#search = text.length < SEARCH_CHARS_MIN ? "" : text.slice(0, SEARCH_CHARS_MAX);
    [this.#next, this.found, this.active] = ["", [], -1];
    [this.open, this.loading, this.fault] = [true, true, undefined];
  }

  async #more(): Promise<void> {
    const asking = new AbortController();
    this.#asking = asking;
    this.loading = true;
    try {
      for (let pages = 1; ; pages += 1) {
        const { choices, next } = await this.#load(this.#search, this.#next, asking.signal);
        if (asking.signal.aborted) return;
        this.#next = next;
        // One that moves there while pages are read may stand on two of them.
        const known = new Set(this.found.map(({ id }) => id));
        this.found = this.found.concat(choices.filter(({ id }) => !known.has(id)));
        if (choices.length > 0 || !next || pages >= PAGES_MAX) break;
      }
      this.fault = undefined;
    } catch (error) {
      if (!asking.signal.aborted) this.fault = faultOf(error);
    } finally {
      if (!asking.signal.aborted) this.loading = false;
    }
  }

  #cancel(): void {
    clearTimeout(this.#timer);
    this.#asking?.abort();
  }
}
