// What an address may become while it is typed.
import type { Api } from "../api/client.js";
import type { Candidate } from "../gen/waymark/v1/location_pb.js";
import { AsYouType } from "./as_you_type.svelte.js";

/** Pause in typing, in milliseconds, after which is asked: shorter than a thought, longer than between two keys. */
const PAUSE_MS = 120;
/** Suggestions asked for: as many as are read at a glance. */
const SUGGESTIONS_MAX = 6;
/** Characters before anything is asked: one letter begins everything. */
const TYPED_MIN = 2;

export class Suggestions extends AsYouType<Candidate> {
  #api: Api;
  #account: string;

  constructor(api: Api, account: string) {
    super();
    this.#api = api;
    this.#account = account;
  }

  /** Asks for what `typed` may become, seen from a site, once typing rests. */
  ask(typed: string, site: string): void {
    if (typed.trim().length < TYPED_MIN) return this.close();
    const request = { parent: this.#account, typed, site, candidatesMax: SUGGESTIONS_MAX };
    this.askAfter(PAUSE_MS, async (signal) => {
      return (await this.#api.location.suggestAddresses(request, { signal })).candidates;
    });
  }
}
