// One change of many sites: in calls of many rows, with progress, and a report of those that were not changed, and of those of
// which nobody knows: an answer that is lost says nothing of what was done.
//
// A row says what a site shall be, not what to do to it: one that is sent again finds its site as it wants it, and changes
// nothing. So a call is repeated without a request id, which only keeps a row from making a second site.
import { create } from "@bufbuild/protobuf";
import type { Api } from "../api/client.js";
import { accountId } from "../api/names.js";
import { type Fault, faultOf, mayHaveActed } from "../api/fault.js";
import { ImportOutcome, type SiteRow, SiteRowSchema } from "../gen/waymark/v1/import_service_pb.js";
import type { SiteStatus } from "../gen/waymark/v1/site_pb.js";
import { FORMS } from "../sheet/write.js";
import * as strings from "../strings.js";
import { save } from "./exporting.svelte.js";
import type { Row } from "./listing.svelte.js";

/** Sites of a call: as many as the server takes. */
const CALL_SITES = 100;
/** Pauses in milliseconds before a call that had no answer is made again. */
const PAUSES_MS = [500, 1_000, 2_000, 4_000];

export type Change = { kind: "status"; status: SiteStatus } | { kind: "label"; key: string; value: string };

/** A site that was not changed, and why. */
export interface Failure {
  row: Row;
  why: string;
}

/** What a call left behind. */
interface Left {
  failures: Failure[];
  /** Sites that may have been dealt with, or not. */
  unknown: Row[];
  /** What went wrong; empty for an answer that did not come. */
  why: string;
  /** Whether the server is away: what follows would not reach it either. */
  isAway: boolean;
}

type Call = (batch: Row[], signal: AbortSignal) => Promise<Failure[]>;

export class Bulk {
  busy = $state(false);
  /** Whether it ends behind the call that is on its way: what that one does is not taken back by leaving it. */
  stopping = $state(false);
  /** Sites that are dealt with, failed ones included, of all. */
  done = $state(0);
  all = $state(0);
  failures = $state.raw<Failure[]>([]);
  /** Sites that may have been changed, or not: the answer to their call was lost. */
  unknown = $state.raw<Row[]>([]);
  /** What went wrong there; empty for no more than that. */
  unknownWhy = $state("");
  /** Whether the last run was a change: else sites were read. */
  writes = $state(false);
  /** What the last run came to; empty for none. */
  message = $state("");

  #api: Api;
  #account: string;
  #onChange: () => void;
  #run = new AbortController();
  #last: Change | undefined;

  /** `onChange` runs when sites were changed. */
  constructor(api: Api, account: string, onChange: () => void) {
    this.#api = api;
    this.#account = account;
    this.#onChange = onChange;
  }

  /** Makes a change to all of these sites. */
  async change(rows: Row[], change: Change): Promise<void> {
    this.#last = change;
    await this.#inCalls(rows, async (batch, signal) => {
      const request = { parent: this.#account, rows: batch.map(({ name }) => rowOf(name, change)) };
      const { results } = await this.#api.imports.importSites(request, { signal });
      return batch.flatMap((row, at) => {
        const result = results[at];
        const isDone = result !== undefined && result.outcome !== ImportOutcome.REFUSED;
        return isDone ? [] : [{ row, why: result?.message ?? "" }];
      });
    }, true);
    this.#onChange();
  }

  /** Makes the last change once more, to those of which nobody knows: what is done already stays as it is. */
  async repeat(): Promise<void> {
    if (this.#last) await this.change(this.unknown, this.#last);
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
    }, false);
    if (this.done < this.all || parts.length === 0) {
      this.message = strings.bulk.notExported;
      return;
    }
    save(new Blob([before, parts.join(between), behind], { type: "text/csv" }), `${accountId(this.#account)}-selection.csv`);
    this.message = strings.bulk.exported(String(parts.length));
  }

  stop(): void {
    this.stopping = true;
  }

  /** Forgets the last run. */
  forget(): void {
    this.#run.abort();
    [this.failures, this.unknown, this.message] = [[], [], ""];
  }

  async #inCalls(rows: Row[], call: Call, writes: boolean): Promise<void> {
    if (this.busy) return;
    this.#run = new AbortController();
    const { signal } = this.#run;
    [this.busy, this.stopping, this.done, this.all, this.message] = [true, false, 0, rows.length, ""];
    this.writes = writes;
    [this.failures, this.unknown] = [[], []];
    for (let at = 0; at < rows.length && !this.stopping && !signal.aborted; at += CALL_SITES) {
      const batch = rows.slice(at, at + CALL_SITES);
      const { failures, unknown, why, isAway } = await this.#patiently(batch, call, writes, signal);
      if (signal.aborted) break;
      this.failures = [...this.failures, ...failures];
      this.unknown = [...this.unknown, ...unknown];
      if (unknown.length > 0) this.unknownWhy = why;
      this.done += batch.length;
      if (isAway) break;
    }
    const changed = this.done - this.failures.length - this.unknown.length;
    const left = this.all - changed - this.unknown.length;
    this.message = this.done < this.all
      ? strings.bulk.stopped(String(changed), String(left))
      : strings.bulk.done(String(changed));
    this.busy = false;
  }

  /** One call, again while it has no answer; what fails it for good is why none of its sites was changed, as far as that is sure. */
  async #patiently(batch: Row[], call: Call, writes: boolean, signal: AbortSignal): Promise<Left> {
    let fault: Fault | undefined;
    let isUnknown = false;
    for (const pause of [...PAUSES_MS, 0]) {
      try {
        return { failures: await call(batch, signal), unknown: [], why: "", isAway: false };
      } catch (error) {
        fault = faultOf(error);
      }
      // One of several that may have done it is enough: a later one that did nothing takes nothing back.
      isUnknown ||= writes && mayHaveActed(fault);
      if (fault.kind !== "unreachable" || this.stopping || signal.aborted) break;
      await new Promise((resume) => setTimeout(resume, pause));
    }
    const isAway = fault?.kind === "unreachable";
    const why = fault?.message ?? "";
    if (isUnknown) return { failures: [], unknown: batch, why: isAway ? "" : why, isAway };
    return { failures: batch.map((row) => ({ row, why })), unknown: [], why, isAway };
  }
}

function rowOf(name: string, change: Change): SiteRow {
  const key = { case: "name" as const, value: name };
  if (change.kind === "label") return create(SiteRowSchema, { key, setLabels: { [change.key]: change.value } });
  return create(SiteRowSchema, { key, site: { status: change.status }, updateMask: { paths: ["status"] } });
}
