// What an address may become while it is typed. Only the answer to the newest text is ever shown.
import type { Api } from "../api/client.js";
import type { Candidate } from "../gen/waymark/v1/location_pb.js";

/** Pause in typing, in milliseconds, after which is asked: shorter than a thought, longer than between two keys. */
const PAUSE_MS = 120;
/** Suggestions asked for: as many as are read at a glance. */
const SUGGESTIONS_MAX = 6;
/** Characters before anything is asked: one letter begins everything. */
const TYPED_MIN = 2;

export class Suggestions {
  /** Best first; empty for none to show. */
  found = $state.raw<Candidate[]>([]);
  /** Index of the one that the keys are on; -1 for none. */
  active = $state(-1);

  #api: Api;
  #account: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking: AbortController | undefined;

  constructor(api: Api, account: string) {
    this.#api = api;
    this.#account = account;
  }

  /** Asks for what `typed` may become, seen from a site, once typing rests. */
  ask(typed: string, site: string): void {
    this.#cancel();
    if (typed.trim().length < TYPED_MIN) return this.close();
    this.#timer = setTimeout(() => void this.#load(typed, site), PAUSE_MS);
  }

  /** Moves along the list with the keys, round its ends; past an end no suggestion is active. */
  step(by: 1 | -1): void {
    const places = this.found.length + 1;
    this.active = ((this.active + 1 + by + places) % places) - 1;
  }

  close(): void {
    this.#cancel();
    this.found = [];
    this.active = -1;
  }

  async #load(typed: string, site: string): Promise<void> {
    const asking = new AbortController();
    this.#asking = asking;
    const request = { parent: this.#account, typed, site, candidatesMax: SUGGESTIONS_MAX };
    try {
      const { candidates } = await this.#api.location.suggestAddresses(request, { signal: asking.signal });
      if (asking.signal.aborted) return;
      this.found = candidates;
      this.active = -1;
    } catch {
      // Suggestions are a help. What keeps them away is told by the search itself.
      if (!asking.signal.aborted) this.close();
    }
  }

  #cancel(): void {
    clearTimeout(this.#timer);
    this.#asking?.abort();
  }
}
