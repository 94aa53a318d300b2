// An import: a file that is read, looked at by the server without changing anything, then applied; cancelled and resumed.
import type { Api } from "../api/client.js";
import { faultOf } from "../api/fault.js";
import { ImportOutcome } from "../gen/waymark/v1/import_service_pb.js";
import { importing as words } from "../admin_strings.js";
import { kindOf, readSheet, type SheetRow, textOf } from "../sheet/read.js";
import type { Match } from "../sheet/row.js";
import { Journal } from "./journal.js";
import { batchesOf, refusal, resultOf, type RowResult, send } from "./row_batches.js";

/** Largest file in MiB: it is held in memory. */
const FILE_MIB_MAX = 64;
const MIB = 1024 * 1024;
/** Calls at once: a browser has six connections for all that a page does. */
const CALLS_AT_ONCE = 2;
/** Pauses in milliseconds before a call that did not reach the server is made again; the last one repeats. */
const PAUSES_MS = [500, 1_000, 2_000, 5_000];
/** Least pause in milliseconds between two showings of what became of rows: each goes over all of them. */
const SHOW_PAUSE_MS = 250;

export type ImportPhase = "idle" | "reading" | "read" | "checking" | "checked" | "running" | "paused" | "done";
export type Counts = Record<ImportOutcome, number>;

export class Importing {
  phase = $state<ImportPhase>("idle");
  fileName = $state("");
  match = $state<Match>("name");
  /** Why the file, or the whole import, does not go; empty for no fault. */
  message = $state("");
  /** Whether the server cannot be reached just now. */
  waiting = $state(false);
  /** What becomes of each row, as far as it is known, in the file's order. */
  results = $state.raw<RowResult[]>([]);
  /** Rows that this file has. */
  total = $state(0);
  /** Rows that are looked at or imported. */
  finished = $state(0);
  /** Whether an import of this very file was interrupted. */
  interrupted = $state(false);

  readonly counts = $derived(countsOf(this.results));
  /** Whether the import itself has begun: what is shown became of the rows, and is no forecast. */
  readonly isReal = $derived(this.phase === "running" || this.phase === "paused" || this.phase === "done");
  readonly busy = $derived(this.phase === "reading" || this.phase === "checking" || this.phase === "running");

  #api: Api;
  #account: string;
  #onChange: () => void;
  #file: File | undefined;
  #rows: SheetRow[] = [];
  #journal: Journal | undefined;
  #run = new AbortController();
  /** What is known of each row. */
  #all: RowResult[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `onChange` runs when rows were imported. */
  constructor(api: Api, account: string, onChange: () => void) {
    this.#api = api;
    this.#account = account;
    this.#onChange = onChange;
  }

  /** Reads a file and has the server look at it, without changing anything. */
  async take(file: File): Promise<void> {
    this.reset();
    const run = this.#run;
    this.#file = file;
    this.fileName = file.name;
    this.phase = "reading";
    try {
      if (file.size > FILE_MIB_MAX * MIB) throw new Error(words.tooLarge(FILE_MIB_MAX));
      const bytes = await file.arrayBuffer().catch(() => Promise.reject(new Error(words.noFile)));
      const rows = await readSheet(textOf(bytes), kindOf(file.name), this.match, this.#account);
      if (rows.length === 0) throw new Error(words.noRows);
      const journal = await Journal.open(bytes, this.#account, this.match, rows.length);
      if (run.signal.aborted) return;
      [this.#rows, this.#journal, this.total] = [rows, journal, rows.length];
      const done = rows.filter(({ row }) => journal.of(row) !== ImportOutcome.UNSPECIFIED).length;
      this.interrupted = done > 0;
      this.finished = done;
      if (this.interrupted) this.phase = "read";
      else await this.check();
    } catch (error) {
      if (run.signal.aborted) return;
      this.phase = "idle";
      this.message = error instanceof Error ? error.message : words.noFile;
    }
  }

  /** Reads the same file again, by what its rows are found by now. */
  async again(): Promise<void> {
    if (this.#file) await this.take(this.#file);
  }

  /** Has the server say what would become of each row. */
  async check(): Promise<void> {
    await this.#work("checking", "checked", this.#rows, true);
  }

  /** Forgets how far an import has come, and looks at its file as at a new one. */
  async anew(): Promise<void> {
    this.#journal?.forget();
    this.#journal = undefined;
    await this.again();
  }

  /** Imports the rows that are not done; refused ones are tried again. */
  async run(): Promise<void> {
    const journal = this.#journal;
    if (!journal) return;
    const isOpen = ({ row }: SheetRow): boolean =>
      [ImportOutcome.UNSPECIFIED, ImportOutcome.REFUSED].includes(journal.of(row));
    this.interrupted = false;
    await this.#work("running", "done", this.#rows.filter(isOpen), false);
    if (this.phase === "done" && this.counts[ImportOutcome.REFUSED] === 0) journal.forget();
    else journal.save();
  }

  /** Stops behind the calls that are under way. */
  pause(): void {
    this.#run.abort();
    this.#journal?.save();
    this.phase = this.phase === "running" ? "paused" : "idle";
  }

  /** Lets go of the file. */
  reset(): void {
    this.#run.abort();
    this.#run = new AbortController();
    this.#journal?.save();
    [this.#rows, this.#journal, this.#file] = [[], undefined, undefined];
    [this.#all, this.total, this.finished] = [[], 0, 0];
    this.#publish();
    [this.message, this.waiting, this.interrupted, this.phase] = ["", false, false, "idle"];
  }

  async #work(during: ImportPhase, after: ImportPhase, rows: SheetRow[], dry: boolean): Promise<void> {
    this.#run = new AbortController();
    const { signal } = this.#run;
    [this.phase, this.message] = [during, ""];
    this.finished = this.total - rows.length;
    this.#all = this.#rows.map((row) => (dry ? resultOf(row, ImportOutcome.UNSPECIFIED) : this.#former(row)));
    this.#publish();
    const batches = batchesOf(rows);
    try {
      const line = (): Promise<void> => this.#line(batches, dry, signal);
      await Promise.all(Array.from({ length: CALLS_AT_ONCE }, line));
      if (!signal.aborted) this.phase = after;
    } catch (error) {
      if (signal.aborted) return;
      this.#run.abort();
      this.message = faultOf(error).message;
      this.phase = dry ? "idle" : "paused";
    } finally {
      this.#publish();
    }
  }

  /** One line of calls, one after the other, until no rows are left. */
  async #line(batches: Generator<SheetRow[]>, dry: boolean, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { value: batch } = batches.next();
      if (!batch) return;
      // What a call did that was under way when the import was cancelled is still told.
      const results = await this.#patiently(batch, dry, signal);
      if (results && !(dry && signal.aborted)) this.#took(results, dry);
    }
  }

  async #patiently(rows: SheetRow[], dry: boolean, signal: AbortSignal): Promise<RowResult[] | undefined> {
    const refused = rows.filter(({ fault }) => fault).map(refusal);
    const good = rows.filter(({ fault }) => !fault);
    const journal = this.#journal;
    if (!journal || good.length === 0) return refused;
    for (let failures = 0; ; failures += 1) {
      try {
        const results = await send(this.#api, this.#account, good, (row) => journal.requestId(row), dry);
        this.waiting = false;
        return [...refused, ...results];
      } catch (error) {
        if (signal.aborted) return undefined;
        const { kind } = faultOf(error);
        if (kind !== "unreachable" && kind !== "signed-out") throw error;
        this.waiting = true;
        await new Promise((resume) => setTimeout(resume, PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)]));
        if (signal.aborted) return undefined;
      }
    }
  }

  /** Takes up what became of rows. A row that was sent again before its first answer came counts once. */
  #took(results: RowResult[], dry: boolean): void {
    for (const result of results) {
      const at = result.source.row - 1;
      // Of a file that was let go of meanwhile, or is read anew.
      if (this.#rows[at] !== result.source) continue;
      if (this.#all[at]?.outcome === ImportOutcome.UNSPECIFIED) this.finished += 1;
      this.#all[at] = result;
      if (!dry) this.#journal?.put(result.source.row, result.outcome);
    }
    this.#timer ??= setTimeout(() => this.#publish(), SHOW_PAUSE_MS);
    if (!dry) this.#onChange();
  }

  /** Shows what is known by now. */
  #publish(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.results = [...this.#all];
  }

  /** What became of a row before this run; a forecast is nothing that became of it. */
  #former(source: SheetRow): RowResult {
    const outcome = this.#journal?.of(source.row) ?? ImportOutcome.UNSPECIFIED;
    const shown = this.#all[source.row - 1];
    if (outcome === ImportOutcome.REFUSED) return resultOf(source, ImportOutcome.UNSPECIFIED);
    return shown?.outcome === outcome ? shown : resultOf(source, outcome);
  }
}

function countsOf(results: RowResult[]): Counts {
  const counts: Counts = { 0: 0, 1: 0, 2: 0, 3: 0, 4: 0 };
  for (const result of results) counts[result.outcome] += 1;
  return counts;
}
