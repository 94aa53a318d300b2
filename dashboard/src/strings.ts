// Every word that a person reads, in one place, so that it can be translated. Holds no logic beyond filling in values.
import { FixSource, Granularity, NoEstimateReason, AddressState, LocationWarning } from "./gen/waymark/v1/location_pb.js";
import { PhoneKind, SiteStatus } from "./gen/waymark/v1/site_pb.js";

export * from "./filter_strings.js";
export * from "./admin_strings.js";
export * from "./connection_strings.js";
export * from "./fix_strings.js";
export * from "./history_strings.js";
export * from "./person_strings.js";
export * from "./sites_strings.js";
export * from "./ticketing_strings.js";

export const app = {
  name: "waymark",
  tagline: "Every site, on one map.",
  skipToList: "Skip to the list of sites",
  signOut: "Sign out",
  loading: "Loading…",
  retry: "Try again",
  partFailed: "A part of this page could not be loaded.",
  mapFailed: "The map could not start. It needs WebGL 2. The list works without the map.",
};

export const login = {
  title: "Sign in",
  hint: "Paste an access token of your account. The token stays in this tab and is forgotten when the tab closes.",
  token: "Access token",
  placeholder: "wmk_…",
  submit: "Sign in",
  checking: "Checking…",
  rejected: "This token is not accepted. It may be mistyped, expired or revoked.",
  ended: "Your session ended: the token has expired or was revoked. Sign in again.",
  wrongScope: "This token cannot open the dashboard. Use an admin, editor, viewer, service, field operator or wallboard token.",
  noMap: "This token shows no positions, so there is no map for it. Use this token with the API or the command line.",
  chooseTitle: "Choose an account",
  chooseHint: "This is the operator’s token. Which account do you want to see?",
  noAccounts: "There is no account yet. Create one with: waymark account create",
  switchAccount: "Switch account",
  moreAccounts: "More accounts",
};

export const map = {
  label: "Map of sites",
  zoomIn: "Zoom in",
  zoomOut: "Zoom out",
  wholeWorld: "Show the whole world",
  selectArea: "Select sites in a rectangle",
  selectAreaHint: "Select sites in a rectangle (or drag with Shift)",
  frame: "Drag a rectangle over the sites to select.",
  legend: "Legend",
  confirmed: "Confirmed by a person",
  approximate: "Approximate",
  cluster: "Several sites",
  stack: "Sites very close together",
  area: "Somewhere in this area",
  sitesBelowCount: "sites",
  naturalEarth: "Natural Earth",
  attribution: "Sources of the data",
  loading: "Loading the sites…",
  rough: "Positions are rounded to about a kilometre",
  assigned: "Only the sites assigned to you are shown",
  baseTrouble: {
    failed: "The configured base map could not be loaded. A plain map is shown meanwhile. Trying again.",
    unknown: "The server did not say which base map to use. A plain map is shown meanwhile. Trying again.",
  },
  baseHide: "Hide",
  clickToPlace: "Click the map where the site is, or press Enter to use the cross in the middle.",
  candidate: (number: number, address: string) => `Candidate ${number}: ${address}`,
  draft: (position: string) =>
    `New pin at ${position}. Drag the pin, or move the pin with the arrow keys (Shift: larger steps). Press Enter to go on to “${locate.savePin}”.`,
};

export const list = {
  title: "Sites in view",
  group: "Sites very close together",
  groupArea: "Sites in this area",
  unplacedTitle: "Sites without a position",
  back: "Back to the sites in view",
  total: (count: string) => `${count} in view`,
  count: (count: string) => `${count} sites`,
  one: "1 site",
  tally: "The account’s sites",
  all: (count: string) => `${count} placed`,
  some: (matching: string, all: string) => `${matching} of ${all} placed`,
  only: (status: string) => `Show only sites with status ${status}`,
  search: "Find sites",
  searchHint: "Name, contact, address or note",
  noWords:
    "No site in view has these words in its name, IDs, contact, phones, address or labels. Type the words in the search field to search notes, too.",
  apart: (count: string) =>
    count === "1"
      ? "1 site without a position matches. Choose “unplaced” in the top bar to see that site."
      : `${count} sites without a position match. Choose “unplaced” in the top bar to see those sites.`,
  nothingMatches: "No sites in view match the filter. Zoom out, or change the filter.",
  unplaced: (count: string) => `${count} unplaced`,
  more: "Show more",
  empty: "No sites in view. Zoom out, or move the map.",
  emptyAccount: "No sites yet. They appear here as soon as their agents activate.",
  onlyUnplaced: "No site has a position yet. Choose “unplaced” in the top bar to see the sites.",
  unplacedEmpty: "Every site has a position.",
  unplacedUnread: "Every site whose record can be read has a position.",
  cut: (count: string) => `The list shows only the first ${count} sites. Zoom in, or use a filter, to see the others.`,
  dissolved: "The group that you opened no longer exists. The list now shows the sites in view.",
};

export const search = {
  hits: "Best hits",
  total: (count: string) => (count === "1" ? "1 hit" : count === "0" ? "No hits" : `${count} hits`),
  more: "More hits",
  show: "Show all in the list and on the map",
  /** What the filter of list and map does otherwise than the search. */
  showHow: "Finds the words exactly as written, accents included, but not in notes.",
  /** By the field's path. */
  field: {
    agent_id: "Agent",
    customer_id: "Customer ID",
    contract_id: "Contract ID",
    "contact.email": "E-mail",
    "contact.first_name": "First name",
    "contact.last_name": "Last name",
    "contact.phones": "Phone",
    "location.address": "Address",
    labels: "Label",
    "ticketing_links.system": "Ticketing system",
    "ticketing_links.organization_id": "Organisation ID",
    "ticketing_links.organization_name": "Organisation",
    "ticketing_links.external_site_name": "Ticketing site",
    note: "Note",
  } as Record<string, string>,
};

export const status: Record<SiteStatus, string> = {
  [SiteStatus.UNSPECIFIED]: "Unknown",
  [SiteStatus.UNKNOWN]: "Unknown",
  [SiteStatus.ONLINE]: "Online",
  [SiteStatus.OFFLINE]: "Offline",
  [SiteStatus.MAINTENANCE]: "Maintenance",
};

export const source: Record<FixSource, string> = {
  [FixSource.UNSPECIFIED]: "none",
  [FixSource.GEOIP]: "GeoIP",
  [FixSource.DEVICE]: "the device itself",
  [FixSource.ADDRESS]: "its address",
  [FixSource.PIN]: "a pin on the map",
};

export const granularity: Record<Granularity, string> = {
  [Granularity.UNSPECIFIED]: "unknown",
  [Granularity.COUNTRY]: "country",
  [Granularity.REGION]: "region",
  [Granularity.CITY]: "city",
  [Granularity.POSTCODE]: "postcode",
  [Granularity.STREET]: "street",
  [Granularity.INTERPOLATED]: "house number (estimated)",
  [Granularity.DOOR]: "door",
};

export const noEstimate: Record<NoEstimateReason, string> = {
  [NoEstimateReason.UNSPECIFIED]: "No public IP address was seen yet",
  [NoEstimateReason.PRIVATE]: "The IP address is private",
  [NoEstimateReason.CARRIER_NAT]: "The IP address belongs to carrier-grade NAT",
  [NoEstimateReason.LOOPBACK]: "The IP address is a loopback address",
  [NoEstimateReason.LINK_LOCAL]: "The IP address is link-local",
  [NoEstimateReason.UNIQUE_LOCAL]: "The IP address is a unique local address",
  [NoEstimateReason.DOCUMENTATION]: "The IP address is reserved for documentation",
  [NoEstimateReason.BENCHMARK]: "The IP address is reserved for benchmarks",
  [NoEstimateReason.MULTICAST]: "The IP address is a multicast address",
  [NoEstimateReason.RESERVED]: "The IP address is reserved",
  [NoEstimateReason.NO_DATABASE]: "No GeoIP database is loaded for the IP address",
  [NoEstimateReason.NOT_FOUND]: "The GeoIP databases do not know the IP address",
  [NoEstimateReason.NO_POSITION]: "The GeoIP databases give no position for the IP address",
  [NoEstimateReason.UNKNOWN_ADDRESS]: "A proxy sent a malformed IP address",
  [NoEstimateReason.REMOVED]: "A person removed the estimate",
};

export const addressState: Record<AddressState, string> = {
  [AddressState.UNSPECIFIED]: "",
  [AddressState.APPLIED]: "",
  [AddressState.PIN_KEPT]: "saved as text; it does not move the site",
  [AddressState.AMBIGUOUS]: "several places match: choose one",
  [AddressState.NOT_FOUND]: "not found",
  [AddressState.PENDING]: "waiting to be looked up",
  [AddressState.EXPIRED]: "must be looked up again",
};

export const warning: Record<LocationWarning, string> = {
  [LocationWarning.UNSPECIFIED]: "",
  [LocationWarning.AT_SEA]: "Far from any land",
  [LocationWarning.FAR_FROM_GEOIP]: "Far from where the site’s network seems to be",
  [LocationWarning.OUTSIDE_COUNTRY]: "Outside the stated country",
};

export const phoneKind: Record<PhoneKind, string> = {
  [PhoneKind.UNSPECIFIED]: "",
  [PhoneKind.MOBILE]: "mobile",
  [PhoneKind.WORK]: "work",
  [PhoneKind.HOME]: "home",
  [PhoneKind.OTHER]: "",
};

export const site = {
  label: "Site",
  close: "Close",
  gone: "This site was deleted.",
  location: "Location",
  approximate: "Approximate",
  sentence: (confirmed: boolean, level: string, source: string) =>
    confirmed ? `Confirmed, ${level} level, from ${source}` : `Approximate, ${level} level, from ${source}`,
  within: (radius: string) => `within ${radius}`,
  accuracy: "Accuracy",
  accuracyUnknown: "Not stated by the source",
  unplaced: (reason: string) => `No position. ${reason}.`,
  address: "Address",
  typed: "As typed",
  fixes: "Why the site is here",
  effective: "in use",
  network: "Network",
  database: "Database",
  built: (date: string) => `built ${date}`,
  matched: "Matched",
  asked: "Asked for",
  provider: "Provider",
  madeBy: "Set by",
  removeFix: "Remove",
  details: "Details",
  name: "Name",
  status: "Status",
  agent: "Agent",
  publicIp: "Public IP",
  autonomousSystem: (number: number) => `AS${number}`,
  networkKind: { anycast: "anycast", hosting: "data centre", satellite: "satellite", mobile: "mobile" },
  timeZone: "Time zone",
  clock: (time: string) => `${time} there`,
  contact: "Contact",
  rough: "This token shows positions rounded to about a kilometre, and no addresses.",
  contactMasked: "This token shows contacts and notes as •••, and cannot change them.",
  firstName: "First name",
  lastName: "Last name",
  email: "E-mail",
  phones: "Phones",
  extension: "ext.",
  phoneOther: "other",
  phoneNumber: (place: number) => `Phone ${place}, number`,
  phoneKind: (place: number) => `Phone ${place}, kind of line`,
  phoneExtension: (place: number) => `Phone ${place}, extension`,
  addPhone: "Add a phone",
  removePhone: (place: number) => `Remove phone ${place}`,
  customer: "Customer ID",
  contract: "Contract ID",
  note: "Note",
  tooLong: (most: number, bytes: number) => `at most ${most} bytes, got ${bytes}`,
  labels: "Labels",
  ticketing: "Ticketing",
  activated: "Activated",
  lastSeen: "Last seen",
  updated: "Changed",
  none: "—",
  edit: "Edit",
  save: "Save",
  saving: "Saving…",
  cancel: "Cancel",
  saved: "Saved.",
  conflict: "Somebody changed this site meanwhile. What you typed is kept. Check the fields, then save again.",
};

export const locate = {
  title: "Set the exact location",
  address: "Address",
  suggestions: "Suggested addresses",
  placeholder: "Street and number, town",
  find: "Find",
  finding: "Looking…",
  none: "No place was found for this address. Check the spelling, add the town, or place a pin.",
  found: (count: number) => (count === 1 ? "1 place found" : `${count} places found. Choose the right one.`),
  coarse: (level: string) => `This is only a match at ${level} level. Add street and number, or use the address as it is.`,
  apply: "Use this",
  applyTo: (address: string) => `Use this address: ${address}`,
  confidence: (percent: string) => `${percent} match`,
  fromPosition: (distance: string) => `${distance} from the present position`,
  fromGeoip: (distance: string) => `${distance} from the GeoIP estimate`,
  placePin: "Place pin",
  pinHint:
    "Click the map where the site is, then drag the pin to the exact spot. With the keyboard: “Use map centre”, then the arrow keys, " +
    "then Enter. Or type the coordinates.",
  coordinates: "Coordinates of the pin",
  coordinatesHint: "for example 64.1466, -21.9426",
  put: "Use coordinates",
  noCoordinates: "These are not coordinates. Type latitude and longitude in decimal degrees, such as 64.1466, -21.9426 or 64.1466° N, 21.9426° W.",
  here: "Use map centre",
  hereHint: "Put the pin at the centre of the map",
  pinAt: (position: string) => `New pin at ${position}`,
  adoptable: (address: string) => `The address nearest to the pin is ${address}.`,
  adopt: "Save this address with the pin",
  near: (address: string, distance: string) => `Nearest known place: ${address}, ${distance} from the pin`,
  pinMoves: (distance: string) => `${distance} from the present position`,
  savePin: "Save pin position",
  cancel: "Cancel",
  undo: "Undo the move",
  reset: "Reset to automatic position",
  resetHint: "Remove the address and the pin that people set, so that the automatic position is used again",
  moved: (distance: string) => `Moved ${distance}.`,
  placed: "The site is on the map now.",
  unchanged: "The site stays where it was.",
  nowUnplaced: "The site has no position now.",
  before: "Before",
  after: "After",
  conflict: "Somebody changed this site meanwhile. Check the site, then repeat your choice.",
  stale: "These candidates have expired. They were looked up again.",
};

export const labels = {
  title: "Labels",
  none: "No labels.",
  key: "Key",
  value: "Value",
  add: "Add a label",
  twice: "The same key is in two rows. Remove one of the rows.",
  remove: (key: string) => `Remove the label ${key}`,
};

export const fault = {
  offline: "The server cannot be reached. Try again in a moment.",
  forbidden: "This token is not allowed to do this.",
  notFound: "What you asked for no longer exists.",
  unexpected: (message: string) => `The request failed. ${sentence(message)}`,
  /** What was typed or chosen is refused. */
  invalid: (message: string) => `The server did not accept this. ${sentence(message)}`,
  ofField: (field: string, number: number | undefined, told: string) =>
    number === undefined ? `${field}: ${told}` : `${field} (${number}): ${told}`,
};

/** What a field is called that a refusal names, by the last part of its path, where the history has no word for it. */
export const faultField: Record<string, string> = {
  organization_id: "Organisation’s ID",
  organization_name: "Organisation",
  external_site_id: "Site’s ID in the ticketing system",
  external_site_name: "Site’s name in the ticketing system",
  system: "Ticketing system",
  uri: "Web page",
  number: "Phone",
  extension: "Extension",
  labels: "Label",
  address_line: "Address",
  base_url: "Base URL",
  names: "Sites",
  sites: "Which sites",
  code: "Code",
};

/** A text as a sentence: its first word, if it is a plain one, has a capital, and the end a full stop. Of no text none is made. */
function sentence(text: string): string {
  if (text === "") return "";
  const begun = text.replace(/^\p{Ll}(?=[\p{L}’'-]*[\s,:])/u, (letter) => letter.toUpperCase());
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}
