// One change of many sites: in calls of many rows, with progress, and a report of those that were not changed.
import { create } from "@bufbuild/protobuf";
import type { Api } from "../api/client.js";
import { accountId } from "../api/names.js";
import { type Fault, faultOf } from "../api/fault.js";
import { ImportOutcome, type SiteRow, SiteRowSchema } from "../gen/waymark/v1/import_service_pb.js";
import type { SiteStatus } from "../gen/waymark/v1/site_pb.js";
import { FORMS } from "../sheet/write.js";
import * as strings from "../strings.js";
import { save } from "./exporting.svelte.js";
import type { Row } from "./listing.svelte.js";

/** Sites of a call: as many as the server takes. */
const CALL_SITES = 100;
/** Pauses in milliseconds before a call that did not reach the server is made again: setting the same twice does no harm. */
const PAUSES_MS = [500, 1_000, 2_000, 4_000];

export type Change = { kind: "status"; status: SiteStatus } | { kind: "label"; key: string; value: string };

/** A site that was not changed, and why. */
export interface Failure {
  row: Row;
  why: string;
}

export class Bulk {
  busy = $state(false);
  /** Whether it ends behind the call that is on its way: what that one does is not taken back by leaving it. */
  stopping = $state(false);
  /** Sites that are dealt with, failed ones included, of all. */
  done = $state(0);
  all = $state(0);
  failures = $state.raw<Failure[]>([]);
  /** What the last run came to; empty for none. */
  message = $state("");

  #api: Api;
  #account: string;
  #onChange: () => void;
  #run = new AbortController();

  /** `onChange` runs when sites were changed. */
  constructor(api: Api, account: string, onChange: () => void) {
    this.#api = api;
    this.#account = account;
    this.#onChange = onChange;
  }

  /** Makes a change to all of these sites. */
  async change(rows: Row[], change: Change): Promise<void> {
    await this.#inCalls(rows, async (batch, signal) => {
      const request = { parent: this.#account, rows: batch.map(({ name }) => rowOf(name, change)) };
      const { results } = await this.#api.imports.importSites(request, { signal });
      return batch.flatMap((row, at) => {
        const result = results[at];
        const isDone = result !== undefined && result.outcome !== ImportOutcome.REFUSED;
        return isDone ? [] : [{ row, why: result?.message ?? "" }];
      });
    });
    this.#onChange();
  }

  /** Has the browser save these sites as a sheet that an import reads back. */
  async export(rows: Row[]): Promise<void> {
    const { before, between, behind, of } = FORMS.csv;
    const parts: string[] = [];
    await this.#inCalls(rows, async (batch, signal) => {
      const names = batch.map(({ name }) => name);
      const { sites } = await this.#api.sites.batchGetSites({ parent: this.#account, names }, { signal });
      parts.push(...sites.map(of));
      return [];
    });
    if (this.done < this.all || parts.length === 0) return;
    save(new Blob([before, parts.join(between), behind], { type: "text/csv" }), `${accountId(this.#account)}-selection.csv`);
    this.message = strings.bulk.exported(String(parts.length));
  }

  stop(): void {
    this.stopping = true;
  }

  /** Forgets the last run. */
  forget(): void {
    this.#run.abort();
    [this.failures, this.message] = [[], ""];
  }

  async #inCalls(rows: Row[], call: (batch: Row[], signal: AbortSignal) => Promise<Failure[]>): Promise<void> {
    if (this.busy) return;
    this.#run = new AbortController();
    const { signal } = this.#run;
    [this.busy, this.stopping, this.done, this.all, this.failures, this.message] = [true, false, 0, rows.length, [], ""];
    for (let at = 0; at < rows.length && !this.stopping && !signal.aborted; at += CALL_SITES) {
      const batch = rows.slice(at, at + CALL_SITES);
      const failed = await this.#patiently(batch, call, signal);
      if (signal.aborted) break;
      this.failures = [...this.failures, ...failed];
      this.done += batch.length;
    }
    const changed = this.done - this.failures.length;
    this.message = this.done < this.all
      ? strings.bulk.stopped(String(changed), String(this.all - changed))
      : strings.bulk.done(String(changed));
    this.busy = false;
  }

  /** One call, again while the server is away; what fails it for good is why none of its sites was changed. */
  async #patiently(
    batch: Row[],
    call: (batch: Row[], signal: AbortSignal) => Promise<Failure[]>,
    signal: AbortSignal,
  ): Promise<Failure[]> {
    let fault: Fault | undefined;
    for (const pause of [...PAUSES_MS, 0]) {
      try {
        return await call(batch, signal);
      } catch (error) {
        fault = faultOf(error);
      }
      if (fault.kind !== "unreachable" || this.stopping || signal.aborted) break;
      await new Promise((resume) => setTimeout(resume, pause));
    }
    const why = fault?.message ?? "";
    return batch.map((row) => ({ row, why }));
  }
}

function rowOf(name: string, change: Change): SiteRow {
  const key = { case: "name" as const, value: name };
  if (change.kind === "label") return create(SiteRowSchema, { key, setLabels: { [change.key]: change.value } });
  return create(SiteRowSchema, { key, site: { status: change.status }, updateMask: { paths: ["status"] } });
}
