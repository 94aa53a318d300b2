// How far an import of a file has come, kept in this browser so that it goes on behind a reload. Holds nothing of the file: a
// digest, a random id, and one letter a row.
import { ImportOutcome } from "../gen/waymark/v1/import_service_pb.js";

const KEY_PREFIX = "waymark.import.";
/** Least pause in milliseconds between two writes: each holds a letter for every row. */
const WRITE_PAUSE_MS = 500;
const ID_BYTES = 16;
/** Where the row's number goes into an id, in bytes. */
const ROW_AT = 8;

const LETTERS: [string, ImportOutcome][] = [
  [".", ImportOutcome.UNSPECIFIED],
  ["c", ImportOutcome.CREATED],
  ["u", ImportOutcome.UPDATED],
  ["n", ImportOutcome.UNCHANGED],
  ["r", ImportOutcome.REFUSED],
];

export class Journal {
  #key: string;
  #id: Uint8Array;
  #outcomes: ImportOutcome[];
  #timer: ReturnType<typeof setTimeout> | undefined;

  private constructor(key: string, id: Uint8Array, outcomes: ImportOutcome[]) {
    this.#key = key;
    this.#id = id;
    this.#outcomes = outcomes;
  }

  /** The journal of a file that this browser was interrupted in, or a new one of so many rows. */
  static async open(bytes: ArrayBuffer, parent: string, match: string, rows: number): Promise<Journal> {
    const digest = await digestOf(bytes);
    const key = digest && `${KEY_PREFIX}${parent}.${match}.${digest}`;
    const [id = "", letters = ""] = (key && localStorage.getItem(key)?.split(" ")) || [];
    if (letters.length !== rows || id.length !== 2 * ID_BYTES) return Journal.#empty(key, rows);
    const outcomes = [...letters].map((letter) => LETTERS.find(([known]) => known === letter)?.[1] ?? 0);
    return new Journal(key, Uint8Array.from(id.match(/../g) ?? [], (hex) => parseInt(hex, 16)), outcomes);
  }

  static #empty(key: string, rows: number): Journal {
    const outcomes = new Array<ImportOutcome>(rows).fill(ImportOutcome.UNSPECIFIED);
    return new Journal(key, crypto.getRandomValues(new Uint8Array(ID_BYTES)), outcomes);
  }

  /** What became of a row, from 1; UNSPECIFIED while it is open. */
  of(row: number): ImportOutcome {
    return this.#outcomes[row - 1] ?? ImportOutcome.UNSPECIFIED;
  }

  put(row: number, outcome: ImportOutcome): void {
    this.#outcomes[row - 1] = outcome;
    this.#timer ??= setTimeout(() => this.save(), WRITE_PAUSE_MS);
  }

  /** The id of a row's request: the same for the same row of the same import, so that one done again makes no second site. */
  requestId(row: number): string {
    const bytes = Uint8Array.from(this.#id);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(ROW_AT, view.getBigUint64(ROW_AT) ^ BigInt(row));
    // The marks of a UUID whose bits have a meaning of their own (RFC 9562, version 8).
    view.setUint8(6, (view.getUint8(6) & 0x0f) | 0x80);
    view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80);
    return hexOf(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  }

  /** Writes it down. Without a digest, or without room, the import goes on in this page alone. */
  save(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#key) return;
    const letters = this.#outcomes.map((outcome) => LETTERS.find(([, known]) => known === outcome)?.[0] ?? ".");
    try {
      localStorage.setItem(this.#key, `${hexOf(this.#id)} ${letters.join("")}`);
    } catch {
      this.#key = "";
    }
  }

  /** Forgets it: the import is over, or begins anew. */
  forget(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#key) localStorage.removeItem(this.#key);
    this.#key = "";
  }
}

/** SHA-256 in hexadecimal; empty where the browser has none, as over plain HTTP from another machine. */
async function digestOf(bytes: ArrayBuffer): Promise<string> {
  if (!globalThis.isSecureContext) return "";
  return hexOf(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
