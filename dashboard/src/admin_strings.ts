// The words of importing, exporting, tokens, accounts, guests and the wallboard: what people read, and nothing else.
import { AttentionReason } from "./gen/waymark/v1/attention_pb.js";
import { AddressState } from "./gen/waymark/v1/location_pb.js";
import { ImportOutcome } from "./gen/waymark/v1/import_service_pb.js";
import { PositionAccess } from "./gen/waymark/v1/location_pb.js";
import { TokenScope } from "./gen/waymark/v1/token_scope_pb.js";

export const menu = {
  open: "More",
  label: "More pages of this account",
  exchange: "Import and export",
  access: "Tokens, shares, accounts",
  wallboard: "Wallboard",
};

export const renewal = {
  hint:
    "Your work is kept. Sign in with a token that has the same rights to go on exactly where you stopped. With any other token, only " +
    "your unsaved edits of sites are kept, and shown as far as that token may see the sites.",
  discard: "Discard my work and sign out",
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
  intro: "Create or change many sites from a file, or save sites to a file. An exported file can be imported again.",
  heading: "Import",
  viewerHint: "Your token cannot change sites. To import, sign in with an editor, service or admin token.",
  file: "A CSV or GeoJSON file",
  choose: "Choose a file",
  other: "Choose another file",
  drop: "or drop the file here",
  fileHint:
    "CSV in UTF-8 with the names of the columns in the first line, or GeoJSON. You see a preview before anything is changed.",
  columns: "Available columns",
  columnsHint: (all: string) =>
    `${all}. The columns lat and lng, or a GeoJSON point, place a pin; an address in the same row is saved and does not move the pin. ` +
    "An empty cell changes nothing, and <clear> removes the value. Columns that begin with info. are not read.",
  match: "Find the site of each row by",
  matches: { name: "its name", site_id: "the column site_id", agent_id: "the column agent_id" },
  reading: "Reading the file…",
  checking: (done: string, all: string) => `Checking row ${done} of ${all}. Nothing is changed yet.`,
  checked: (all: string) => `Preview of ${all} rows. Nothing is changed yet.`,
  checkedOne: "Preview of 1 row. Nothing is changed yet.",
  begin: (rows: string) => (rows === "1" ? "Import 1 row" : `Import ${rows} rows`),
  nothing: "There is nothing to import: each row would change nothing, or was refused.",
  running: (done: string, all: string) => `${done} of ${all} rows are imported.`,
  waiting: "The server cannot be reached. The import waits and goes on automatically.",
  pause: "Cancel",
  paused: (done: string, all: string) => `Stopped after ${done} of ${all} rows. Rows that were imported stay imported.`,
  resume: "Resume",
  interrupted: (done: string, all: string) =>
    `An earlier import of this file stopped after ${done} of ${all} rows. Resume that import, or start over with a new preview.`,
  anew: "Start over",
  done: (all: string) => `All ${all} rows were imported.`,
  doneOne: "The row was imported.",
  doneRefused: (all: string, refused: string) =>
    all === "1" ? "The row was refused." : `The import is finished. Rows: ${all}. Refused: ${refused}.`,
  again: (rows: string) => (rows === "1" ? "Retry 1 refused row" : `Retry ${rows} refused rows`),
  progress: "Progress of the import",
  report: "Save report",
  results: "Result of each row",
  show: "Show",
  all: "All",
  more: (rows: string) => `Show ${rows} more`,
  line: "Line",
  name: "Name",
  outcome: "Outcome",
  what: "Changes, or why the row was refused",
  unnamed: "(no name)",
  open: (name: string) => `Open ${name}`,
  bar: (done: string, all: string) => `Importing ${done} of ${all}`,
  tooLarge: (mebibytes: number) => `A file has at most ${mebibytes} MiB. Import a larger file in parts, or with the command waymark import sites.`,
  noFile: "This file cannot be read.",
  emptyFile: "The file is empty.",
  noRows: "The file has no rows.",
  noUtf8: "The file is not text in UTF-8. Save the sheet as “CSV UTF-8”.",
  noColumn: (column: string) => `The column ${column} is missing. The site of each row is found by this column.`,
  unknownColumn: (heading: string, all: string) => `The column “${short(heading)}” is unknown. The known columns are ${all}.`,
  columnTwice: (heading: string) => `Two columns are called “${short(heading)}”.`,
  noFeature: (line: number) => `Line ${line} is not a feature: the file is not GeoJSON.`,
  notAFeature: "must be “Feature”",
  noPoint: "must be a Point of longitude and latitude, or null",
  twice: (line: number) => `line ${line} is about the same site: keep only one of the two lines`,
  nameTwice: (line: number) => `line ${line} has the same name: keep only one of the two lines`,
  otherLength: (cells: number, headings: number) =>
    `the row has ${cells} cells, and the heading has ${headings}: is a quotation mark missing?`,
  formula: "the cell is a formula, whose value is not in the file: save values, or write ' before a text",
  noText: "must be a text, not a list or an object",
  noTextAt: (key: string) => `${short(key)} is not a text`,
  tooLong: (characters: number) => `at most ${characters} characters`,
  rowTooLong: (bytes: number) => `a row has at most ${bytes} bytes in all`,
  empty: "the cell is empty",
  nameEmpty: "the name is empty",
  addressTwice: "give the address in one column or in parts, not both",
  halfPosition: "a position needs both lat and lng",
  addsOnly: "this column only adds a value: to remove values, give all that stay in the column phones or labels",
  noClear: "this column cannot be cleared",
  noStatus: (text: string) => `a status is online, offline, unknown or maintenance, not “${short(text)}”`,
  noDegrees: (text: string) => `must be decimal degrees such as 64.1466, not “${short(text)}”`,
  noJson: "the cell is not JSON",
  noList: "must be a list",
  noObject: "must be an object of texts, such as {\"tier\":\"gold\"}",
  unknownKey: (key: string) => `the key “${short(key)}” is unknown`,
  noPhoneKind: (kind: string) => `a phone’s type is mobile, work, home or other, not “${short(kind)}”`,
};

/** What becomes of a row, beforehand. */
export const wouldBe: Record<ImportOutcome, string> = {
  [ImportOutcome.UNSPECIFIED]: "",
  [ImportOutcome.CREATED]: "Would be created",
  [ImportOutcome.UPDATED]: "Would be changed",
  [ImportOutcome.UNCHANGED]: "No change",
  [ImportOutcome.REFUSED]: "Refused",
};

/** What became of a row. */
export const became: Record<ImportOutcome, string> = {
  [ImportOutcome.UNSPECIFIED]: "",
  [ImportOutcome.CREATED]: "Created",
  [ImportOutcome.UPDATED]: "Changed",
  [ImportOutcome.UNCHANGED]: "No change",
  [ImportOutcome.REFUSED]: "Refused",
};

/** What becomes of a row's address, where that is worth telling. */
export const addressOutcome: Partial<Record<AddressState, string>> = {
  [AddressState.APPLIED]: "its address was found",
  [AddressState.PIN_KEPT]: "its address is kept beside the pin",
  [AddressState.AMBIGUOUS]: "its address may mean several places: choose on the site’s page",
  [AddressState.NOT_FOUND]: "no place was found for its address",
  [AddressState.PENDING]: "its address is waiting for the geocoder",
};

export const exporting = {
  heading: "Export",
  hint: "The file contains people’s contacts and notes, unless your token masks them.",
  which: "Which sites",
  whole: "All sites of the account",
  filtered: "Only sites that match the filter",
  format: "File format",
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
  `${damagedSites(names, "left out")}. The operator can restore what is damaged from a backup.`;

/** Of sites of which nobody knows whether they belong to a list. */
export const missing = (names: string[]): string =>
  `${damagedSites(names, "perhaps missing here")}. The operator can restore what is damaged from a backup.`;

function damagedSites(names: string[], what: string): string {
  const which =
    names.length === 1
      ? `1 site is ${what}, because its record is damaged`
      : `${names.length} sites are ${what}, because their records are damaged`;
  return `${which}: ${names.slice(0, NAMED_MAX).join(", ")}${names.length > NAMED_MAX ? " and others" : ""}`;
}

export const access = {
  title: "Tokens, shares, accounts",
  tokens: "Tokens",
  tokensHint: "Give each person and each program a token of its own. Then you can revoke one token and leave all others as they are.",
  forbidden: "Your token cannot manage tokens. Sign in with an admin token.",
  whose: "Show tokens of",
  ofAccount: (account: string) => `Account ${account}`,
  ofOperator: "The operator",
  create: "Create a token",
  name: "What the token is for",
  nameHint: "Such as “wallboard in the hall”",
  scope: "What the token may do",
  masked: "Mask contacts and notes",
  maskedHint: "Names, phone numbers and e-mail addresses of people, and notes, are shown as •••.",
  maskedOwn: "Your own token masks contacts, so tokens that you create mask contacts, too.",
  maskedBoard: "A wallboard token never shows contacts or notes.",
  positions: "Show positions",
  assigned: "Which sites",
  assignedSuch: 'labels.team = "north"',
  assignedHint: "Sites with these labels; join conditions with AND or OR. Whoever sets such a label on a site assigns the site at once.",
  assignedTo: (labels: string) => `Sites with ${labels}`,
  expiry: "Token ends",
  never: "Never",
  days: (days: number) => (days === 1 ? "In a day" : `In ${days} days`),
  make: "Create token",
  making: "Creating…",
  made: "The token was created:",
  madeAnew: "A new secret was created for",
  unnamed: "(no name)",
  once: "The secret is shown only now. Copy the secret and keep it safe.",
  secret: "Secret",
  link: "Sign-in link",
  wallboardLink: "Link to a wallboard",
  copy: "Copy",
  copied: "Copied",
  copyFailed: "This browser does not let the page copy. The text is selected: copy it yourself.",
  stored: "I have saved the secret",
  none: "No tokens yet.",
  noneHere: "No tokens of people or programs found so far.",
  leftOut: "Agents’ and residents’ own tokens are left out.",
  further: "Look for more tokens",
  own: "Used by this page",
  masks: "Masks contacts",
  rough: "Positions rounded to about a kilometre",
  hidden: "No positions",
  created: (time: string) => `Created ${time}`,
  ends: (time: string) => `ends ${time}`,
  endless: "never ends",
  ended: (time: string) => `ended ${time}`,
  revokedAt: (time: string) => `revoked ${time}`,
  used: (time: string) => `last used ${time}`,
  overlap: (time: string) => `previous secret valid until ${time}`,
  good: "Valid",
  expired: "Expired",
  revoked: "Revoked",
  rotate: "New secret",
  rotateSure: "The new secret works at once. The present secret keeps working for a day.",
  rotateNow: "Create new secret",
  rotateNot: "Keep present secret",
  rotating: "The previous secret of this token is still valid. Wait until it ends, then create a new secret.",
  revoke: "Revoke",
  revokeSure: "Whoever uses this token loses access at once. This cannot be undone.",
  revokeOwn: "This page uses this token: you will have to sign in again.",
  revokeNow: "Revoke token now",
  keep: "Keep token",
  lastOperator: "This is the operator’s last valid token. Create another token first.",
  accounts: "Accounts",
  accountsHint: "Each account has its own sites, people and tokens, and sees sites of other accounts only by shares.",
  createAccount: "Create an account",
  accountId: "ID",
  accountIdHint: "1 to 63 characters: a–z, 0–9 and -. The first is a letter, and the last is not -. The ID cannot be changed later.",
  accountName: "Name",
  country: "Country",
  countryHint: "Two letters: the country where most sites of the account are. Optional.",
  makeAccount: "Create account",
  taken: "There is already an account with this ID.",
  present: "Shown now",
  show: "Show account",
  moreAccounts: "More accounts",
};

/** What is read by who sees sites of another account by a share. */
export const guest = {
  sharedBy: (owner: string) => `Shared by ${owner}: you can see these sites, and cannot change them.`,
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
    "Contacts, notes, IP addresses, devices, residents’ access, addresses and pins of all sites, and what histories hold of these. " +
    "For a single site, use “Personal data” on the page of the site.",
  export: "Export",
  exporting: (records: string) => `${records} records so far…`,
  saved: (file: string) => `Saved as ${file}.`,
  erase: "Erase…",
  question: (account: string) =>
    `Erase the personal data of all sites of ${account} for good, from their histories too? This cannot be undone.`,
  location: "Also erase addresses and pins",
  stays:
    "Sites keep their names, customer and contract IDs, labels, ticketing links and positions. If agents go on reporting, " +
    "their IP addresses and devices are stored again.",
  staysWithoutLocation:
    "Sites keep their names, customer and contract IDs, labels, ticketing links, and the positions that databases give for their " +
    "networks. If agents go on reporting, their IP addresses, devices and measured positions are stored again.",
  type: (account: string) => `To confirm, type the ID of the account: ${account}`,
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
  [PositionAccess.EXACT]: "Exact positions and addresses are shown.",
  [PositionAccess.APPROXIMATE]: "Addresses, histories and the attention queue are not shown.",
  [PositionAccess.HIDDEN]: "No positions and no maps are shown, so the dashboard does not show these sites. For programs.",
};

export const scopeHint: Partial<Record<TokenScope, string>> = {
  [TokenScope.VIEWER]: "Reads sites.",
  [TokenScope.WALLBOARD]: "For a screen that anybody may see: shows numbers, and symbols without names at rounded positions.",
  [TokenScope.EDITOR]: "Reads and changes sites.",
  [TokenScope.FIELD]: "For people who work on site: sees only sites with certain labels, and changes their positions, contacts and notes.",
  [TokenScope.SERVICE]: "For another service: reads and changes sites, and reports for agents.",
  [TokenScope.ENROLLMENT]: "Lets new agents activate, and does nothing else.",
  [TokenScope.ADMIN]: "May do everything in its account, including managing tokens; an operator’s token in all accounts.",
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
  before: "Previous region",
  pause: "Stop the rotation",
  play: "Start the rotation",
  leave: "Leave the wallboard",
  loading: "Loading the sites…",
  none: "No sites yet.",
};

export const wallboardReason: Record<AttentionReason, string> = {
  [AttentionReason.UNSPECIFIED]: "",
  [AttentionReason.UNPLACED]: "without a position",
  [AttentionReason.ADDRESS_FAILED]: "address not found",
  [AttentionReason.ADDRESS_AMBIGUOUS]: "address needs a choice",
  [AttentionReason.ADDRESS_PENDING]: "address waiting for the geocoder",
  [AttentionReason.PIN_FAR_FROM_GEOIP]: "far from where the network seems to be",
  [AttentionReason.ADDRESS_EXPIRED]: "address must be looked up again",
  [AttentionReason.TICKETING_LINK_BROKEN]: "ticketing link broken",
  [AttentionReason.CROWDED]: "many sites on one spot",
};

/** The beginning of a text that may be of any length. */
function short(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
