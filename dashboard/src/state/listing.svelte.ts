// The list beside the map: the sites in view, or those behind one symbol, or those without a position. Page by page.
import type { Api } from "../api/client.js";
import { type Fault, faultOf } from "../api/fault.js";
import { FixSource, Granularity } from "../gen/waymark/v1/location_pb.js";
import type { SiteSummary } from "../gen/waymark/v1/map_pb.js";
import type { Site, SiteStatus } from "../gen/waymark/v1/site_pb.js";
import type { Box } from "../map/view_box.js";
import type { Position } from "../position.js";
import type { SiteFilter } from "./filter.svelte.js";
import { type StagedPage, stagedPage } from "./staged.js";

/** Rows a page: more than two screens of them, */
const PAGE_SIZE = 100;
/** and of a page of a list that somebody has scrolled so far down that it holds so many already. */
const FAR_PAGE_SIZE = 500;
const FAR_ROWS = 1_000;
/** Rows a page where all are asked for: as many as the server gives. */
const ALL_PAGE_SIZE = 1_000;
/** Rows behind those that are seen with which the next page is asked for. */
const AHEAD = 40;
/** Most rows of a list: so many are a gigabyte of a browser's memory. */
export const ROWS_MAX = 2_000_000;
/** Pause in milliseconds before the list follows a moving map. */
const SETTLE_MS = 150;

/** What the map shows. */
export type View = Box;

/** What is listed. */
export type Scope =
  | { kind: "view" }
  | { kind: "symbol"; id: string; zoom: number; stack: boolean }
  | { kind: "unplaced" };

export interface Row {
  name: string;
  displayName: string;
  status: SiteStatus;
  source: FixSource;
  granularity: Granularity;
  accuracyM?: number | undefined;
  position?: Position | undefined;
}

type Page = StagedPage<Row>;

/** A page with what it was asked for by. */
interface LoadedPage extends Page {
  token: string;
  size: number;
  /** Whether something of it may have changed since. */
  stale: boolean;
}

export class Listing {
  scope = $state.raw<Scope>({ kind: "view" });
  /** All that is loaded, from the first one on. */
  rows = $state.raw<Row[]>([]);
  /** All sites in view; absent while unknown and for other scopes. */
  total = $state<bigint | undefined>();
  /** From the beginning: until the map says what is in view, nobody knows that it is empty. */
  loading = $state(true);
  fault = $state.raw<Fault | undefined>();
  /** Whether the symbol that was listed has dissolved and the view is shown in its place. */
  dissolved = $state(false);
  /** Whether there is more to load, */
  more = $state(false);
  /** or there would be, and the list is as long as lists become. */
  cut = $state(false);
  /** Names of sites that perhaps belong to what is listed: their records cannot be read. */
  unreachable = $state.raw<string[]>([]);

  #api: Api;
  #account: string;
  #filter: SiteFilter;
  #view: View | undefined;
  #pages: LoadedPage[] = [];
  /** Where each row is, by its name. */
  #places = new Map<string, number>();
  /** The rows that are seen, the last one excluded. */
  #seen = { from: 0, to: PAGE_SIZE };
  #pending = new AbortController();
  #settling: ReturnType<typeof setTimeout> | undefined;

  constructor(api: Api, account: string, filter: SiteFilter) {
    this.#api = api;
    this.#account = account;
    this.#filter = filter;
  }

  /** Follows the map. */
  look(view: View): void {
    this.#view = view;
    if (this.scope.kind !== "view") return;
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => void this.reload(), SETTLE_MS);
  }

  /** Lists something else. */
  show(scope: Scope): void {
    this.scope = scope;
    [this.#pages, this.#places] = [[], new Map()];
    [this.rows, this.unreachable] = [[], []];
    this.cut = false;
    this.total = undefined;
    this.dissolved = false;
    void this.reload();
  }

  /** Says which rows are seen: those are kept up to date, and what comes behind them is loaded in time. */
  sight(from: number, to: number): void {
    this.#seen = { from, to };
    if (this.loading || this.fault) return;
    if (this.more && to + AHEAD > this.rows.length) void this.loadMore();
    else if (this.#inSight().some((at) => this.#pages[at]!.stale)) void this.#load((signal) => this.#renew(signal));
  }

  /** Loads what is listed from its beginning. */
  async reload(): Promise<void> {
    await this.#load(async (signal) => {
      const page = await this.#fetch("", PAGE_SIZE, signal);
      if (!signal.aborted) this.#take([page]);
    });
  }

  /** Something of it may have changed: what is seen is loaded again now, and the rest when it comes into sight. */
  async refresh(): Promise<void> {
    for (const page of this.#pages) page.stale = true;
    await this.#load((signal) => this.#renew(signal));
  }

  /** Shows what a change of a site was answered with; an answer that was asked for before may be of before. */
  took(site: Site): void {
    const at = this.placeOf(site.name);
    if (at < 0) return;
    const row = rowOf(site);
    for (const page of this.#pages) page.rows = page.rows.map((one) => (one.name === row.name ? row : one));
    const rows = this.rows.slice();
    rows[at] = row;
    this.rows = rows;
    if (this.loading) void this.refresh();
  }

  /** Where a site's row is among those that are loaded; -1 where it is not. */
  placeOf(name: string): number {
    const at = this.#places.get(name) ?? -1;
    // The places are those of these rows, which whoever asks follows.
    return at < this.rows.length ? at : -1;
  }

  /** Loads the next page. */
  async loadMore(): Promise<void> {
    const last = this.#pages.at(-1);
    if (this.loading || !this.more || !last) return;
    const size = this.rows.length < FAR_ROWS ? PAGE_SIZE : FAR_PAGE_SIZE;
    await this.#load(async (signal) => {
      const page = await this.#fetch(last.next, size, signal);
      if (!signal.aborted) this.#append(page);
    });
  }

  /** All rows of what is listed, page by page, whatever is loaded. */
  async *all(signal: AbortSignal): AsyncGenerator<Row[]> {
    yield* eachPage((token) => this.#fetch(token, ALL_PAGE_SIZE, signal));
  }

  /** All rows of a box that the filter lets through, page by page. */
  async *within(box: Box, signal: AbortSignal): AsyncGenerator<Row[]> {
    const { text } = this.#filter;
    yield* eachPage((token) => this.#inBox(box, text, token, ALL_PAGE_SIZE, signal));
  }

  stop(): void {
    clearTimeout(this.#settling);
    this.#pending.abort();
  }

  async #load(task: (signal: AbortSignal) => Promise<void>): Promise<void> {
    if (this.scope.kind === "view" && !this.#view) return;
    this.#pending.abort();
    const pending = new AbortController();
    this.#pending = pending;
    this.loading = true;
    try {
      await task(pending.signal);
      if (!pending.signal.aborted) this.fault = undefined;
    } catch (error) {
      if (!pending.signal.aborted) this.#failed(faultOf(error));
    } finally {
      if (this.#pending === pending) {
        this.loading = false;
        this.sight(this.#seen.from, this.#seen.to);
      }
    }
  }

  /** Loads the pages in sight again. Where one ends elsewhere than before, those behind it are not its neighbours any more. */
  async #renew(signal: AbortSignal): Promise<void> {
    const pages = [...this.#pages];
    for (const at of this.#inSight()) {
      const before = pages[at];
      if (!before) break;
      const page = await this.#fetch(before.token, before.size, signal);
      if (signal.aborted) return;
      pages[at] = page;
      if (page.next !== before.next) pages.length = at + 1;
    }
    if (pages.length === 0) pages.push(await this.#fetch("", PAGE_SIZE, signal));
    if (!signal.aborted) this.#take(pages);
  }

  /** The numbers of the pages that are seen; the first one where none is. */
  #inSight(): number[] {
    const { from, to } = this.#seen;
    let begin = 0;
    const seen = this.#pages.flatMap(({ rows }, at) => {
      const isSeen = begin < to && begin + rows.length > from;
      begin += rows.length;
      return isSeen ? [at] : [];
    });
    return seen.length > 0 || this.#pages.length === 0 ? seen : [0];
  }

  /** Shows these pages. */
  #take(pages: LoadedPage[]): void {
    this.#pages = [];
    this.#places = new Map();
    this.#lay(pages, []);
  }

  /** Shows one more. However many there are, this costs what it holds, and a copy of what is there. */
  #append(page: LoadedPage): void {
    this.#lay([page], this.rows.slice());
  }

  /** Shows pages behind the rows that are there. A site that moved from one to another between two answers stands once. */
  #lay(pages: LoadedPage[], rows: Row[]): void {
    for (const page of pages) {
      this.#pages.push(page);
      for (const row of page.rows) {
        const at = this.#places.get(row.name) ?? rows.length;
        this.#places.set(row.name, at);
        rows[at] = row;
      }
    }
    this.rows = rows;
    this.unreachable = [...new Set(this.#pages.flatMap(({ unreachable = [] }) => unreachable))];
    const last = this.#pages.at(-1);
    const isMore = last !== undefined && last.next !== "";
    this.cut = isMore && rows.length >= ROWS_MAX;
    this.more = isMore && !this.cut;
    this.total = this.#pages.findLast((page) => !page.stale && page.total !== undefined)?.total ?? this.total;
  }

  /** A page, with rows unless it is the last one: one that has looked at many sites may be empty. */
  async #fetch(token: string, size: number, signal: AbortSignal): Promise<LoadedPage> {
    let page = await this.#ask(token, size, signal);
    const unreachable = [...(page.unreachable ?? [])];
    while (page.rows.length === 0 && page.next !== "" && !signal.aborted) {
      page = await this.#ask(page.next, size, signal);
      unreachable.push(...(page.unreachable ?? []));
    }
    return { ...page, unreachable, token, size, stale: false };
  }

  #failed(fault: Fault): void {
    if (this.scope.kind === "symbol" && (fault.kind === "missing" || fault.kind === "invalid")) {
      this.show({ kind: "view" });
      this.dissolved = true;
      return;
    }
    if (fault.kind !== "cancelled") this.fault = fault;
  }

  #ask(token: string, size: number, signal: AbortSignal): Promise<Page> {
    const { text, problemsFirst } = this.#filter;
    if (!problemsFirst) return this.#page(text, token, size, signal);
    return stagedPage(text, token, size, (filter, inner) => this.#page(filter, inner, size, signal));
  }

  async #page(filter: string, pageToken: string, pageSize: number, signal: AbortSignal): Promise<Page> {
    const parent = this.#account;
    const scope = this.scope;
    if (scope.kind === "symbol") {
      const request = { parent, clusterId: scope.id, zoom: scope.zoom, pageSize, pageToken, filter };
      const { sites, nextPageToken } = await this.#api.map.listClusterSites(request, { signal });
      return { rows: sites, next: nextPageToken };
    }
    if (scope.kind === "unplaced") {
      const request = { parent, pageSize, pageToken, filter: `location.placed = false ${filter}` };
      const { sites, nextPageToken, unreachable } = await this.#api.sites.listSites(request, { signal });
      return { rows: sites.map(rowOf), next: nextPageToken, unreachable };
    }
    return this.#inBox(this.#view!, filter, pageToken, pageSize, signal);
  }

  async #inBox(box: Box, filter: string, pageToken: string, pageSize: number, signal: AbortSignal): Promise<Page> {
    const parent = this.#account;
    const { west, south, east, north } = box;
    const viewport = { low: { lat: south, lng: west }, high: { lat: north, lng: east } };
    const request = { parent, viewport, pageSize, pageToken, filter };
    const { sites, nextPageToken, totalSize } = await this.#api.map.listViewportSites(request, { signal });
    return { rows: sites, next: nextPageToken, total: totalSize };
  }
}

async function* eachPage(load: (token: string) => Promise<Page>): AsyncGenerator<Row[]> {
  let token = "";
  do {
    const page = await load(token);
    yield page.rows;
    token = page.next;
  } while (token !== "");
}

/** The row of a whole site record. */
export function rowOf(site: Site): Row {
  const { name, displayName, status, location } = site;
  return {
    name,
    displayName,
    status,
    source: location?.source ?? FixSource.UNSPECIFIED,
    granularity: location?.granularity ?? Granularity.UNSPECIFIED,
    accuracyM: location?.accuracyM,
    position: location?.position,
  } satisfies Omit<SiteSummary, "$typeName">;
}

/** Whether a machine located the site, so that its position is an estimate. */
export function isApproximate(source: FixSource): boolean {
  return source === FixSource.GEOIP || source === FixSource.DEVICE;
}
