// How many sites a condition has that no tally counts (ticketing, labels): asked of the server at each revision, while
// somebody looks. A count is shown with the revision that it was counted at, and dropped when the filter is another.
import type { Api } from "../api/client.js";
import type { Linked, SiteFilter } from "./filter.svelte.js";
import { Paced } from "./paced.js";

/** Least pause in milliseconds between two counts: each looks through the sites that such conditions match. */
const PAUSE_MS = 500;

export interface FacetCounts {
  revision: bigint;
  linked: bigint;
  unlinked: bigint;
}

export class Facets {
  counts = $state.raw<FacetCounts | undefined>();

  #api: Api;
  #account: string;
  #filter: SiteFilter;
  #paced = new Paced(() => this.#count(), PAUSE_MS);

  constructor(api: Api, account: string, filter: SiteFilter) {
    this.#api = api;
    this.#account = account;
    this.#filter = filter;
  }

  /** Counts again, soon. */
  ask(): void {
    this.#paced.ask();
  }

  stop(): void {
    this.#paced.stop();
  }

  async #count(): Promise<void> {
    const ask = (linked: Linked) =>
      this.#api.map.fitSites({ parent: this.#account, filter: this.#filter.textWith(linked) });
    const text = this.#filter.text;
    try {
      const [tied, free] = await Promise.all([ask("linked"), ask("unlinked")]);
      // Counted at two moments, they may not add up: whatever changed between asks again.
      if (text !== this.#filter.text || tied.revision !== free.revision) return void (this.counts = undefined);
      const [linked, unlinked] = [tied.tally?.total ?? 0n, free.tally?.total ?? 0n];
      this.counts = { revision: tied.revision, linked, unlinked };
    } catch {
      this.counts = undefined;
    }
  }
}
