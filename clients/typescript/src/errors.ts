// Errors as a program deals with them: what a server answered, the fields at fault, when to ask again, and what to do.
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";
import { adviceOn, isLost } from "./policy.js";

/** The `domain` of the reasons of waymark. */
const DOMAIN = "waymark";
const NANOS_IN_MS = 1_000_000n;
/** Sites that an error names; further ones are counted. */
const NAMED_MAX = 5;

/** A field of a request that the server does not take. */
export interface Violation {
  /** Its path in the request, such as `site.display_name`. */
  field: string;
  /** What it takes. */
  description: string;
}

/** Why a call has no answer: the server refused it, or was not heard. */
export class WaymarkError extends Error {
  override readonly name = "WaymarkError";
  /** The code of gRPC. */
  readonly code: Code;
  /** Its name as gRPC writes it, such as `NOT_FOUND`. */
  readonly codeName: string;
  /** The reason, such as `SITE_NAME_TAKEN`: one of `ErrorReason` without its prefix; empty for none. */
  readonly reason: string;
  /** The fields at fault, and what each of them takes. */
  readonly violations: readonly Violation[];
  /** The name of the resource that is not there, or there already; empty where none is named. */
  readonly resource: string;
  /** Milliseconds before which the server does not want to be asked again; undefined where it does not say. */
  readonly retryAfterMs: number | undefined;
  /** Whether it came from no server of waymark: the connection broke, or something on the way did. The call may be done. */
  readonly isLost: boolean;
  /** What to do, as a word: look, operator, later, read_again, correct, sign_in, permission, missing, taken, change_first, report. */
  readonly advice: string;
  /** The same as a sentence. */
  readonly whatToDo: string;

  private constructor(cause: ConnectError) {
    super(cause.rawMessage, { cause });
    const told = detailsOf(cause);
    this.code = cause.code;
    this.codeName = nameOf(cause.code);
    this.reason = told.reason;
    this.violations = told.violations;
    this.resource = told.resource;
    this.retryAfterMs = told.retryAfterMs;
    this.isLost = !told.reason && isLost(this.codeName);
    const advised = adviceOn(this.codeName, this.reason, this.isLost);
    this.advice = advised.advice;
    this.whatToDo = advised.text;
  }

  /** The error behind whatever a call threw. */
  static from(cause: unknown): WaymarkError {
    return cause instanceof WaymarkError ? cause : new WaymarkError(ConnectError.from(cause));
  }

  /** The error of a connection that was given up on this side. */
  static lost(message: string): WaymarkError {
    return new WaymarkError(new ConnectError(message, Code.Unavailable));
  }

  /** The error of a list that lacks sites because their records are damaged: STORAGE_CORRUPT, as for one of them by its name. */
  static leftOut(names: readonly string[]): WaymarkError {
    const named = names.slice(0, NAMED_MAX).join(", ") + (names.length > NAMED_MAX ? " and others" : "");
    const message = `${names.length} sites are left out, because their records are damaged: ${named}`;
    const cause = new ConnectError(message, Code.DataLoss);
    const info = new BinaryWriter().tag(1, WireType.LengthDelimited).string("STORAGE_CORRUPT");
    cause.details = [{ type: "google.rpc.ErrorInfo", value: info.tag(2, WireType.LengthDelimited).string(DOMAIN).finish() }];
    return new WaymarkError(cause);
  }

  /** The name of the code that the rules for repeats go by: a loss counts as UNAVAILABLE, whatever a library made of it. */
  get countedAs(): string {
    return this.isLost ? "UNAVAILABLE" : this.codeName;
  }
}

/** Connect spells codes in its own way. */
function nameOf(code: Code): string {
  if (code === Code.Canceled) return "CANCELLED";
  return Code[code].replaceAll(/([a-z])([A-Z])/g, "$1_$2").toUpperCase();
}

interface Told {
  reason: string;
  violations: Violation[];
  resource: string;
  retryAfterMs: number | undefined;
}

/** What the details of an error say: google.rpc.ErrorInfo and its like, of which there is no generated code. */
function detailsOf(error: ConnectError): Told {
  const told: Told = { reason: "", violations: [], resource: "", retryAfterMs: undefined };
  for (const detail of error.details) {
    if (!("type" in detail)) continue;
    try {
      take(told, detail.type, detail.value);
    } catch {
      // What cannot be read says nothing more than the code does.
    }
  }
  return told;
}

function take(told: Told, type: string, value: Uint8Array): void {
  const fields = [...fieldsOf(value)];
  switch (type) {
    case "google.rpc.ErrorInfo":
      if (text(fields, 2) === DOMAIN) told.reason = text(fields, 1);
      break;
    case "google.rpc.BadRequest":
      for (const [, violation] of fields.filter(([number]) => number === 1)) {
        const parts = [...fieldsOf(violation as Uint8Array)];
        told.violations.push({ field: text(parts, 1), description: text(parts, 2) });
      }
      break;
    case "google.rpc.ResourceInfo":
      told.resource = text(fields, 2);
      break;
    case "google.rpc.RetryInfo":
      for (const [, delay] of fields.filter(([number]) => number === 1)) {
        const parts = [...fieldsOf(delay as Uint8Array)];
        told.retryAfterMs = Number(number(parts, 1) * 1000n + number(parts, 2) / NANOS_IN_MS);
      }
      break;
  }
}

type Field = [number: number, value: Uint8Array | bigint];

/** The fields of a message by their numbers: texts and messages as bytes, numbers as they are. */
function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    if (wire === WireType.LengthDelimited) yield [number, reader.bytes()];
    else if (wire === WireType.Varint) yield [number, BigInt(reader.int64())];
    else reader.skip(wire, number);
  }
}

function text(fields: Field[], wanted: number): string {
  const value = fields.findLast(([number]) => number === wanted)?.[1];
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : "";
}

function number(fields: Field[], wanted: number): bigint {
  const value = fields.findLast(([number]) => number === wanted)?.[1];
  return typeof value === "bigint" ? value : 0n;
}
