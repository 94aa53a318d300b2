// What went wrong with a call, as the page deals with it: a kind to act on and a sentence to show.
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";
import * as strings from "../strings.js";

/** What the page does differently. `cancelled` is no fault: a newer question replaced the old one. */
export type FaultKind =
  "cancelled" | "signed-out" | "conflict" | "missing" | "forbidden" | "unreachable" | "invalid" | "other";

export interface Fault {
  kind: FaultKind;
  message: string;
  /** The server's reason, such as `TICKETING_DENIED`; empty where it told none. */
  reason: string;
}

/** Reasons by which the server says that a call did nothing. */
const IDLE_REASONS = ["NOT_READY", "RATE_LIMITED", "NETWORK_RATE_LIMITED", "SERVER_BUSY"];
/** Kinds of faults that are found before anything is done. */
const IDLE_KINDS: FaultKind[] = ["signed-out", "forbidden", "invalid", "missing"];

/** The detail of an error that holds its reason, as the first field. */
const ERROR_INFO = "google.rpc.ErrorInfo";
const REASON_FIELD = 1;

/** What the server says of a value begins with the path of its field. */
const FIELD_FIRST = /^([a-z_]+(?:\[\d+\])?(?:\.[a-z_]+(?:\[\d+\])?)*): (.+)$/s;

const KINDS: Partial<Record<Code, FaultKind>> = {
  [Code.Canceled]: "cancelled",
  [Code.Unauthenticated]: "signed-out",
  [Code.Aborted]: "conflict",
  [Code.NotFound]: "missing",
  [Code.PermissionDenied]: "forbidden",
  [Code.Unavailable]: "unreachable",
  [Code.DeadlineExceeded]: "unreachable",
  [Code.InvalidArgument]: "invalid",
};

/** The fault behind whatever a call threw. */
export function faultOf(error: unknown): Fault {
  const { code, rawMessage, details } = ConnectError.from(error);
  // A fetch that never reached a server is a TypeError, which Connect reports as "unknown".
  const unreached = error instanceof ConnectError && error.cause instanceof TypeError;
  const kind = unreached ? "unreachable" : (KINDS[code] ?? "other");
  return { kind, message: sentence(kind, rawMessage), reason: reasonIn(details) };
}

/** The fault of a field that a server would refuse, found before one is asked; told as a server's word on it is. */
export function refusedField(path: string, why: string): Fault {
  return { kind: "invalid", message: sentence("invalid", `${path}: ${why}`), reason: "FIELD_INVALID" };
}

/** Whether a call that failed so may have done what it was to do, or a part of it: its answer may have been lost behind the deed. */
export function mayHaveActed({ kind, reason }: Fault): boolean {
  return !IDLE_KINDS.includes(kind) && !IDLE_REASONS.includes(reason);
}

/** The reason among the details of an error. */
function reasonIn(details: ConnectError["details"]): string {
  for (const detail of details) {
    if (!("type" in detail) || detail.type !== ERROR_INFO) continue;
    const reader = new BinaryReader(detail.value);
    while (reader.pos < reader.len) {
      const [field, wire] = reader.tag();
      if (field === REASON_FIELD) return reader.string();
      reader.skip(wire);
    }
  }
  return "";
}

function sentence(kind: FaultKind, message: string): string {
  switch (kind) {
    case "signed-out":
      return strings.login.rejected;
    case "unreachable":
      return strings.fault.offline;
    case "forbidden":
      return strings.fault.forbidden;
    case "missing":
      return strings.fault.notFound;
    case "invalid":
      return strings.fault.invalid(inWords(message));
    default:
      return strings.fault.unexpected(inWords(message));
  }
}

/** A message of the server, with the field that it begins with called as people know it. */
function inWords(message: string): string {
  const [, path, told] = FIELD_FIRST.exec(message) ?? [];
  // A phone's own row takes its message apart: see refusedPhone.
  if (!path || !told || path.includes("contact.phones[")) return message;
  const known = path.replace(/^site\./, "").replaceAll(/\[\d+\]/g, "");
  const last = known.slice(known.lastIndexOf(".") + 1);
  const label = strings.historyField[known] ?? strings.faultField[last] ?? last.replaceAll("_", " ");
  const number = /\[(\d+)\]/.exec(path)?.[1];
  return strings.fault.ofField(label, number === undefined ? undefined : Number(number) + 1, told);
}
