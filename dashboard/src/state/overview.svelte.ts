// The account at a glance: its tallies, and the revision that tells whether anything changed. Asks now and then, while the
// page is seen.
import type { Api } from "../api/client.js";
import { faultOf } from "../api/fault.js";
import type { SiteTally } from "../gen/waymark/v1/map_pb.js";
import type { SiteFilter } from "./filter.svelte.js";

/** Pause between two questions in milliseconds: a new agent is on the map within it, at one tiny call each. */
const POLL_INTERVAL_MS = 5_000;
/** The whole world at zoom 0: the cheapest viewport, of which only the tally and the revision are wanted. */
const WORLD = { low: { lat: -90, lng: -180 }, high: { lat: 90, lng: 180 } };

export class Overview {
  /** All placed sites. */
  tally = $state.raw<SiteTally | undefined>();
  /** Those that match the filter. */
  matching = $state.raw<SiteTally | undefined>();
  /** Those that would, with whatever status. */
  legend = $state.raw<SiteTally | undefined>();
  /** Matching sites without a position. */
  unplaced = $state(0n);
  /** Whether the server could not be reached the last time. */
  offline = $state(false);

  #api: Api;
  #account: string;
  #filter: SiteFilter;
  #onChange: () => void;
  #revision: bigint | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #stop = new AbortController();

  /** `onChange` runs when the account's data changed since the last answer, whoever changed it. */
  constructor(api: Api, account: string, filter: SiteFilter, onChange: () => void) {
    this.#api = api;
    this.#account = account;
    this.#filter = filter;
    this.#onChange = onChange;
  }

  start(): void {
    void this.refresh();
    this.#timer = setInterval(() => document.visibilityState === "visible" && void this.refresh(), POLL_INTERVAL_MS);
    document.addEventListener("visibilitychange", this.#onVisible);
  }

  stop(): void {
    clearInterval(this.#timer);
    document.removeEventListener("visibilitychange", this.#onVisible);
    this.#stop.abort();
  }

  /** Asks now. `silent`: the caller knows of the change already. */
  async refresh(silent = false): Promise<void> {
    try {
      const { text: filter } = this.#filter;
      const request = { parent: this.#account, viewport: WORLD, zoom: 0, filter };
      const answer = await this.#api.map.queryViewport(request, { signal: this.#stop.signal });
      // An answer to a filter that was changed meanwhile is none.
      if (filter !== this.#filter.text) return;
      this.offline = false;
      this.tally = answer.accountTally;
      this.matching = answer.matchingTally;
      this.legend = answer.legendTally;
      this.unplaced = answer.unplaced;
      const changed = this.#revision !== undefined && answer.revision !== this.#revision;
      this.#revision = answer.revision;
      if (changed && !silent) this.#onChange();
    } catch (error) {
      this.offline = faultOf(error).kind === "unreachable";
    }
  }

  #onVisible = (): void => {
    if (document.visibilityState === "visible") void this.refresh();
  };
}
