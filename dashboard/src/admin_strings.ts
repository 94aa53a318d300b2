// The words of importing, exporting, tokens, accounts, guests and the wallboard: what people read, and nothing else.
import { AttentionReason } from "./gen/waymark/v1/attention_pb.js";
import { AddressState } from "./gen/waymark/v1/location_pb.js";
import { ImportOutcome } from "./gen/waymark/v1/import_service_pb.js";
import { PositionAccess } from "./gen/waymark/v1/location_pb.js";
import { TokenScope } from "./gen/waymark/v1/token_scope_pb.js";

export const menu = {
  open: "More",
  label: "More of this account",
  exchange: "Import and export",
  access: "Tokens, shares, accounts",
  wallboard: "Wallboard",
};

export const renewal = {
  hint:
    "What you were doing waits, with all that you typed. A token with the same rights takes it up. With another one your unsaved edits " +
    "of sites stay, as far as it may see them.",
  discard: "Let go of it",
};

export const layout = {
  label: "What is shown",
  map: "Map",
  both: "Both",
  list: "List",
};

export const page = {
  close: "Close this page",
};

export const importing = {
  title: "Import and export",
  intro: "Many sites at once, from a sheet and to a sheet. What was exported can be imported again.",
  heading: "Import",
  viewerHint: "Your token may read sites, and not change them. An editor’s, service’s or admin’s token imports.",
  file: "A CSV or GeoJSON file",
  choose: "Choose a file",
  other: "Choose another file",
  drop: "or drop it here",
  fileHint:
    "CSV in UTF-8 whose first line names the columns, or GeoJSON. Nothing is changed before you have seen what would be.",
  columns: "Which columns there are",
  columnsHint: (all: string) =>
    `${all}. Points and lat, lng drop a pin; an address beside them is kept and moves nothing. ` +
    "An empty cell leaves what is there, <clear> takes it away. What begins with info. is not read.",
  match: "A row’s site is found by",
  matches: { name: "its name", site_id: "the column site_id", agent_id: "the column agent_id" },
  reading: "Reading the file…",
  checking: (done: string, all: string) => `Looking at row ${done} of ${all}. Nothing is changed.`,
  checked: (all: string) => `This is what would become of ${all} rows. Nothing is changed yet.`,
  checkedOne: "This is what would become of the row. Nothing is changed yet.",
  begin: (rows: string) => (rows === "1" ? "Import 1 row" : `Import ${rows} rows`),
  nothing: "There is nothing to import: every row is as it is already, or was refused.",
  running: (done: string, all: string) => `${done} of ${all} rows are imported.`,
  waiting: "The server cannot be reached. The import waits, and goes on by itself.",
  pause: "Cancel",
  paused: (done: string, all: string) => `Cancelled after ${done} of ${all} rows. What was imported stays.`,
  resume: "Resume",
  interrupted: (done: string, all: string) =>
    `The import of this very file was interrupted after ${done} of ${all} rows. Resume it, or look at it anew.`,
  anew: "Begin anew",
  done: (all: string) => `All ${all} rows are done.`,
  doneOne: "The row is done.",
  again: (rows: string) => (rows === "1" ? "Try the refused row again" : `Try the ${rows} refused rows again`),
  progress: "Progress of the import",
  report: "Save this report",
  results: "What becomes of each row",
  show: "Show",
  all: "All",
  more: (rows: string) => `Show ${rows} more`,
  line: "Line",
  name: "Name",
  outcome: "Outcome",
  what: "What it sets, or why it was refused",
  unnamed: "(without a name)",
  open: (name: string) => `Open ${name}`,
  bar: (done: string, all: string) => `Importing ${done} of ${all}`,
  tooLarge: (mebibytes: number) => `A file has at most ${mebibytes} MiB. Import a larger one in parts, or with waymark import.`,
  noFile: "That file cannot be read.",
  emptyFile: "The file is empty.",
  noRows: "The file has no rows.",
  noUtf8: "The file is no text in UTF-8: save the sheet as “CSV UTF-8”.",
  noColumn: (column: string) => `No column is named ${column}, by which a row’s site is found.`,
  unknownColumn: (heading: string, all: string) => `No column is called “${short(heading)}”. There are ${all}.`,
  columnTwice: (heading: string) => `Two columns are called “${short(heading)}”.`,
  noFeature: (line: number) => `Line ${line} is no feature: the file is no GeoJSON.`,
  notAFeature: "each object is a Feature",
  noPoint: "a Point of longitude and latitude, or null",
  twice: (line: number) => `line ${line} is of the same site: keep one of them`,
  nameTwice: (line: number) => `line ${line} has the same name: keep one of them`,
  otherLength: (cells: number, headings: number) =>
    `it has ${cells} fields, and the heading has ${headings}: is a quotation mark missing?`,
  formula: "it is a formula, and a formula’s value is not in the file: save values, or write ' before a text",
  noText: "a text, not a list or an object",
  noTextAt: (key: string) => `${short(key)} is no text`,
  tooLong: (characters: number) => `at most ${characters} characters`,
  rowTooLong: (bytes: number) => `a row has at most ${bytes} bytes in all`,
  empty: "it is empty",
  nameEmpty: "the name is empty",
  addressTwice: "an address is on one line or in parts, not both",
  halfPosition: "a position needs both lat and lng",
  addsOnly: "it adds to what is there: to take something away, give all in phones or labels",
  noClear: "it cannot be cleared",
  noStatus: (text: string) => `a status is online, offline, unknown or maintenance, not “${short(text)}”`,
  noDegrees: (text: string) => `decimal degrees such as 64.1466, not “${short(text)}”`,
  noJson: "it is no JSON",
  noList: "a list",
  noObject: "an object of texts, such as {\"tier\":\"gold\"}",
  unknownKey: (key: string) => `nothing is called “${short(key)}” in it`,
  noPhoneKind: (kind: string) => `a phone’s type is mobile, work, home or other, not “${short(kind)}”`,
};

/** What becomes of a row, beforehand. */
export const wouldBe: Record<ImportOutcome, string> = {
  [ImportOutcome.UNSPECIFIED]: "",
  [ImportOutcome.CREATED]: "would be created",
  [ImportOutcome.UPDATED]: "would be changed",
  [ImportOutcome.UNCHANGED]: "is so already",
  [ImportOutcome.REFUSED]: "refused",
};

/** What became of a row. */
export const became: Record<ImportOutcome, string> = {
  [ImportOutcome.UNSPECIFIED]: "",
  [ImportOutcome.CREATED]: "created",
  [ImportOutcome.UPDATED]: "changed",
  [ImportOutcome.UNCHANGED]: "as it was",
  [ImportOutcome.REFUSED]: "refused",
};

/** What becomes of a row's address, where that is worth telling. */
export const addressOutcome: Partial<Record<AddressState, string>> = {
  [AddressState.APPLIED]: "its address was found",
  [AddressState.PIN_KEPT]: "its address is kept beside the pin",
  [AddressState.AMBIGUOUS]: "its address may mean several places: choose on the site’s page",
  [AddressState.NOT_FOUND]: "no place answers to its address",
  [AddressState.PENDING]: "its address waits for the geocoder",
};

export const exporting = {
  heading: "Export",
  hint: "People’s contacts and notes are in the file, as far as your token sees them.",
  which: "Which sites",
  whole: "The whole account",
  filtered: "Those that the filter shows",
  format: "As",
  csv: "CSV, for spreadsheets",
  geojson: "GeoJSON, for maps",
  begin: "Export",
  running: (sites: string) => `${sites} sites so far…`,
  cancel: "Cancel",
  done: (sites: string, file: string) => (sites === "1" ? `1 site is in ${file}.` : `${sites} sites are in ${file}.`),
};

/** Sites that are named at most; further ones are counted. */
const NAMED_MAX = 5;

/** Of sites that an export or an erasure left out. */
export const damaged = (names: string[]): string =>
  `Not done for ${damagedSites(names)}. The operator can restore that from a backup.`;

/** Of sites of which nobody knows whether they belong to a list. */
export const missing = (names: string[]): string =>
  `Perhaps missing here: ${damagedSites(names)}. The operator can restore that from a backup.`;

function damagedSites(names: string[]): string {
  const which = names.length === 1 ? "1 site, whose record is damaged" : `${names.length} sites, whose records are damaged`;
  return `${which}: ${names.slice(0, NAMED_MAX).join(", ")}${names.length > NAMED_MAX ? " and others" : ""}`;
}

export const access = {
  title: "Tokens, shares, accounts",
  tokens: "Tokens",
  tokensHint: "Each person and each program has a token of its own, so that one can be ended without the others.",
  forbidden: "Your token does not keep tokens: an admin’s does.",
  whose: "Whose tokens",
  ofAccount: (account: string) => `Of ${account}`,
  ofOperator: "The operator’s own",
  create: "Create a token",
  name: "What it is for",
  nameHint: "Such as “wallboard in the hall”",
  scope: "What it may do",
  masked: "Mask contacts and notes",
  maskedHint: "Names, numbers, addresses of people, and notes, read •••.",
  maskedOwn: "Your own token masks contacts, so those that it makes do, too.",
  maskedBoard: "A wallboard’s token sees none anyway.",
  positions: "Where sites are",
  assigned: "Which sites",
  assignedSuch: 'labels.team = "north"',
  assignedHint: "Those with these labels, joined by AND and OR. Whoever sets a label assigns a site, at once.",
  assignedTo: (labels: string) => `Sites with ${labels}`,
  expiry: "It ends",
  never: "never",
  days: (days: number) => (days === 1 ? "in a day" : `in ${days} days`),
  make: "Create it",
  making: "Creating…",
  made: "The new token is created:",
  madeAnew: "The new secret is made for",
  unnamed: "without a name",
  once: "This is its secret. It is shown now and never again.",
  secret: "Secret",
  link: "Link that logs in",
  wallboardLink: "Link to a wallboard",
  copy: "Copy",
  copied: "Copied",
  copyFailed: "Select it and copy it yourself: this browser lets no page do so.",
  stored: "I have stored it",
  none: "No tokens yet.",
  noneHere: "No tokens of people or programs among those that were looked at.",
  leftOut: "Agents’ and residents’ own tokens are left out.",
  further: "Look further",
  own: "this page’s",
  masks: "masks contacts",
  rough: "positions to a kilometre",
  hidden: "no positions",
  created: (time: string) => `Created ${time}`,
  ends: (time: string) => `ends ${time}`,
  endless: "never ends",
  ended: (time: string) => `ended ${time}`,
  revokedAt: (time: string) => `revoked ${time}`,
  used: (time: string) => `last used ${time}`,
  overlap: (time: string) => `former secret good until ${time}`,
  good: "Good",
  expired: "Expired",
  revoked: "Revoked",
  rotate: "New secret",
  rotateSure: "The new secret is good at once, and the present one for a day.",
  rotateNow: "Make it now",
  rotateNot: "Leave it",
  rotating: "The secret before the present one is still good: wait until it ends.",
  revoke: "Revoke",
  revokeSure: "Whoever uses it is out at once. This cannot be undone.",
  revokeOwn: "This page uses it: you will have to sign in again.",
  revokeNow: "Revoke it now",
  keep: "Keep it",
  lastOperator: "It is the operator’s last good token. Create another one first.",
  accounts: "Accounts",
  accountsHint: "Each has its own sites, people and tokens, and sees nothing of the others.",
  createAccount: "Create an account",
  accountId: "ID",
  accountIdHint: "1 to 63 of a–z, 0–9 and -, beginning with a letter and not ending with -. It stays for good.",
  accountName: "Name",
  country: "Country",
  countryHint: "Two letters, where most of its sites are. May be empty.",
  makeAccount: "Create it",
  taken: "There is an account of this ID already.",
  present: "shown now",
  show: "Show it",
  moreAccounts: "More accounts",
};

/** What is read by who sees sites of another account by a share. */
export const guest = {
  sharedBy: (owner: string) => `Shared by ${owner}, to look at`,
  back: "Back to your own account",
  chooseHint: "Your own account, and those that share sites with it. Which one do you want to see?",
  own: (id: string) => `${id}, your own`,
  shares: (id: string) => `${id}, shares sites`,
  noMap: (id: string) => `${id}, shares no positions, so there is no map`,
  over: (owner: string) => `${owner} does not share sites with your account any more.`,
};

export const accountData = {
  title: "Personal data of all sites",
  hint:
    "Contacts, notes, addresses of networks, devices, residents’ access, addresses and pins, and what histories hold of them. " +
    "Of one site alone: on its page.",
  export: "Export",
  exporting: (records: string) => `${records} records so far…`,
  saved: (file: string) => `Saved as ${file}.`,
  erase: "Erase…",
  question: (account: string) => `Erase it for good from all sites of ${account}, from their histories too? Nothing brings it back.`,
  location: "Their addresses and pins, too",
  stays:
    "Sites keep their names, customer and contract IDs, labels, ticketing links, and where they are. Agents that go on reporting " +
    "bring their network addresses and devices back.",
  staysWithoutLocation:
    "Sites keep their names, customer and contract IDs, labels, ticketing links, and where databases place their networks. Agents " +
    "that go on reporting bring their network addresses, devices and measured positions back.",
  type: (account: string) => `Type ${account} to go on`,
  confirm: "Erase for good",
  erasing: (sites: string) => `${sites} sites so far…`,
  erased: (sites: string) => (sites === "1" ? "Erased from 1 site." : `Erased from ${sites} sites.`),
};

export const scope: Record<TokenScope, string> = {
  [TokenScope.UNSPECIFIED]: "Unknown",
  [TokenScope.ADMIN]: "Admin",
  [TokenScope.EDITOR]: "Editor",
  [TokenScope.VIEWER]: "Viewer",
  [TokenScope.ENROLLMENT]: "Enrolment",
  [TokenScope.AGENT]: "Agent",
  [TokenScope.SERVICE]: "Service",
  [TokenScope.RESIDENT]: "Resident",
  [TokenScope.WALLBOARD]: "Wallboard",
  [TokenScope.FIELD]: "Field operator",
};

/** How exactly a token shows where sites are. */
export const precision: Partial<Record<PositionAccess, string>> = {
  [PositionAccess.EXACT]: "Exactly",
  [PositionAccess.APPROXIMATE]: "To about a kilometre",
  [PositionAccess.HIDDEN]: "Not at all",
};

export const precisionHint: Partial<Record<PositionAccess, string>> = {
  [PositionAccess.EXACT]: "Positions and addresses, as they are.",
  [PositionAccess.APPROXIMATE]: "Without addresses, histories and what needs attention.",
  [PositionAccess.HIDDEN]: "Without maps too, so not for this page: for programs.",
};

export const scopeHint: Partial<Record<TokenScope, string>> = {
  [TokenScope.VIEWER]: "Reads sites.",
  [TokenScope.WALLBOARD]: "For a screen that anybody may see: numbers, and symbols without names about where they are.",
  [TokenScope.EDITOR]: "Reads and changes sites.",
  [TokenScope.FIELD]: "Works on site: sees the sites of some labels alone, and changes where they are, contacts and notes.",
  [TokenScope.SERVICE]: "Another service: reads and changes sites, and reports for agents.",
  [TokenScope.ENROLLMENT]: "Lets new agents in, and nothing else.",
  [TokenScope.ADMIN]: "Everything in this account, tokens too.",
};

export const wallboard = {
  label: "Wallboard",
  map: "Map of the region shown",
  world: "All sites",
  here: (count: string) => (count === "1" ? "site here" : "sites here"),
  placed: "sites on the map",
  whole: "The account",
  problems: "Needs attention",
  noProblems: "Nothing needs attention.",
  unplaced: "without a position",
  offlineHere: "Offline here",
  place: (at: number, of: number) => `${at} of ${of}`,
  next: "Next region",
  before: "Region before",
  pause: "Stop the rotation",
  play: "Rotate",
  leave: "Leave the wallboard",
  loading: "Loading the sites…",
  none: "No sites yet.",
};

export const wallboardReason: Record<AttentionReason, string> = {
  [AttentionReason.UNSPECIFIED]: "",
  [AttentionReason.UNPLACED]: "without a position",
  [AttentionReason.ADDRESS_FAILED]: "address not found",
  [AttentionReason.ADDRESS_AMBIGUOUS]: "address needs a choice",
  [AttentionReason.ADDRESS_PENDING]: "address waits for the geocoder",
  [AttentionReason.PIN_FAR_FROM_GEOIP]: "far from where the network seems to be",
  [AttentionReason.ADDRESS_EXPIRED]: "address has to be looked up again",
  [AttentionReason.TICKETING_LINK_BROKEN]: "ticketing link broken",
  [AttentionReason.CROWDED]: "many sites on one spot",
};

/** The beginning of a text that may be of any length. */
function short(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
