// What a token may see and do, and what it may be shown of edits that were begun with another one.
import type { WhoAmIResponse } from "../gen/waymark/v1/admin_service_pb.js";
import { PositionAccess } from "../gen/waymark/v1/location_pb.js";
import { ContactAccess } from "../gen/waymark/v1/token_pb.js";
import { TokenScope } from "../gen/waymark/v1/token_scope_pb.js";

/** Scopes that read sites. */
export const READERS = [TokenScope.ADMIN, TokenScope.EDITOR, TokenScope.VIEWER, TokenScope.SERVICE, TokenScope.FIELD];
/** Scopes that change whatever there is of a site. */
export const WRITERS = [TokenScope.ADMIN, TokenScope.EDITOR, TokenScope.SERVICE];

/** All that makes a difference between what two tokens may see and do. */
export type Rights = Pick<WhoAmIResponse, "scope" | "account" | "contacts" | "positions" | "assigned">;

/** Those of nobody, as before somebody signs in. */
export const NOBODY: Rights = {
  scope: TokenScope.UNSPECIFIED,
  account: "",
  contacts: ContactAccess.UNSPECIFIED,
  positions: PositionAccess.UNSPECIFIED,
  assigned: "",
};

/** `open`: goes on. `readable`: may be read, and not saved. `hidden`: says what this token is not shown, or is of another account. */
export type Standing = "open" | "readable" | "hidden";

export function rightsOf({ scope, account, contacts, positions, assigned }: WhoAmIResponse): Rights {
  return { scope, account, contacts, positions, assigned };
}

export function isSame(one: Rights, other: Rights): boolean {
  return (Object.keys(one) as (keyof Rights)[]).every((key) => one[key] === other[key]);
}

/**
 * How an edit of `site` stands to who has `now`, that was begun by the rights `then`. It holds the record as it was shown then, so
 * who sees less of the site than was seen then is not shown it.
 */
export function standing(then: Rights, now: Rights, site: string): Standing {
  const isOurs = now.account === "" || site.startsWith(`${now.account}/`);
  const seesContacts = now.contacts === ContactAccess.READ || now.contacts === then.contacts;
  const seesPositions = now.positions === PositionAccess.EXACT || now.positions === then.positions;
  const seesSite = now.assigned === "" || now.assigned === then.assigned;
  const sees = READERS.includes(now.scope) && seesContacts && seesPositions && seesSite;
  if (!isOurs || !sees) return "hidden";
  // Who works on site saves some parts of a site alone: those that such a token began.
  const saves = WRITERS.includes(now.scope) || (now.scope === TokenScope.FIELD && then.scope === TokenScope.FIELD);
  return saves ? "open" : "readable";
}
