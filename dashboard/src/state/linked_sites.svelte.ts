// The sites that are tied to one organisation of a ticketing system, page by page. Loaded when somebody asks.
import type { Api } from "../api/client.js";
import { type Fault, faultOf } from "../api/fault.js";
import { type Row, rowOf } from "./listing.svelte.js";

/** Sites a page: of most organisations all. */
const PAGE_SIZE = 20;

/** What all of them have in common. */
export interface Organization {
  /** The account. */
  parent: string;
  system: string;
  organizationId: string;
}

export class LinkedSites {
  rows = $state.raw<Row[]>([]);
  /** How many there are; absent before the first answer. */
  total = $state<number | undefined>();
  loading = $state(false);
  fault = $state.raw<Fault | undefined>();

  #api: Api;
  #next = $state("");

  constructor(api: Api) {
    this.#api = api;
  }

  /** Whether there are more pages. */
  get hasMore(): boolean {
    return this.#next !== "";
  }

  /** Loads the first page again, or the next one. */
  async load(of: Organization, next = false): Promise<void> {
    this.loading = true;
    try {
      const pageToken = next ? this.#next : "";
      const page = await this.#api.ticketing.listLinkedSites({ ...of, pageSize: PAGE_SIZE, pageToken });
      const rows = page.sites.map(rowOf);
      this.rows = next ? [...this.rows, ...rows] : rows;
      [this.total, this.#next, this.fault] = [page.totalSize, page.nextPageToken, undefined];
    } catch (error) {
      this.fault = faultOf(error);
    } finally {
      this.loading = false;
    }
  }
}
