// What an entry of a history says, as people read it: who, which field, and what was there.
import { count, position, time } from "./format.js";
import type { ChangeActor, PastValue } from "./gen/waymark/v1/history_pb.js";
import { phoneText } from "./state/phones.js";
import * as strings from "./strings.js";

/** Who made a change. */
export function actor(of: ChangeActor | undefined): string {
  const { case: kind, value } = of?.kind ?? {};
  if (kind === "agentId") return strings.history.agent(value as string);
  if (kind !== "token") return strings.history.system;
  return of?.displayName || strings.history.token((value as string).split("/").at(-1) ?? "");
}

/** The name of a field, from its path. */
export function field(path: string): string {
  const plain = strings.historyField[path];
  if (plain) return plain;
  const dot = path.indexOf(".");
  const [group, key] = [path.slice(0, dot), path.slice(dot + 1)];
  const parts = key.split("/").map((part) => part.replaceAll("%2F", "/").replaceAll("%25", "%"));
  if (group === "labels") return strings.history.label(key);
  if (group === "ticketing_links") return strings.history.link(parts.filter(Boolean).join(", "));
  return group === "attention" ? strings.history.attention : path;
}

/** A value, on a line or several; a sign for none. */
export function value(past: PastValue | undefined): string {
  const kind = past?.kind;
  switch (kind?.case) {
    case "text":
      return past?.shortened ? `${kind.value}… (${strings.history.bytes(count(past.textBytes))})` : kind.value;
    case "status":
      return strings.status[kind.value];
    case "phones":
      return kind.value.phones.map((phone) => phoneText(phone, strings.site.extension)).join(", ");
    case "ticketingLinks":
      return kind.value.links.map((link) => link.organizationName || link.organizationId).join(", ");
    case "fix":
      return kind.value.position ? position(kind.value.position) : strings.history.notKept;
    case "source":
      return strings.source[kind.value];
    case "noEstimateReason":
      return strings.noEstimate[kind.value];
    case "address":
      return [kind.value.formatted || kind.value.typed, strings.addressState[kind.value.state]].filter(Boolean).join(", ");
    case "replacement":
      return kind.value.agentId;
    case "time":
      return time(kind.value);
    default:
      return strings.site.none;
  }
}
