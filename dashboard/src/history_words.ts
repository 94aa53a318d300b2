// What an entry of a history says, as people read it: who, which field, and what was there.
import { identityWords, makerWords } from "./fix_words.js";
import { count, distance, position, time } from "./format.js";
import { ChangeCause, type ChangeActor, type FieldEdit, type PastValue, type SiteChange } from "./gen/waymark/v1/history_pb.js";
import type { Fix } from "./gen/waymark/v1/location_pb.js";
import type { Device } from "./gen/waymark/v1/resident_access_pb.js";
import type { TicketingLink } from "./gen/waymark/v1/ticketing_pb.js";
import { phoneText } from "./state/phones.js";
import * as strings from "./strings.js";
import { systemTitle } from "./ticketing_words.js";

/** Who made a change. */
export function actor(of: ChangeActor | undefined): string {
  const { case: kind, value } = of?.kind ?? {};
  if (kind === "agentId") return strings.history.agent(value as string);
  if (kind === "identity") return identityWords(value as string);
  if (kind !== "token") return strings.history.system;
  return of?.displayName || strings.history.token((value as string).split("/").at(-1) ?? "");
}

/** Why a change was made, and of what: the change before which a value was, or the run that estimated again. */
export function cause(change: SiteChange): string {
  const words = strings.changeCause[change.cause];
  if (change.cause === ChangeCause.RESTORED) return strings.history.ofChange(words, last(change.restoredChange));
  if (change.cause === ChangeCause.REESTIMATED) return strings.history.ofRun(words, last(change.reestimation));
  return words;
}

/** Which change it is, by its number, by which later ones name it. */
export function number(change: SiteChange): string {
  return strings.history.number(last(change.name));
}

/** The last part of a resource name. */
function last(name: string): string {
  return name.split("/").at(-1) ?? "";
}

/** When a change was made; of several in one, how many and since when. */
export function when(change: SiteChange): string {
  const made = change.makeTime ? time(change.makeTime) : "";
  if (!change.firstMakeTime) return made;
  return strings.history.merged(count(change.mergedChanges), time(change.firstMakeTime), made);
}

/** The name of a field, from its path. */
export function field(path: string): string {
  const plain = strings.historyField[path];
  if (plain) return plain;
  const dot = path.indexOf(".");
  const [group, key] = [path.slice(0, dot), path.slice(dot + 1)];
  const parts = key.split("/").map((part) => part.replaceAll("%2F", "/").replaceAll("%25", "%"));
  if (group === "labels") return strings.history.label(key);
  if (group === "ticketing_links") {
    const [system = "", ...ids] = parts;
    return strings.history.link([systemTitle(system), ...ids].filter(Boolean).join(", "));
  }
  if (group === "devices") return strings.history.device(key);
  if (group === "resident_access") return strings.history.permission(key.slice(key.indexOf(".") + 1));
  return group === "attention" ? strings.history.attention : path;
}

/** What was there and what is there since: in as few words as tell them apart. */
export function values({ oldValue, newValue }: FieldEdit): [string, string] {
  const pairs = [value, stated].map((words): [string, string] => [words(oldValue), words(newValue)]);
  return pairs.find(([before, after]) => before !== after) ?? [detailed(oldValue), detailed(newValue)];
}

/** A value with its state, which is all that a check changes. */
function stated(past: PastValue | undefined): string {
  const kind = past?.kind;
  if (kind?.case !== "ticketingLinks") return value(past);
  return kind.value.links.map((link) => joined(farEnd(link), strings.linkState[link.state])).join("; ");
}

/** Whom a link names, by name where it has one. */
function farEnd({ organizationName, organizationId, externalSiteName }: TicketingLink): string {
  return joined(organizationName || organizationId, externalSiteName);
}

/** A value with what its short text leaves out. */
function detailed(past: PastValue | undefined): string {
  const kind = past?.kind;
  switch (kind?.case) {
    case "phones":
      return kind.value.phones.map((phone) => joined(phone.number, strings.phoneKind[phone.kind])).join("; ");
    case "ticketingLinks":
      return kind.value.links
        .map((link) => joined(link.organizationName, link.organizationId, link.externalSiteName, link.uri))
        .join("; ");
    case "fix":
      return joined(value(past), ...evidence(kind.value));
    case "address":
      return joined(value(past), kind.value.typed, kind.value.evidence?.provider);
    case "replacement":
      return joined(kind.value.agentId, kind.value.expireTime && strings.history.until(time(kind.value.expireTime)));
    default:
      return value(past);
  }
}

/** How exact a fix is, what it rests on, and whose word it is. */
function evidence({ accuracyM, granularity, evidence, maker, makeTime }: Fix): (string | undefined)[] {
  const accuracy = accuracyM === undefined ? strings.history.noAccuracy : strings.site.within(distance(accuracyM));
  const made = [strings.granularity[granularity], accuracy];
  if (evidence.case === "database") made.push(evidence.value.databaseType);
  if (evidence.case === "prefix") made.push(evidence.value.network);
  if (evidence.case === "geocoded") made.push(evidence.value.provider, evidence.value.formattedAddress);
  return [...made, makerWords(maker, new Map()), makeTime && time(makeTime)];
}

/** A device, by name where it has one, and what can be done with it. */
function deviceWords({ id, displayName, kind, canPower, canBlock }: Device): string {
  return joined(displayName || id, kind, canPower ? strings.history.canPower : "", canBlock ? strings.history.canBlock : "");
}

function joined(...parts: (string | undefined)[]): string {
  return parts.filter(Boolean).join(", ");
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
      return kind.value.links.map(farEnd).join("; ");
    case "fix":
      return kind.value.position ? position(kind.value.position) : strings.history.notKept;
    case "source":
      return strings.filter.source[kind.value];
    case "noEstimateReason":
      return strings.noEstimate[kind.value];
    case "address":
      return [kind.value.formatted || kind.value.typed, strings.addressState[kind.value.state]].filter(Boolean).join(", ");
    case "replacement":
      return kind.value.agentId;
    case "time":
      return time(kind.value);
    case "device":
      return deviceWords(kind.value);
    default:
      return strings.site.none;
  }
}
