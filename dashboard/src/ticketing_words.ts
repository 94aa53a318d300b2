// Sentences about ticketing systems and links, put together from the strings.
import type { Fault } from "./api/fault.js";
import { ErrorReason } from "./gen/waymark/v1/errors_pb.js";
import type { ExternalAddress } from "./gen/waymark/v1/external_organization_pb.js";
import { type TicketingLink, TicketingLinkState } from "./gen/waymark/v1/ticketing_pb.js";
import type { TicketingFailure } from "./gen/waymark/v1/ticketing_service_pb.js";
import * as strings from "./strings.js";

/** What people call a system. */
export function systemTitle(system: string): string {
  return strings.systemName[system] ?? system;
}

/** The name by which links keep what was typed as a system. */
export function systemKey(typed: string): string {
  const text = typed.trim().toLowerCase();
  const known = Object.entries(strings.systemName).find(([, title]) => title.toLowerCase() === text);
  return known?.[0] ?? text;
}

/** Why a system's links were not checked. */
export function failureWords({ system, reason, message }: TicketingFailure): string {
  return sentence(system, ErrorReason[reason], message);
}

/** Why a call that asks a system did not go. */
export function faultWords(system: string, fault: Fault): string {
  return fault.reason in strings.systemFailure ? sentence(system, fault.reason, fault.message) : fault.message;
}

function sentence(system: string, reason: string | undefined, message: string): string {
  const words = strings.systemFailure[reason as keyof typeof strings.systemFailure];
  return words ? `${systemTitle(system)} ${words}` : message;
}

/** What the last check found, where there is more to say than the state. */
export function foundWords(link: TicketingLink): string {
  const { state, foundOrganizationName } = link;
  if (state === TicketingLinkState.DRIFTED) return driftedWords(link);
  if (state !== TicketingLinkState.BROKEN) return "";
  return foundOrganizationName ? strings.ticketing.siteGone(foundOrganizationName) : strings.ticketing.gone;
}

/** Which of the names are others there, by more than case, width and spaces. */
function driftedWords({ organizationName, foundOrganizationName, externalSiteName, foundSiteName }: TicketingLink): string {
  const words: string[] = [];
  if (isOther(organizationName, foundOrganizationName)) words.push(strings.ticketing.drifted(foundOrganizationName));
  if (isOther(externalSiteName, foundSiteName)) words.push(strings.ticketing.siteDrifted(foundSiteName));
  // The server has the last word on what is the same: where none seems to differ, it is the organisation's.
  return words.join(" ") || strings.ticketing.drifted(foundOrganizationName);
}

/** Whether a stated name is another one than that which was found. */
function isOther(stated: string, found: string): boolean {
  const folded = (name: string): string => name.normalize("NFKC").toLowerCase().split(/\s+/).filter(Boolean).join(" ");
  return stated !== "" && folded(stated) !== folded(found);
}

/** What tells an organisation or a site from others of its name: its address, where one is told, and its id. */
export function whereLine(id: string, address: ExternalAddress | undefined): string {
  return [addressLine(address), strings.ticketing.id(id)].filter(Boolean).join(" · ");
}

/** An address on one line; empty where none is told. */
function addressLine(address: ExternalAddress | undefined): string {
  if (!address) return "";
  const { street, postalCode, city, region, country } = address;
  const town = [postalCode, city].filter(Boolean).join(" ");
  return [street, town, region, country].filter(Boolean).join(", ");
}
