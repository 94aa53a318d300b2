// The sites that are selected in the list or on the map, to be changed or exported together.
import { SvelteMap } from "svelte/reactivity";
import { type Fault, faultOf } from "../api/fault.js";
import type { Row } from "./listing.svelte.js";

/** Most sites that are selected at once: a bulk change of so many takes some minutes. */
const SELECTED_MAX = 10_000;

export class Selection {
  /** By their names. */
  readonly rows = new SvelteMap<string, Row>();
  /** Whether sites are being gathered. */
  gathering = $state(false);
  /** Whether there were more than can be selected. */
  full = $state(false);
  fault = $state.raw<Fault | undefined>();

  #gather = new AbortController();
  /** Where a range begins. */
  #anchor = "";

  has(name: string): boolean {
    return this.rows.has(name);
  }

  toggle(row: Row): void {
    this.#anchor = row.name;
    if (!this.rows.delete(row.name)) this.#add([row]);
  }

  /** Selects from where the last choice was up to a row, both included. */
  extend(rows: Row[], to: number): void {
    const from = rows.findIndex(({ name }) => name === this.#anchor);
    const [low, high] = from < 0 ? [to, to] : [Math.min(from, to), Math.max(from, to)];
    if (from < 0) this.#anchor = rows[to]?.name ?? "";
    this.#add(rows.slice(low, high + 1));
  }

  /** Begins a range at a row, without selecting it. */
  anchor(name: string): void {
    this.#anchor = name;
  }

  /** Selects these alone. */
  only(rows: Row[]): void {
    this.clear();
    this.#add(rows);
  }

  /** Selects all that come, page by page, up to the most. */
  async gather(pages: (signal: AbortSignal) => AsyncIterable<Row[]>): Promise<void> {
    this.#gather.abort();
    const run = new AbortController();
    this.#gather = run;
    [this.gathering, this.fault] = [true, undefined];
    try {
      for await (const rows of pages(run.signal)) {
        if (run.signal.aborted) return;
        this.#add(rows);
        if (this.full) return;
      }
    } catch (error) {
      if (!run.signal.aborted) this.fault = faultOf(error);
    } finally {
      if (this.#gather === run) this.gathering = false;
    }
  }

  clear(): void {
    this.#gather.abort();
    this.gathering = false;
    this.full = false;
    this.fault = undefined;
    this.rows.clear();
  }

  #add(rows: Row[]): void {
    for (const row of rows) {
      if (this.rows.size >= SELECTED_MAX && !this.rows.has(row.name)) {
        this.full = true;
        return;
      }
      this.rows.set(row.name, row);
    }
  }
}
