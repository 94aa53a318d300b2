// An export: sites page by page into a file that the browser saves. Memory holds what is written, and one page.
import type { Api } from "../api/client.js";
import { accountId } from "../api/names.js";
import { faultOf } from "../api/fault.js";
import type { SheetKind } from "../sheet/read.js";
import { FORMS } from "../sheet/write.js";

/** Sites a page: as many as the server gives. */
const PAGE_SITES = 1_000;
const TYPES: Record<SheetKind, string> = { csv: "text/csv", geojson: "application/geo+json" };
/** Time in milliseconds for the browser to take up a file before its address is given back. */
const SAVE_MS = 60_000;

export class Exporting {
  busy = $state(false);
  /** Sites that are written so far. */
  sites = $state(0);
  /** The file that was saved last; empty for none. */
  saved = $state("");
  /** Names of sites that are left out, because their records are damaged. */
  unreachable = $state.raw<string[]>([]);
  message = $state("");

  #api: Api;
  #account: string;
  #run = new AbortController();

  constructor(api: Api, account: string) {
    this.#api = api;
    this.#account = account;
  }

  /** Writes the sites that match a filter, all for an empty one, and has the browser save them. */
  async run(kind: SheetKind, filter: string): Promise<void> {
    this.#run = new AbortController();
    const { signal } = this.#run;
    [this.busy, this.sites, this.saved, this.unreachable, this.message] = [true, 0, "", [], ""];
    try {
      const file = await this.#written(kind, filter, signal);
      const name = `${accountId(this.#account)}-sites.${kind}`;
      save(file, name);
      this.saved = name;
    } catch (error) {
      if (!signal.aborted) this.message = faultOf(error).message;
    } finally {
      this.busy = false;
    }
  }

  cancel(): void {
    this.#run.abort();
  }

  async #written(kind: SheetKind, filter: string, signal: AbortSignal): Promise<Blob> {
    const form = FORMS[kind];
    // A browser keeps large blobs on the disk.
    const parts = [new Blob([form.before])];
    let pageToken = "";
    do {
      const request = { parent: this.#account, filter, pageSize: PAGE_SITES, pageToken };
      const page = await this.#api.sites.listSites(request, { signal });
      const texts = page.sites.map((site) => form.of(site)).join(form.between);
      if (texts) parts.push(new Blob([this.sites > 0 ? form.between : "", texts]));
      this.sites += page.sites.length;
      this.unreachable = [...this.unreachable, ...page.unreachable];
      pageToken = page.nextPageToken;
    } while (pageToken);
    return new Blob([...parts, form.behind], { type: TYPES[kind] });
  }
}

/** Has the browser save a file. */
export function save(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), SAVE_MS);
}
