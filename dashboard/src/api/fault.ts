// What went wrong with a call, as the page deals with it: a kind to act on and a sentence to show.
import { Code, ConnectError } from "@connectrpc/connect";
import * as strings from "../strings.js";

/** What the page does differently. `cancelled` is no fault: a newer question replaced the old one. */
export type FaultKind =
  "cancelled" | "signed-out" | "conflict" | "missing" | "forbidden" | "unreachable" | "invalid" | "other";

export interface Fault {
  kind: FaultKind;
  message: string;
}

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
  const { code, rawMessage } = ConnectError.from(error);
  // A fetch that never reached a server is a TypeError, which Connect reports as "unknown".
  const unreached = error instanceof ConnectError && error.cause instanceof TypeError;
  const kind = unreached ? "unreachable" : (KINDS[code] ?? "other");
  return { kind, message: sentence(kind, rawMessage) };
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
    default:
      return strings.fault.unexpected(message);
  }
}
