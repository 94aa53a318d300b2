// Part of a site while it is edited: what is typed outlives faults, and what others wrote is never overwritten unseen.
import type { Fault } from "../api/fault.js";
import { type Clash, merge, type Parts } from "./merge.js";

/** Saves that follow one another because others write all the time, before a person is asked. */
const TRIES_MAX = 3;

/** The record as it is now; `value` may be left out where nothing is merged. */
export interface Present<T> {
  value?: T;
  etag: string;
}

export class Draft<T> {
  /** What is typed; absent while nothing is edited. */
  value = $state<T | undefined>();
  busy = $state(false);
  /** Why the last save did not go; empty for no fault. */
  message = $state("");
  /** What others changed meanwhile to something else than is typed, and nobody has chosen from yet. */
  clashes = $state.raw<Clash[]>([]);
  /** Parts that follow what others wrote meanwhile, since nothing was typed there. */
  followed = $state.raw<string[]>([]);

  /** The record that what is typed is compared with. */
  #base: T | undefined;
  /** Its version. */
  #etag = "";
  #parts: Parts<T> | undefined;

  /** Without `parts` what others wrote is shown and not merged. */
  constructor(parts?: Parts<T>) {
    this.#parts = parts;
  }

  /** The record that a save is compared with. */
  get base(): T | undefined {
    return this.#base;
  }

  /** Whether something is typed that is not saved. */
  get isDirty(): boolean {
    return this.value !== undefined && JSON.stringify(this.value) !== JSON.stringify(this.#base);
  }

  /** What is typed, by the part, as far as it is not as the record is; of a part that was taken away, nothing. */
  get edits(): [string, unknown][] {
    const [mine, base] = [this.value, this.#base];
    if (mine === undefined || base === undefined) return [];
    const of = this.#parts?.of ?? ((value: T) => new Map(Object.entries(value as object)));
    const [typed, was] = [of(mine), of(base)];
    const differs = (key: string): boolean => JSON.stringify(typed.get(key)) !== JSON.stringify(was.get(key));
    return [...new Set([...was.keys(), ...typed.keys()])].filter(differs).map((key) => [key, typed.get(key)]);
  }

  begin(value: T, etag: string): void {
    this.value = value;
    this.#base = structuredClone(value);
    this.#etag = etag;
    this.message = "";
    this.clashes = [];
    this.followed = [];
  }

  end(): void {
    this.value = undefined;
    this.clashes = [];
    this.followed = [];
  }

  /** Takes in what others wrote: untouched parts follow it, and touched ones become a choice. */
  rebase({ value: theirs, etag }: Present<T>): void {
    const [mine, base, parts] = [this.value, this.#base, this.#parts];
    if (mine === undefined || base === undefined || theirs === undefined || !parts || etag === this.#etag) return;
    const { followed, clashes } = merge(parts, base, mine, theirs, this.clashes);
    for (const { key, theirs } of followed) parts.set(mine, key, structuredClone(theirs));
    this.followed = [...new Set([...this.followed, ...followed.map(({ key }) => key)])];
    this.clashes = clashes;
    this.#base = structuredClone(theirs);
    this.#etag = etag;
  }

  /** Settles a clash: what is typed stays, or gives way to what others wrote. */
  choose(clash: Clash, side: "mine" | "theirs"): void {
    if (this.value !== undefined && side === "theirs") this.#parts?.set(this.value, clash.key, structuredClone(clash.theirs));
    this.clashes = this.clashes.filter(({ key }) => key !== clash.key);
    if (this.clashes.length === 0) this.message = "";
  }

  /**
   * Saves by `call` over the version that was begun with, or that was merged since; says whether it went. What others wrote
   * elsewhere keeps nothing from being saved; what they wrote in the same part is a choice first. A draft without parts
   * is saved over what is shown after a conflict, and over nothing else: any other fault says nothing of what others wrote.
   */
  async save(
    call: (etag: string) => Promise<Fault | undefined>,
    present: () => Present<T> | undefined,
    conflict: string,
  ): Promise<boolean> {
    if (this.#mustChoose(conflict)) return false;
    this.busy = true;
    this.message = "";
    let fault = await call(this.#etag);
    for (let tries = 1; fault?.kind === "conflict"; tries += 1) {
      const now = present();
      if (now && this.#parts) this.rebase(now);
      else if (now) this.#etag = now.etag;
      if (!this.#parts || this.clashes.length > 0 || tries === TRIES_MAX) break;
      fault = await call(this.#etag);
    }
    this.busy = false;
    if (!fault) {
      this.end();
      return true;
    }
    this.message = fault.kind === "conflict" ? conflict : fault.message;
    return false;
  }

  #mustChoose(conflict: string): boolean {
    if (this.clashes.length > 0) this.message = conflict;
    return this.clashes.length > 0;
  }
}
