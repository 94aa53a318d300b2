// What is personal of all sites of the account: all of it into a file that the browser saves, and taken away for good.
import { toJsonString } from "@bufbuild/protobuf";
import { type Api, ERASE_TIMEOUT_MS } from "../api/client.js";
import { type Fault, faultOf } from "../api/fault.js";
import { accountId } from "../api/names.js";
import { PersonalRecordSchema } from "../gen/waymark/v1/personal_data_pb.js";
import { save } from "./exporting.svelte.js";

/** Records and sites a page: as many as the server gives. */
const PAGE_RECORDS = 1_000;
const PAGE_SITES = 100;

export class AccountData {
  /** What is being done. */
  busy = $state<"exporting" | "erasing" | undefined>();
  fault = $state.raw<Fault | undefined>();
  /** Records or sites that are done so far. */
  count = $state(0);
  /** The file that was saved last; empty for none. */
  saved = $state("");
  /** Whether the last erasure went through. */
  erased = $state(false);
  /** Names of sites that were left out, because their records are damaged. */
  unreachable = $state.raw<string[]>([]);

  #api: Api;
  #name: string;
  #onErased: (location: boolean) => Promise<void>;

  /** `onErased` runs after an erasure, a broken one too; `location` says whether addresses and pins went, too. */
  constructor(api: Api, account: string, onErased: (location: boolean) => Promise<void>) {
    this.#api = api;
    this.#name = account;
    this.#onErased = onErased;
  }

  /** Has the browser save what is held of persons, former values too: the API's `PersonalRecord`s as JSON, one a line. */
  export(): Promise<void> {
    return this.#run("exporting", async () => {
      // A browser keeps large blobs on the disk.
      const parts: Blob[] = [];
      let pageToken = "";
      do {
        const request = { name: this.#name, pageSize: PAGE_RECORDS, pageToken };
        const page = await this.#api.admin.exportAccountPersonalData(request);
        parts.push(new Blob(page.records.map((record) => `${toJsonString(PersonalRecordSchema, record)}\n`)));
        this.count += page.records.length;
        this.unreachable = [...this.unreachable, ...page.unreachable];
        pageToken = page.nextPageToken;
      } while (pageToken);
      const called = `${accountId(this.#name)}-personal-data.jsonl`;
      save(new Blob(parts, { type: "application/jsonl" }), called);
      this.saved = called;
    });
  }

  /** Takes away for good what the sites and their histories hold of persons. What broke off is begun anew: erased stays erased. */
  erase(includeLocation: boolean): Promise<void> {
    return this.#run("erasing", async () => {
      try {
        let pageToken = "";
        do {
          const request = { name: this.#name, pageSize: PAGE_SITES, pageToken, includeLocation };
          const page = await this.#api.admin.eraseAccountPersonalData(request, { timeoutMs: ERASE_TIMEOUT_MS });
          this.count += page.sites.length;
          this.unreachable = [...this.unreachable, ...page.unreachable];
          pageToken = page.nextPageToken;
        } while (pageToken);
        this.erased = true;
      } finally {
        await this.#onErased(includeLocation);
      }
    });
  }

  async #run(what: "exporting" | "erasing", work: () => Promise<void>): Promise<void> {
    [this.busy, this.fault, this.count, this.saved, this.erased] = [what, undefined, 0, "", false];
    this.unreachable = [];
    try {
      await work();
    } catch (error) {
      this.fault = faultOf(error);
    } finally {
      this.busy = undefined;
    }
  }
}
