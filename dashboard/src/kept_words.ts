// What edits that were put aside say, as a text that people take elsewhere.
import { siteId } from "./api/names.js";
import { position } from "./format.js";
import type { SiteStatus } from "./gen/waymark/v1/site_pb.js";
import type { Position } from "./position.js";
import type { KeptEdit } from "./state/drafts.svelte.js";
import * as strings from "./strings.js";

/** Site by site, by its name where that is known, each field on a line of its own. */
export function keptText(edits: KeptEdit[]): string {
  const sites = new Map(edits.map(({ site, name }) => [site, name || strings.kept.site(siteId(site))]));
  const linesOf = ({ part, typed }: KeptEdit) => typed.map(([field, value]) => `${labelOf(part, field)}: ${valueOf(field, value)}`);
  const ofSite = (site: string) => edits.filter((edit) => edit.site === site).flatMap(linesOf);
  return [...sites].map(([site, title]) => [title, ...ofSite(site)].join("\n")).join("\n\n");
}

function labelOf(part: string, field: string): string {
  if (part === "labels") return strings.history.label(field);
  const path = field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const known = [path, `contact.${path}`, `resident_access.${path}`].map((path) => strings.historyField[path]);
  return known.find((label) => label !== undefined) ?? strings.kept.field[field] ?? field;
}

function valueOf(field: string, value: unknown): string {
  if (value === undefined || value === null || value === "") return strings.conflict.empty;
  if (field === "status") return strings.status[value as SiteStatus];
  if (field === "pin") return position(value as Position);
  return typeof value === "string" ? value : JSON.stringify(value);
}
