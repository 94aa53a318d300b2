// One row of a sheet, cell by cell, as what the server takes. Says of what it cannot read which column is at fault.
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { importing as words } from "../admin_strings.js";
import { type SiteRow, SiteRowSchema } from "../gen/waymark/v1/import_service_pb.js";
import { PhoneKind, SiteStatus } from "../gen/waymark/v1/site_pb.js";
import type { TicketingLinkSchema } from "../gen/waymark/v1/ticketing_pb.js";
import { isInfo, isList, labelKey } from "./columns.js";
import { phoneKind, type PhoneInit, phonesIn } from "./phones.js";

/** Longest text of a cell in characters: no field takes more. */
const TEXT_CHARS_MAX = 64 * 1024;
/** Longest list in a cell in characters: all labels or links that a site may have, as JSON. */
const LIST_CHARS_MAX = 256 * 1024;
/** Longest row as a message, in bytes: half of what the server takes in a call. */
export const ROW_BYTES_MAX = 512 * 1024;

/** By what a row's site is found: its name, `site_id` or `agent_id`. */
export type Match = "name" | "site_id" | "agent_id";

/** What a cell or a property gives: `null` clears, a text is not empty. */
export type Given = string | null | object;

/** What is wrong with a row. */
export class RowFault extends Error {
  /** The column at fault; empty for the row as a whole. */
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

type LinkInit = MessageInitShape<typeof TicketingLinkSchema>;

/** Texts that are set as they are: where in a site, and the path in the mask. */
const TEXTS: Record<string, [field: string, path: string]> = {
  email: ["email", "contact.email"],
  first_name: ["firstName", "contact.first_name"],
  last_name: ["lastName", "contact.last_name"],
  customer_id: ["customerId", "customer_id"],
  contract_id: ["contractId", "contract_id"],
  note: ["note", "note"],
};
const LIST_PATHS: Record<string, string> = {
  phones: "contact.phones",
  labels: "labels",
  ticketing_links: "ticketing_links",
};
const PARTS: Record<string, string> = {
  street: "street",
  postal_code: "postalCode",
  locality: "locality",
  region: "region",
  country: "countryCode",
};
const LINK_FIELDS: Record<string, keyof LinkInit> = {
  system: "system",
  organization_id: "organizationId",
  organization_name: "organizationName",
  external_site_id: "externalSiteId",
  external_site_name: "externalSiteName",
  uri: "uri",
};

/** A row that is being read. */
export class RowReading {
  #texts: Record<string, string> = {};
  #paths = new Set<string>();
  #status: SiteStatus | undefined;
  #phones: PhoneInit[] = [];
  #addPhones: PhoneInit[] = [];
  #labels: Record<string, string> = {};
  #setLabels: Record<string, string> = {};
  #links: LinkInit[] = [];
  #parts: Record<string, string> = {};
  #keys: Record<string, string> = {};
  #degrees: { lat?: number | null; lng?: number | null } = {};
  #clearAddress = false;

  /** Takes what stands in a column. */
  put(column: string, given: Given): void {
    if (isInfo(column)) return;
    if (given === null) return this.#clear(column);
    if (typeof given === "object") {
      if (!isList(column)) throw new RowFault(column, words.noText);
      return this.#putList(column, given);
    }
    const most = isList(column) ? LIST_CHARS_MAX : TEXT_CHARS_MAX;
    if (given.length > most) throw new RowFault(column, words.tooLong(most));
    this.#putText(column, given);
  }

  /** Takes a position. */
  putPosition(lat: number, lng: number): void {
    this.#degrees = { lat, lng };
  }

  /** The row, whose site is found in `parent` by `match`. */
  finish(match: Match, parent: string): SiteRow {
    const { name = "", site_id: siteId = "", agent_id: agentId = "", address = "" } = this.#keys;
    if (match === "agent_id" && !agentId) throw new RowFault("agent_id", words.empty);
    const isNamed = match === "site_id" && siteId !== "";
    if (match !== "agent_id" && !isNamed && !name) throw new RowFault("name", words.nameEmpty);
    const isInParts = Object.keys(this.#parts).length > 0;
    if (address && isInParts) throw new RowFault("address", words.addressTwice);
    const { lat, lng } = this.#degrees;
    if (typeof lat !== typeof lng && (typeof lat === "number" || typeof lng === "number"))
      throw new RowFault("lat", words.halfPosition);
    const { email = "", firstName = "", lastName = "", customerId = "", contractId = "", note = "" } = this.#texts;
    const row = create(SiteRowSchema, {
      ...(match === "agent_id" && { key: { case: "agentId", value: agentId } }),
      ...(isNamed && { key: { case: "name", value: `${parent}/sites/${siteOf(siteId, parent)}` } }),
      site: {
        displayName: name,
        ...(this.#status !== undefined && { status: this.#status }),
        contact: { email, firstName, lastName, phones: this.#phones },
        customerId,
        contractId,
        note,
        labels: this.#labels,
        ticketingLinks: this.#links,
      },
      updateMask: { paths: [...this.#paths] },
      setLabels: this.#setLabels,
      addPhones: this.#addPhones,
      ...(typeof lat === "number" && typeof lng === "number" && { position: { lat, lng } }),
      clearPosition: lat === null || lng === null,
      ...(address && { address: { case: "addressLine", value: address } }),
      ...(isInParts && { address: { case: "postalAddress", value: this.#parts } }),
      clearAddress: this.#clearAddress && !address && !isInParts,
    });
    if (toBinary(SiteRowSchema, row).length > ROW_BYTES_MAX) throw new RowFault("", words.rowTooLong(ROW_BYTES_MAX));
    return row;
  }

  #clear(column: string): void {
    const text = TEXTS[column];
    const list = LIST_PATHS[column];
    if (text) this.#paths.add(text[1]);
    else if (list) this.#paths.add(list);
    else if (column === "address") this.#clearAddress = true;
    else if (column === "lat" || column === "lng") this.#degrees[column] = null;
    else throw new RowFault(column, column === "phone" || labelKey(column) ? words.addsOnly : words.noClear);
  }

  #putText(column: string, text: string): void {
    const label = labelKey(column);
    const plain = TEXTS[column];
    const part = PARTS[column];
    if (plain) {
      this.#texts[plain[0]] = text;
      this.#paths.add(plain[1]);
    } else if (label !== undefined) this.#setLabels[label] = text;
    else if (part) this.#parts[part] = text;
    else if (column === "lat" || column === "lng") this.#degrees[column] = degrees(column, text);
    else if (column === "phone") this.#addPhones = phonesIn(text);
    else if (column === "phones") this.#set("phones", () => (this.#phones = phonesIn(text)));
    else if (column === "status") {
      this.#status = statusOf(text);
      this.#paths.add("status");
    } else if (isList(column)) this.#putList(column, jsonOf(column, text));
    else this.#keys[column] = text;
  }

  #putList(column: string, value: unknown): void {
    if (column === "labels") this.#set(column, () => (this.#labels = labelsOf(value)));
    else if (column === "ticketing_links") this.#set(column, () => (this.#links = listOf(column, value).map(linkOf)));
    else this.#set(column, () => (this.#phones = listOf(column, value).map(phoneOf)));
  }

  #set(column: string, put: () => void): void {
    put();
    this.#paths.add(LIST_PATHS[column] ?? column);
  }
}

/** The id of a site that is given by its id, or by its name with that of the account. */
export function siteOf(given: string, parent: string): string {
  const before = `${parent}/sites/`;
  return given.startsWith(before) ? given.slice(before.length) : given;
}

function statusOf(text: string): SiteStatus {
  const status = SiteStatus[text.toUpperCase() as keyof typeof SiteStatus];
  if (!status) throw new RowFault("status", words.noStatus(text));
  return status;
}

function degrees(column: string, text: string): number {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) throw new RowFault(column, words.noDegrees(text));
  return Number(text);
}

function jsonOf(column: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RowFault(column, words.noJson);
  }
}

function listOf(column: string, value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new RowFault(column, words.noList);
  return value;
}

/** The texts of an object that has none but the known keys. */
function textsOf(column: string, value: unknown, known: string[]): Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new RowFault(column, words.noObject);
  for (const [key, text] of Object.entries(value)) {
    if (known.length > 0 && !known.includes(key)) throw new RowFault(column, words.unknownKey(key));
    if (typeof text !== "string") throw new RowFault(column, words.noTextAt(key));
  }
  return value as Record<string, string>;
}

function labelsOf(value: unknown): Record<string, string> {
  return textsOf("labels", value, []);
}

function phoneOf(value: unknown): PhoneInit {
  const { number = "", type = "", extension = "" } = textsOf("phones", value, ["number", "type", "extension"]);
  const kind = type ? phoneKind(type) : PhoneKind.OTHER;
  if (kind === undefined) throw new RowFault("phones", words.noPhoneKind(type));
  return { number, kind, extension };
}

function linkOf(value: unknown): LinkInit {
  const texts = textsOf("ticketing_links", value, Object.keys(LINK_FIELDS));
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [LINK_FIELDS[key], text]));
}

/** The columns that a row sets, for people, in the order of the sheet's own fields. */
export function setsOf(row: SiteRow): string[] {
  const sets = [...(row.updateMask?.paths ?? []).map((path) => path.replace("contact.", ""))];
  sets.push(...Object.keys(row.setLabels).map((key) => `label.${key}`));
  if (row.addPhones.length > 0) sets.push("phone");
  if (row.address.case || row.clearAddress) sets.push("address");
  if (row.position || row.clearPosition) sets.push("pin");
  return sets;
}
