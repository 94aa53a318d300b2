// What is personal of the open site: all of it into a file that the browser saves, and taken away for good.
import { toJson } from "@bufbuild/protobuf";
import { type Api, ERASE_TIMEOUT_MS } from "../api/client.js";
import { type Fault, faultOf } from "../api/fault.js";
import { siteId } from "../api/names.js";
import { type PersonalRecord, PersonalRecordSchema } from "../gen/waymark/v1/personal_data_pb.js";
import { save } from "./exporting.svelte.js";
import type { OpenedSite } from "./opened.svelte.js";

/** Records a page: as many as the server gives. */
const PAGE_RECORDS = 1_000;
const INDENT = 2;

export class PersonalData {
  /** What is being done. */
  busy = $state<"exporting" | "erasing" | undefined>();
  fault = $state.raw<Fault | undefined>();
  /** The file that was saved last; empty for none. */
  saved = $state("");
  /** How many records of the history went with the last erasure. */
  erased = $state.raw<bigint | undefined>();

  #api: Api;
  #opened: OpenedSite;
  #onErased: (site: string, location: boolean) => Promise<void>;

  /** `onErased` runs after an erasure of a site; `location` says whether address and pin went, too. */
  constructor(api: Api, opened: OpenedSite, onErased: (site: string, location: boolean) => Promise<void>) {
    this.#api = api;
    this.#opened = opened;
    this.#onErased = onErased;
  }

  /** Has the browser save what is held now and the whole history, as JSON of the API's `PersonalRecord`s. */
  export(): Promise<void> {
    const { name } = this.#opened;
    return this.#run("exporting", async () => {
      const records: PersonalRecord[] = [];
      let pageToken = "";
      do {
        const page = await this.#api.admin.exportSitePersonalData({ name, pageSize: PAGE_RECORDS, pageToken });
        records.push(...page.records);
        pageToken = page.nextPageToken;
      } while (pageToken);
      const written = records.map((record) => toJson(PersonalRecordSchema, record));
      const file = new Blob([JSON.stringify(written, undefined, INDENT), "\n"], { type: "application/json" });
      const called = `${siteId(name)}-personal-data.json`;
      save(file, called);
      this.saved = called;
    });
  }

  /** Takes away for good what the site and its history hold of persons; with `includeLocation` its address and pin, too. */
  erase(includeLocation: boolean): Promise<void> {
    const { name } = this.#opened;
    return this.#run("erasing", async () => {
      const patience = { timeoutMs: ERASE_TIMEOUT_MS };
      const { historyRecords } = await this.#api.admin.eraseSitePersonalData({ name, includeLocation }, patience);
      await this.#onErased(name, includeLocation);
      this.erased = historyRecords;
    });
  }

  async #run(what: "exporting" | "erasing", work: () => Promise<void>): Promise<void> {
    [this.busy, this.fault, this.saved, this.erased] = [what, undefined, "", undefined];
    try {
      await work();
    } catch (error) {
      this.fault = faultOf(error);
    } finally {
      this.busy = undefined;
    }
  }
}
