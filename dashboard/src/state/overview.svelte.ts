// The account at a glance: its tallies, and word of every change, from one watch of the whole world while the page is seen.
import type { Api } from "../api/client.js";
import { faultOf } from "../api/fault.js";
import type { SiteTally } from "../gen/waymark/v1/map_pb.js";
import type { MapChanges } from "../gen/waymark/v1/watch_pb.js";
import type { SiteFilter } from "./filter.svelte.js";

/** The whole world at zoom 0: the cheapest viewport. Whatever changes elsewhere is told as a new revision within a second. */
const WORLD = { low: { lat: -90, lng: -180 }, high: { lat: 90, lng: 180 } };
/** Pauses in milliseconds before a watch that ended is begun again; the last one repeats. */
const PAUSES_MS = [500, 1_000, 2_000, 5_000, 10_000];
/** A watch says something every 10 seconds: one that is silent for so many milliseconds has lost its connection. */
const SILENCE_MS_MAX = 25_000;

export class Overview {
  /** All placed sites. */
  tally = $state.raw<SiteTally | undefined>();
  /** Those that match the filter. */
  matching = $state.raw<SiteTally | undefined>();
  /** Those that would, with whatever status. */
  legend = $state.raw<SiteTally | undefined>();
  /** Matching sites without a position. */
  unplaced = $state(0n);
  /** Whether the server cannot be reached. */
  offline = $state(false);

  #api: Api;
  #account: string;
  #filter: SiteFilter;
  #onChange: () => void;
  #revision: bigint | undefined;
  #failures = 0;
  #watch: AbortController | undefined;

  /** `onChange` runs when the account's data changed since the last word, whoever changed it. */
  constructor(api: Api, account: string, filter: SiteFilter, onChange: () => void) {
    this.#api = api;
    this.#account = account;
    this.#filter = filter;
    this.#onChange = onChange;
  }

  start(): void {
    document.addEventListener("visibilitychange", this.#onVisible);
    this.watch();
  }

  stop(): void {
    document.removeEventListener("visibilitychange", this.#onVisible);
    this.#watch?.abort();
  }

  /** Watches what the filter says now, in place of what was watched before. */
  watch(): void {
    this.#watch?.abort();
    this.#watch = new AbortController();
    void this.#follow(this.#watch);
  }

  /** Follows one watch after the other, until it is aborted or the server refuses it for good. */
  async #follow(watch: AbortController): Promise<void> {
    while (!watch.signal.aborted) {
      try {
        await this.#listen(watch.signal);
      } catch (error) {
        if (watch.signal.aborted) return;
        const { kind } = faultOf(error);
        // Whatever the reason, the page is not live now, and must not look so.
        this.offline = true;
        if (kind === "signed-out" || kind === "invalid" || kind === "missing" || kind === "forbidden") return;
      }
      const pause = PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length - 1)];
      this.#failures += 1;
      await new Promise((resume) => setTimeout(resume, pause));
    }
  }

  async #listen(aborted: AbortSignal): Promise<void> {
    const silence = new AbortController();
    const signal = AbortSignal.any([aborted, silence.signal]);
    let alarm = setTimeout(() => silence.abort(), SILENCE_MS_MAX);
    try {
      const request = { parent: this.#account, viewport: WORLD, zoom: 0, filter: this.#filter.text };
      for await (const { changes } of this.#api.map.watchViewport(request, { signal, timeoutMs: 0 })) {
        clearTimeout(alarm);
        alarm = setTimeout(() => silence.abort(), SILENCE_MS_MAX);
        if (changes) this.#take(changes);
      }
    } finally {
      clearTimeout(alarm);
    }
  }

  #take(changes: MapChanges): void {
    this.offline = false;
    this.#failures = 0;
    this.tally = changes.accountTally;
    this.matching = changes.matchingTally;
    this.legend = changes.legendTally;
    this.unplaced = changes.unplaced;
    const changed = this.#revision !== undefined && changes.revision !== this.#revision;
    this.#revision = changes.revision;
    if (changed) this.#onChange();
  }

  /** A page that nobody sees holds no connection: browsers have six for all pages of a server. */
  #onVisible = (): void => {
    if (document.visibilityState === "visible") this.watch();
    else this.#watch?.abort();
  };
}
