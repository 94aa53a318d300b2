// The list beside the map: the sites in view, or those behind one symbol, or those without a position. Page by page.
import type { Api } from "../api/client.js";
import { type Fault, faultOf } from "../api/fault.js";
import { FixSource, Granularity } from "../gen/waymark/v1/location_pb.js";
import type { SiteSummary } from "../gen/waymark/v1/map_pb.js";
import type { Site, SiteStatus } from "../gen/waymark/v1/site_pb.js";
import type { Box } from "../map/view_box.js";
import type { Position } from "../position.js";
import type { SiteFilter } from "./filter.svelte.js";
import { stagedPage } from "./staged.js";

/** Rows a page: more than two screens of them. */
const PAGE_SIZE = 50;
/** Pause in milliseconds before the list follows a moving map. */
const SETTLE_MS = 150;

/** What the map shows. */
export type View = Box;

/** What is listed. */
export type Scope =
  | { kind: "view" }
  | { kind: "symbol"; id: string; zoom: number; stack: boolean; position: Position }
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

interface Page {
  rows: Row[];
  next: string;
  total?: bigint;
}

export class Listing {
  scope = $state.raw<Scope>({ kind: "view" });
  rows = $state.raw<Row[]>([]);
  /** All sites in view; absent while unknown and for other scopes. */
  total = $state<bigint | undefined>();
  loading = $state(false);
  fault = $state.raw<Fault | undefined>();
  /** Whether the symbol that was listed has dissolved and the view is shown in its place. */
  dissolved = $state(false);
  /** Whether there is more to load. */
  more = $state(false);

  #api: Api;
  #account: string;
  #filter: SiteFilter;
  #view: View | undefined;
  #next = "";
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
    this.rows = [];
    this.total = undefined;
    this.dissolved = false;
    void this.reload();
  }

  /** Loads again what is listed, at least as many rows as there are. */
  async reload(): Promise<void> {
    await this.#load("", Math.max(PAGE_SIZE, Math.min(this.rows.length, 1_000)), (page) => page.rows);
  }

  /** Loads the next page. */
  async loadMore(): Promise<void> {
    if (this.loading || !this.more) return;
    await this.#load(this.#next, PAGE_SIZE, (page) => [...this.rows, ...page.rows]);
  }

  stop(): void {
    clearTimeout(this.#settling);
    this.#pending.abort();
  }

  async #load(token: string, size: number, merge: (page: Page) => Row[]): Promise<void> {
    if (this.scope.kind === "view" && !this.#view) return;
    this.#pending.abort();
    const pending = new AbortController();
    this.#pending = pending;
    this.loading = true;
    try {
      let page = await this.#ask(token, size, pending.signal);
      // A page that has looked at many sites may be empty, and not be the last.
      while (page.rows.length === 0 && page.next !== "" && !pending.signal.aborted) {
        page = await this.#ask(page.next, size, pending.signal);
      }
      if (pending.signal.aborted) return;
      this.rows = merge(page);
      this.total = page.total ?? this.total;
      this.#next = page.next;
      this.more = page.next !== "";
      this.fault = undefined;
    } catch (error) {
      if (!pending.signal.aborted) this.#failed(faultOf(error));
    } finally {
      if (this.#pending === pending) this.loading = false;
    }
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
      const { sites, nextPageToken } = await this.#api.sites.listSites(request, { signal });
      return { rows: sites.map(rowOf), next: nextPageToken };
    }
    const { west, south, east, north } = this.#view!;
    const viewport = { low: { lat: south, lng: west }, high: { lat: north, lng: east } };
    const request = { parent, viewport, pageSize, pageToken, filter };
    const { sites, nextPageToken, totalSize } = await this.#api.map.listViewportSites(request, { signal });
    return { rows: sites, next: nextPageToken, total: totalSize };
  }
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
