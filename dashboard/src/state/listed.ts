// What stands in the list's place, as parameters of the page's address: the queue, sites without a position, those of a
// symbol. A symbol's id is its cell of the map, and names no site.
import { AttentionReason } from "../gen/waymark/v1/attention_pb.js";
import { ZOOM_MAX } from "../map/view_box.js";
import type { Kind } from "./attention.svelte.js";
import type { Scope } from "./listing.svelte.js";

/** What the address calls the queue, and a list other than of the sites in view. */
const QUEUE = "queue";
const LIST = "list";
const ALL = "all";
const UNPLACED = "unplaced";
/** Sites that stay together, and sites of an area. */
const STACK = "stack";
const AREA = "area";
/** A symbol of several sites: its kind, and the level, column and row of its cell. */
const SYMBOL_ID = /^[acnj](-\d{1,10}){3}$/;

/** Writes what is listed, and the queue where it is open, into the parameters of an address. */
export function storeListed(scope: Scope, queue: Kind | undefined, to: URLSearchParams): void {
  if (queue !== undefined) to.set(QUEUE, nameOf(queue));
  const listed = textOf(scope);
  if (listed) to.set(LIST, listed);
}

/** The queue that an address asks for; absent for none. */
export function queueOf(from: URLSearchParams): Kind | undefined {
  const name = from.get(QUEUE);
  if (!name) return undefined;
  if (name === ALL) return AttentionReason.UNSPECIFIED;
  if (name === "approximate" || name === "offline") return name;
  const reason = (AttentionReason as Record<string, unknown>)[name.toUpperCase()];
  return typeof reason === "number" && reason > 0 ? (reason as AttentionReason) : undefined;
}

/** What an address asks to list: the sites in view, where it says nothing that can be listed. */
export function scopeOf(from: URLSearchParams): Scope {
  const [kind, level, id] = (from.get(LIST) ?? "").split("/");
  if (kind === UNPLACED) return { kind: "unplaced" };
  const zoom = level ? Number(level) : NaN;
  const isSymbol = (kind === STACK || kind === AREA) && Number.isInteger(zoom) && zoom >= 0 && zoom <= ZOOM_MAX;
  if (!isSymbol || !id || !SYMBOL_ID.test(id)) return { kind: "view" };
  return { kind: "symbol", id, zoom, stack: kind === STACK };
}

export function isSameScope(one: Scope, other: Scope): boolean {
  return textOf(one) === textOf(other);
}

/** Whether the address lists something else than what is in view. */
export function saysList(address: URLSearchParams): boolean {
  return address.has(LIST);
}

function nameOf(queue: Kind): string {
  if (typeof queue !== "number") return queue;
  return queue === AttentionReason.UNSPECIFIED ? ALL : AttentionReason[queue].toLowerCase();
}

/** Empty for the sites in view. */
function textOf(scope: Scope): string {
  if (scope.kind === "view") return "";
  if (scope.kind === "unplaced") return UNPLACED;
  return [scope.stack ? STACK : AREA, scope.zoom, scope.id].join("/");
}
