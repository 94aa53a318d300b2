// The history of the open site, page by page, and former values put back. Loaded when somebody looks at it.
import type { Api } from "../api/client.js";
import { type Fault, faultOf } from "../api/fault.js";
import type { SiteChange } from "../gen/waymark/v1/history_pb.js";
import type { OpenedSite } from "./opened.svelte.js";

/** Changes of one page: a screen and a half. */
const PAGE_SIZE = 20;

export class SiteHistory {
  /** The newest first. */
  changes = $state.raw<SiteChange[]>([]);
  /** Whether there are older ones. */
  hasMore = $state(false);
  loading = $state(false);
  fault = $state.raw<Fault | undefined>();

  #api: Api;
  #opened: OpenedSite;
  /** The site that the changes are of, and its token of the next page. */
  #site = "";
  #next = "";
  /** Numbers the loads: an answer that comes late is dropped. */
  #turn = 0;

  constructor(api: Api, opened: OpenedSite) {
    this.#api = api;
    this.#opened = opened;
  }

  /** Loads the newest changes of the open site again. */
  async load(): Promise<void> {
    const site = this.#opened.name;
    if (site !== this.#site) {
      [this.changes, this.fault] = [[], undefined];
      [this.hasMore, this.#next] = [false, ""];
    }
    this.#site = site;
    await this.#page("");
  }

  /** Loads the next older changes. */
  async more(): Promise<void> {
    if (this.#next) await this.#page(this.#next);
  }

  /** Puts back what a field had before a change. Says why it did not go. The new entry comes with the site's new version. */
  async restore(change: SiteChange, field: string): Promise<Fault | undefined> {
    const { etag = "" } = this.#opened.site ?? {};
    const requestId = crypto.randomUUID();
    try {
      this.#opened.took(await this.#api.history.restoreSiteValue({ name: change.name, field, etag, requestId }));
      return undefined;
    } catch (error) {
      const fault = faultOf(error);
      if (fault.kind === "conflict") await Promise.all([this.#opened.refresh(), this.load()]);
      return fault;
    }
  }

  async #page(pageToken: string): Promise<void> {
    // An older page is not out of date because the newest one is loaded again: its token says whether it is the next one.
    const turn = pageToken ? this.#turn : ++this.#turn;
    this.loading = true;
    try {
      const parent = this.#site;
      const page = await this.#api.history.listSiteChanges({ parent, pageSize: PAGE_SIZE, pageToken });
      const isWanted = pageToken ? parent === this.#site && pageToken === this.#next : turn === this.#turn;
      if (!isWanted) return;
      this.fault = undefined;
      const known = pageToken ? -1 : this.changes.findIndex(({ name }) => name === page.changes.at(-1)?.name);
      if (known >= 0) {
        // Older pages that are on the screen stay: what is past does not change.
        this.changes = [...page.changes, ...this.changes.slice(known + 1)];
        return;
      }
      this.changes = pageToken ? [...this.changes, ...page.changes] : page.changes;
      this.#next = page.nextPageToken;
      this.hasMore = page.nextPageToken !== "";
    } catch (error) {
      if (turn === this.#turn) this.fault = faultOf(error);
    } finally {
      if (turn === this.#turn) this.loading = false;
    }
  }
}
