// What the map shows, live: the symbols in view and the account's tallies, from one watch while the page is seen.
//
// Why the map draws what this watch tells, and no vector tiles: a message is one answer of one revision, so that symbols,
// legend and filter counts never disagree, nothing is fetched again to learn whether it changed, and a change is on the
// map as soon as it is told. Tiles would have to be asked for anew, all of them, at each change anywhere, and each shows
// another instant. They remain what other maps are served with.
import type { Api } from "../api/client.js";
import { type FaultKind, faultOf } from "../api/fault.js";
import type { SiteTally } from "../gen/waymark/v1/map_pb.js";
import type { MapChanges } from "../gen/waymark/v1/watch_pb.js";
import { type Drawn, SymbolSet } from "../map/symbols.js";
import { type Box, covers, widened, WORLD } from "../map/view_box.js";
import type { Position } from "../position.js";
import type { SiteFilter } from "./filter.svelte.js";

/** Pauses in milliseconds before a watch that ended is begun again; the last one repeats. */
const PAUSES_MS = [500, 1_000, 2_000, 5_000, 10_000];
/** A watch says something every 10 seconds: one that is silent for so many milliseconds has lost its connection. */
const SILENCE_MS_MAX = 25_000;

/** Answers to a watch after which the same watch would be answered so again. */
const REFUSALS: FaultKind[] = ["invalid", "missing", "forbidden"];

/**
 * `opening`: asked for, and nothing is heard yet. `live`: what is shown is kept up to date. `broken`: it is not, and a watch is tried
 * again and again. `ended`: the server refused it, so it is tried again when somebody wants that, or asks for another view.
 */
export type Watching = "opening" | "live" | "broken" | "ended";

/** Who hears of what the watch tells. */
export interface OverviewTold {
  /** The account's data changed since the last word, whoever changed it. */
  onChange: () => void;
  /** Something is heard again after a watch ended: perhaps of another server than before. */
  onAgain: () => void;
  /** The account is not there any more, for who asks. */
  onMissing?: () => void;
}

export class Overview {
  /** All placed sites. */
  tally = $state.raw<SiteTally | undefined>();
  /** Those that match the filter. */
  matching = $state.raw<SiteTally | undefined>();
  /** Those that would, with whatever status. */
  legend = $state.raw<SiteTally | undefined>();
  /** Matching sites without a position. */
  unplaced = $state(0n);
  /** The map as of this revision, with which all the tallies agree. */
  revision = $state(0n);
  /** The symbols in view and around it. */
  drawn = $state.raw<Drawn | undefined>();
  watching = $state<Watching>("opening");
  /** Why the watch ended; empty while it has not. */
  refusal = $state("");

  #api: Api;
  #account: string;
  #filter: SiteFilter;
  #told: OverviewTold;
  #isNameless: boolean;
  #symbols = new SymbolSet();
  /** Before the map says what it shows, all: the tallies are of the whole account anyway. */
  #box = WORLD;
  #zoom = 0;
  #revision: bigint | undefined;
  #failures = 0;
  /** Whether a watch ended, and nothing was heard since. */
  #ended = false;
  #watch: AbortController | undefined;

  /** With `isNameless` the names of sites never come to the page. */
  constructor(api: Api, account: string, filter: SiteFilter, told: OverviewTold, isNameless = false) {
    this.#api = api;
    this.#account = account;
    this.#filter = filter;
    this.#told = told;
    this.#isNameless = isNameless;
  }

  /** Whether what is shown may have changed since. */
  get offline(): boolean {
    return this.watching === "broken" || this.watching === "ended";
  }

  start(): void {
    document.addEventListener("visibilitychange", this.#onVisible);
    this.watch();
  }

  stop(): void {
    document.removeEventListener("visibilitychange", this.#onVisible);
    this.#watch?.abort();
  }

  /** Follows the map: what is in view is drawn, of the level that `zoom` lies in. */
  look(view: Box, zoom: number): void {
    const level = Math.max(0, Math.floor(zoom));
    if (level === this.#zoom && this.#box !== WORLD && covers(this.#box, view)) return;
    this.#box = widened(view);
    this.#zoom = level;
    if (document.visibilityState === "visible") this.watch();
  }

  /** Where a site's own symbol is; absent where it has none in view. */
  positionOf(site: string): Position | undefined {
    return this.#symbols.positionOf(site);
  }

  /** The zoom at which a cluster that is drawn at `zoom` falls apart; absent where none takes it apart. */
  async expansionOf(clusterId: string, zoom: number): Promise<number | undefined> {
    const request = { parent: this.#account, clusterId, zoom, pageSize: 1, filter: this.#filter.text };
    const { expansionZoom } = await this.#api.map.listClusterSites(request);
    return expansionZoom;
  }

  /** Watches what the filter says now, in place of what was watched before. */
  watch(): void {
    this.#watch?.abort();
    this.#watch = new AbortController();
    void this.#follow(this.#watch);
  }

  /** Watches anew after an outage: until something is heard, nothing is up to date. */
  reconnect(): void {
    this.watching = "broken";
    this.#ended = true;
    this.watch();
  }

  /** Follows one watch after the other, until it is aborted or the server refuses it. */
  async #follow(watch: AbortController): Promise<void> {
    while (!watch.signal.aborted) {
      try {
        const heard = await this.#listen(watch.signal);
        // One that ends in order, as when a server drains, is begun again before anything is missed.
        if (!heard && !watch.signal.aborted) this.watching = "broken";
        this.#ended = true;
      } catch (error) {
        if (watch.signal.aborted) return;
        this.#ended = true;
        const { kind, message } = faultOf(error);
        const isRefused = REFUSALS.includes(kind);
        // Whatever the reason, the page is not live now, and must not look so.
        this.watching = isRefused ? "ended" : "broken";
        this.refusal = isRefused ? message : "";
        if (kind === "missing") this.#told.onMissing?.();
        // Of a token that ended the session makes something; it watches again when it goes on.
        if (isRefused || kind === "signed-out") return;
      }
      const pause = PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length - 1)];
      this.#failures += 1;
      await new Promise((resume) => setTimeout(resume, pause));
    }
  }

  /** Follows one watch to its end; says whether anything was heard. */
  async #listen(aborted: AbortSignal): Promise<boolean> {
    const silence = new AbortController();
    const signal = AbortSignal.any([aborted, silence.signal]);
    let alarm = setTimeout(() => silence.abort(), SILENCE_MS_MAX);
    try {
      const { west, south, east, north } = this.#box;
      const viewport = { low: { lat: south, lng: west }, high: { lat: north, lng: east } };
      const asked = { viewport, zoom: this.#zoom, filter: this.#filter.text, omitNames: this.#isNameless };
      const request = { parent: this.#account, ...asked };
      let fresh = true;
      // A watch of who is behind would show again what was true before.
      const headers = this.#api.revisions.asked(this.#account);
      for await (const { changes } of this.#api.map.watchViewport(request, { signal, timeoutMs: 0, headers })) {
        clearTimeout(alarm);
        alarm = setTimeout(() => silence.abort(), SILENCE_MS_MAX);
        if (!changes || aborted.aborted) continue;
        this.#take(changes, fresh);
        fresh = false;
      }
      return !fresh;
    } finally {
      clearTimeout(alarm);
      // Whatever ended it: no stream goes on that nobody reads.
      silence.abort();
    }
  }

  #take(changes: MapChanges, fresh: boolean): void {
    this.watching = "live";
    this.refusal = "";
    this.#failures = 0;
    this.tally = changes.accountTally;
    this.matching = changes.matchingTally;
    this.legend = changes.legendTally;
    this.unplaced = changes.unplaced;
    // It goes back where the store lost writes, and with it all that was known of them.
    if (!fresh && changes.revision < this.revision) this.#api.revisions.forget(this.#account);
    this.#api.revisions.note(this.#account, changes.revision);
    this.revision = changes.revision;
    this.drawn = this.#symbols.take(changes, fresh, this.#zoom) ?? this.drawn;
    const changed = this.#revision !== undefined && changes.revision !== this.#revision;
    this.#revision = changes.revision;
    if (changed) this.#told.onChange();
    if (this.#ended) this.#told.onAgain();
    this.#ended = false;
  }

  /** A page that nobody sees holds no connection: browsers have six for all pages of a server. */
  #onVisible = (): void => {
    if (document.visibilityState === "visible") this.watch();
    else this.#watch?.abort();
  };
}
