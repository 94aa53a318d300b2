// Sites as a sheet that an import reads back, as the command line writes it: CSV (RFC 4180) or GeoJSON (RFC 7946).
import { timestampDate, type Timestamp } from "@bufbuild/protobuf/wkt";
import { siteId } from "../api/names.js";
import { AddressState, FixSource, Granularity, PositionAccess } from "../gen/waymark/v1/location_pb.js";
import { type Site, SiteStatus } from "../gen/waymark/v1/site_pb.js";
import { type TicketingLink, TicketingLinkState } from "../gen/waymark/v1/ticketing_pb.js";
import type { Position } from "../position.js";
import { guard } from "./cell.js";
import { INFO, SETTABLE } from "./columns.js";
import { csvLine } from "./csv.js";
import { phoneJson, phonesCell } from "./phones.js";
import type { SheetKind } from "./read.js";

const INFOS = [
  "lat",
  "lng",
  "source",
  "accuracy_m",
  "granularity",
  "address",
  "address_state",
  "time_zone",
  "public_ip",
  "network",
  "asn",
  "isp",
  "ticketing_links",
  "activate_time",
  "last_seen_time",
  "create_time",
  "update_time",
  "revision",
] as const;
type Info = (typeof INFOS)[number];
/** Infos that are numbers, and stay so. */
const NUMBERS: ReadonlySet<Info> = new Set<Info>(["lat", "lng", "accuracy_m", "asn", "revision"]);

/** What stands before, between and behind the sites of a file. */
interface Form {
  before: string;
  between: string;
  behind: string;
  of: (site: Site) => string;
}

/** How sites are written. A CSV file begins with a byte order mark, by which spreadsheets see UTF-8. */
export const FORMS: Record<SheetKind, Form> = {
  csv: { before: `\ufeff${heading()}`, between: "", behind: "", of: csvOf },
  geojson: {
    before: '{"type":"FeatureCollection","features":[\n',
    between: ",\n",
    behind: "\n]}\n",
    of: (site) => JSON.stringify(featureOf(site)),
  },
};

function heading(): string {
  return csvLine([...SETTABLE, "site_id", "agent_id", ...INFOS.map((name) => INFO + name)]);
}

function csvOf(site: Site): string {
  const settable = settableOf(site);
  const pin = pinOf(site);
  const infos = infosOf(site);
  const cells = SETTABLE.map((column) => {
    if (column === "phones") return phonesCell(settable.phones);
    if (column === "labels") return jsonCell(sorted(site.labels));
    if (column === "ticketing_links") return jsonCell(site.ticketingLinks.map(linkJson));
    if (column === "lat" || column === "lng") return pin ? String(pin[column]) : "";
    return guard(settable[column]);
  });
  // Of what waymark says, numbers stay numbers: nothing of it is read back.
  const told = INFOS.map((name) => (NUMBERS.has(name) ? infos[name] : guard(infos[name])));
  return csvLine([...cells, siteId(site.name), guard(site.agentId), ...told]);
}

function featureOf(site: Site): object {
  const { phones, ...texts } = settableOf(site);
  const shown = isExact(site) ? site.location?.position : undefined;
  const told = infosOf(site);
  const infos = INFOS.filter((name) => !isExact(site) || (name !== "lat" && name !== "lng")).map((name): [string, unknown] => {
    if (name === "ticketing_links") return [INFO + name, site.ticketingLinks.map(linkCheck)];
    const text = told[name];
    return [INFO + name, text !== "" && NUMBERS.has(name) ? Number(text) : text];
  });
  const properties: [string, unknown][] = [
    ...Object.entries(texts),
    ["phones", phones.map(phoneJson)],
    ["labels", sorted(site.labels)],
    ["ticketing_links", site.ticketingLinks.map(linkJson)],
    ["site_id", siteId(site.name)],
    ["agent_id", site.agentId],
    ...infos,
  ];
  const isSet = ([, value]: [string, unknown]): boolean => value !== "" && Object.keys(Object(value)).length !== 0;
  const isGiven = (entry: [string, unknown]): boolean => typeof entry[1] === "number" || isSet(entry);
  return {
    type: "Feature",
    id: siteId(site.name),
    geometry: shown ? { type: "Point", coordinates: [shown.lng, shown.lat] } : null,
    properties: Object.fromEntries(properties.filter(isGiven)),
  };
}

/** What people may set, as texts. Of what the token masks nothing: an import would take the mask for what is to be written. */
function settableOf(site: Site) {
  const contact = site.contactMasked ? undefined : site.contact;
  return {
    name: site.displayName,
    status: word(SiteStatus[site.status]),
    email: contact?.email ?? "",
    first_name: contact?.firstName ?? "",
    last_name: contact?.lastName ?? "",
    phones: contact?.phones ?? [],
    customer_id: site.customerId,
    contract_id: site.contractId,
    note: site.contactMasked ? "" : site.note,
    address: site.location?.address?.typed ?? "",
  };
}

/** What waymark says of a site; empty texts for nothing. */
function infosOf(site: Site): Record<Info, string> {
  const { position, source = 0, accuracyM, granularity = 0, address } = site.location ?? {};
  return {
    lat: position ? String(position.lat) : "",
    lng: position ? String(position.lng) : "",
    source: source ? word(FixSource[source]) : "",
    accuracy_m: accuracyM === undefined ? "" : String(accuracyM),
    granularity: granularity ? word(Granularity[granularity]) : "",
    address: address?.formatted ?? "",
    address_state: address?.state ? word(AddressState[address.state]) : "",
    time_zone: site.timeZone,
    public_ip: site.publicIp,
    network: site.network?.network ?? "",
    asn: site.network?.asn === undefined ? "" : String(site.network.asn),
    isp: site.network?.isp ?? "",
    ticketing_links: jsonCell(site.ticketingLinks.map(linkCheck)),
    activate_time: timeText(site.activateTime),
    last_seen_time: timeText(site.lastSeenTime),
    create_time: timeText(site.createTime),
    update_time: timeText(site.updateTime),
    revision: String(site.revision),
  };
}

/** Where a person dropped a pin, if the site stands at it. */
function pinOf(site: Site): Position | undefined {
  const { location } = site;
  return isExact(site) && location?.source === FixSource.PIN ? location.position : undefined;
}

/** Whether the token shows exactly where the site is. An import would take a rounded position for where it is to be. */
function isExact({ positions }: Site): boolean {
  return positions !== PositionAccess.APPROXIMATE && positions !== PositionAccess.HIDDEN;
}

function linkJson(link: TicketingLink): object {
  const { system, organizationId, organizationName, externalSiteId, externalSiteName, uri } = link;
  return {
    system,
    organization_id: organizationId,
    ...(organizationName && { organization_name: organizationName }),
    ...(externalSiteId && { external_site_id: externalSiteId }),
    ...(externalSiteName && { external_site_name: externalSiteName }),
    ...(uri && { uri }),
  };
}

/** How a link stands, and when its system was last asked. */
function linkCheck(link: TicketingLink): object {
  const { system, organizationId, externalSiteId, state, verifyTime } = link;
  return {
    system,
    organization_id: organizationId,
    ...(externalSiteId && { external_site_id: externalSiteId }),
    state: word(TicketingLinkState[state]),
    ...(verifyTime && { verify_time: timeText(verifyTime) }),
  };
}

/** In the order of the keys, so that the same site is the same text. */
function sorted(labels: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function jsonCell(value: object): string {
  return Object.keys(value).length > 0 ? JSON.stringify(value) : "";
}

function word(name: string | undefined): string {
  return (name ?? "").toLowerCase();
}

function timeText(time: Timestamp | undefined): string {
  return time ? timestampDate(time).toISOString() : "";
}
