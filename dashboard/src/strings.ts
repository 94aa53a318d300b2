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
  mapFailed: "The map could not start. It needs WebGL 2; the list works without it.",
};

export const login = {
  title: "Sign in",
  hint: "Paste an access token of your account. It stays in this tab and is forgotten when the tab closes.",
  token: "Access token",
  placeholder: "wmk_…",
  submit: "Sign in",
  checking: "Checking…",
  rejected: "This token is not accepted. It may be mistyped, expired or revoked.",
  ended: "Your session ended: the token has expired or was revoked. Sign in again.",
  wrongScope: "This token is for agents. The dashboard needs a viewer, editor, service or admin token, or a wallboard’s.",
  noMap: "This token shows nothing of where sites are, so there is no map for it. The API and the command line take it.",
  chooseTitle: "Choose an account",
  chooseHint: "This is the operator’s token. Which account do you want to see?",
  noAccounts: "There is no account yet. Make one with: waymark account create",
  switchAccount: "Switch account",
  moreAccounts: "More accounts",
};

export const map = {
  label: "Map of sites",
  zoomIn: "Zoom in",
  zoomOut: "Zoom out",
  wholeWorld: "Show the whole world",
  selectArea: "Select by a rectangle",
  selectAreaHint: "Select sites by a rectangle (or drag with Shift)",
  frame: "Drag across the sites to select.",
  legend: "Legend",
  confirmed: "Confirmed by a person",
  approximate: "Approximate",
  cluster: "Several sites",
  stack: "Several that stay together",
  area: "Somewhere in this area",
  sitesBelowCount: "sites",
  naturalEarth: "Natural Earth",
  attribution: "Sources of the data",
  loading: "Loading the sites…",
  rough: "Sites are shown to about a kilometre",
  assigned: "The sites that are assigned to you",
  baseTrouble: {
    failed: "The base map of this installation cannot be loaded. A plain one is shown until it comes. Trying again.",
    unknown: "The server does not tell which base map to show. A plain one is shown until it does. Trying again.",
  },
  baseHide: "Hide",
  clickToPlace: "Click where the site is, or press Enter for the cross in the middle.",
  candidate: (number: number, address: string) => `Candidate ${number}: ${address}`,
  draft: (position: string) => `New pin at ${position}. Drag it, or move it by the arrows, with Shift farther; Enter goes on to saving it.`,
};

export const list = {
  title: "Sites in view",
  group: "Sites that stay together",
  groupArea: "Sites around here",
  unplacedTitle: "Sites without a position",
  back: "Back to the sites in view",
  total: (count: string) => `${count} in view`,
  count: (count: string) => `${count} sites`,
  one: "1 site",
  tally: "The account’s sites",
  all: (count: string) => `${count} placed`,
  some: (matching: string, all: string) => `${matching} of ${all} placed`,
  only: (status: string) => `Only sites with status ${status}`,
  search: "Find sites",
  searchHint: "Name, contact, address or note",
  noWords:
    "No site in view has these words in its name, IDs, contact, phones, address or labels. Typed, they are found in notes, too.",
  apart: (count: string) =>
    count === "1"
      ? "1 site without a position matches: it is behind “unplaced” in the bar."
      : `${count} sites without a position match: they are behind “unplaced” in the bar.`,
  nothingMatches: "No sites in view match. Zoom out, or change the filter.",
  unplaced: (count: string) => `${count} unplaced`,
  more: "Show more",
  empty: "No sites in view. Zoom out, or move the map.",
  emptyAccount: "No sites yet. They appear here as soon as their agents activate.",
  onlyUnplaced: "No site has a position yet. Those without one are behind “unplaced” in the bar.",
  unplacedEmpty: "Every site has a position.",
  unplacedUnread: "Every site whose record can be read has a position.",
  cut: (count: string) => `The list ends with ${count} sites. Zoom in, or filter, to see the others.`,
  dissolved: "That group has changed meanwhile; here is what is in view now.",
};

export const search = {
  hits: "Best hits",
  total: (count: string) => (count === "1" ? "1 hit" : count === "0" ? "No hits" : `${count} hits`),
  more: "More hits",
  show: "Show all in list and on the map",
  /** What the filter of list and map does otherwise than the search. */
  showHow: "With these words as they are written, accents too, but not in notes.",
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
    "ticketing_links.organization_id": "Organization ID",
    "ticketing_links.organization_name": "Organization",
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
  [Granularity.INTERPOLATED]: "between two houses",
  [Granularity.DOOR]: "door",
};

export const noEstimate: Record<NoEstimateReason, string> = {
  [NoEstimateReason.UNSPECIFIED]: "no public address was seen yet",
  [NoEstimateReason.PRIVATE]: "its IP address is a private one",
  [NoEstimateReason.CARRIER_NAT]: "it is behind carrier-grade NAT",
  [NoEstimateReason.LOOPBACK]: "its IP address is a loopback address",
  [NoEstimateReason.LINK_LOCAL]: "its IP address is link-local",
  [NoEstimateReason.UNIQUE_LOCAL]: "its IP address is a unique local one",
  [NoEstimateReason.DOCUMENTATION]: "its IP address is reserved for documentation",
  [NoEstimateReason.BENCHMARK]: "its IP address is reserved for benchmarks",
  [NoEstimateReason.MULTICAST]: "its IP address is a multicast address",
  [NoEstimateReason.RESERVED]: "its IP address is reserved",
  [NoEstimateReason.NO_DATABASE]: "no GeoIP database is loaded for it",
  [NoEstimateReason.NOT_FOUND]: "the GeoIP databases do not know its IP address",
  [NoEstimateReason.NO_POSITION]: "the GeoIP databases give no position for its IP address",
  [NoEstimateReason.UNKNOWN_ADDRESS]: "its proxy sent a malformed address",
  [NoEstimateReason.REMOVED]: "a person removed the estimate",
};

export const addressState: Record<AddressState, string> = {
  [AddressState.UNSPECIFIED]: "",
  [AddressState.APPLIED]: "",
  [AddressState.PIN_KEPT]: "kept beside the present position",
  [AddressState.AMBIGUOUS]: "needs a choice",
  [AddressState.NOT_FOUND]: "was not found",
  [AddressState.PENDING]: "will be looked up",
  [AddressState.EXPIRED]: "has to be looked up again",
};

export const warning: Record<LocationWarning, string> = {
  [LocationWarning.UNSPECIFIED]: "",
  [LocationWarning.AT_SEA]: "far from any land",
  [LocationWarning.FAR_FROM_GEOIP]: "far from where its network seems to be",
  [LocationWarning.OUTSIDE_COUNTRY]: "outside of the stated country",
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
    confirmed ? `confirmed, ${level} level, from ${source}` : `approximate, ${level} level, from ${source}`,
  within: (radius: string) => `within ${radius}`,
  accuracy: "Accuracy",
  accuracyUnknown: "not stated by the source",
  unplaced: (reason: string) => `no position: ${reason}`,
  address: "Address",
  typed: "As typed",
  fixes: "Why it is here",
  effective: "in use",
  network: "Network",
  database: "Database",
  built: (date: string) => `built ${date}`,
  matched: "Matched",
  asked: "Asked for",
  provider: "Provider",
  madeBy: "By",
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
  rough: "This token shows where sites are to about a kilometre, and no addresses.",
  contactMasked: "This token shows ••• for contacts and notes, and does not change them.",
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
  conflict: "Somebody changed this site meanwhile. What you typed is still here: look at it again, then save.",
};

export const locate = {
  title: "Set the exact location",
  address: "Address",
  suggestions: "Suggested addresses",
  placeholder: "Street and number, town",
  find: "Find",
  finding: "Looking…",
  none: "No place answers to this address. Check the spelling, add the town, or place a pin.",
  found: (count: number) => (count === 1 ? "1 place found" : `${count} places found. Choose the right one.`),
  coarse: (level: string) => `That names a whole ${level}. Type on, or use it as it is.`,
  apply: "Use this",
  applyTo: (address: string) => `Use this: ${address}`,
  confidence: (percent: string) => `${percent} match`,
  fromPosition: (distance: string) => `${distance} from the present position`,
  fromGeoip: (distance: string) => `${distance} from the GeoIP estimate`,
  placePin: "Place pin",
  pinHint: "Click the map where the site is, then drag the pin until it is right. By keys: Here, arrows, Enter; or its coordinates.",
  coordinates: "Coordinates of the pin",
  coordinatesHint: "64.1466, -21.9426",
  put: "Put it there",
  noCoordinates: "Latitude and longitude in decimal degrees, such as 64.1466, -21.9426 or 64.1466° N, 21.9426° W.",
  here: "Here",
  hereHint: "Puts the pin at the middle of the map",
  pinAt: (position: string) => `New pin at ${position}`,
  adoptable: (address: string) => `The nearest address is ${address}.`,
  adopt: "Write it beside the pin",
  near: (address: string, distance: string) => `${distance} from ${address}`,
  pinMoves: (distance: string) => `${distance} from the present position`,
  savePin: "Save pin",
  cancel: "Cancel",
  undo: "Undo the move",
  reset: "Reset to automatic",
  resetHint: "Takes back what was set by hand, so that the automatic estimate shows again.",
  moved: (distance: string) => `Moved ${distance}.`,
  placed: "The site is on the map now.",
  unchanged: "The site stays where it was.",
  nowUnplaced: "The site has no position now.",
  before: "Before",
  after: "After",
  conflict: "Somebody changed this site meanwhile. Look at it again and repeat your choice.",
  stale: "These candidates have expired. They were looked up again.",
};

export const labels = {
  title: "Labels",
  none: "No labels.",
  key: "Key",
  value: "Value",
  add: "Add a label",
  twice: "A key stands in two rows: keep one of them.",
  remove: (key: string) => `Remove the label ${key}`,
};

export const fault = {
  offline: "The server cannot be reached. Trying again.",
  forbidden: "This token may not do that.",
  notFound: "It does not exist any more.",
  unexpected: (message: string) => `That did not work: ${message}`,
  ofField: (field: string, number: number | undefined, told: string) =>
    number === undefined ? `${field}: ${told}` : `${field} (${number}): ${told}`,
};

/** What a field is called that a refusal names, by the last part of its path, where the history has no word for it. */
export const faultField: Record<string, string> = {
  organization_id: "Organisation’s ID",
  organization_name: "Organisation",
  external_site_id: "Site’s ID there",
  external_site_name: "Site there",
  system: "Ticketing system",
  uri: "Web page",
  number: "Phone",
  extension: "Extension",
  labels: "Label",
  address_line: "Address",
  base_url: "Address of the system",
  names: "Sites",
  sites: "Which sites",
  code: "Code",
};
