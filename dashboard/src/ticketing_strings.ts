// The words of ticketing systems, for strings.ts.
import { ErrorReason } from "./gen/waymark/v1/errors_pb.js";
import { TicketingSuggestionReason } from "./gen/waymark/v1/external_organization_pb.js";
import { TicketingLinkState } from "./gen/waymark/v1/ticketing_pb.js";
import { TicketingVerification_State } from "./gen/waymark/v1/ticketing_service_pb.js";

/** The known systems, by their names in links; others are shown as they were typed. */
export const systemName: Record<string, string> = {
  connectwise: "ConnectWise Manage",
  autotask: "Datto Autotask",
  syncro: "Syncro",
  zendesk: "Zendesk",
  freshservice: "Freshservice",
  freshdesk: "Freshdesk",
};

export const ticketing = {
  title: "Ticketing",
  none: "Tied to no ticketing system.",
  link: (number: number) => `Link ${number}`,
  system: "System",
  organization: "Organisation",
  organizationId: "Organisation’s ID",
  organizationName: "Organisation’s name",
  site: "Site",
  siteId: "Site’s ID there",
  siteName: "Site’s name there",
  uri: "Web page",
  add: "Add a link",
  remove: (far: string) => `Remove the link to ${far}`,
  removeShort: "Remove",
  newTab: "opens in a new tab",
  id: (id: string) => `ID ${id}`,
  siteNamed: (name: string) => `Site ${name}`,
  verify: "Check now",
  verifying: "Checking…",
  verified: "Checked just now.",
  checked: (at: string) => `Checked ${at}`,
  neverChecked: "Never checked",
  linkedSites: "Sites of this organisation",
  linkedTotal: (count: number) => (count === 1 ? "1 site is tied to it." : `${count} sites are tied to it.`),
  linkedHere: "(this one)",
  since: (at: string) => `since ${at}`,
  drifted: (name: string) => `It is called “${name}” there now.`,
  siteDrifted: (name: string) => `Its site is called “${name}” there now.`,
  siteGone: (name: string) => `The site is gone there. Its organisation is still there, as “${name}”.`,
  gone: "The organisation is gone there.",
  pickOrganization: "Type a name",
  pickSite: "None, or type a name",
  byHand: "Type the IDs instead",
  byName: "Find it by name instead",
  nothing: "Nothing there has such a name.",
  more: "Show more",
  choices: (label: string) => `${label}: what is there`,
};

export const suggestion = {
  find: "Suggest",
  finding: "Comparing…",
  title: "Suggestions",
  close: "Close",
  clear: "Clear match",
  tie: (count: string) => `A tie: ${count} fit equally well. Choose one, if it is right.`,
  unsure: "None stands out. Choose one, if it is right.",
  none: "Nothing there is like this site.",
  incomplete: (count: string) => `Only the first ${count} organisations are compared so far. Ask again to go on.`,
  link: "Link",
  linkTo: (name: string) => `Link this site to ${name}`,
  score: (percent: string) => `${percent} alike`,
  conflict: "Somebody changed this site meanwhile. Look at it again and repeat your choice.",
};

export const suggestionReason: Record<TicketingSuggestionReason, string> = {
  [TicketingSuggestionReason.UNSPECIFIED]: "",
  [TicketingSuggestionReason.CUSTOMER_ID]: "the customer ID",
  [TicketingSuggestionReason.SAME_NAME]: "same name",
  [TicketingSuggestionReason.NAME_WITHIN]: "one name within the other",
  [TicketingSuggestionReason.ALIKE_NAME]: "similar name",
  [TicketingSuggestionReason.SAME_POSTAL_CODE]: "same postal code",
  [TicketingSuggestionReason.SAME_CITY]: "same town",
  [TicketingSuggestionReason.SAME_STREET]: "same street",
};

export const linkState: Record<TicketingLinkState, string> = {
  [TicketingLinkState.UNSPECIFIED]: "Not verified",
  [TicketingLinkState.UNVERIFIED]: "Not verified",
  [TicketingLinkState.VERIFIED]: "Verified",
  [TicketingLinkState.DRIFTED]: "Drifted",
  [TicketingLinkState.BROKEN]: "Broken",
};

export const connection = {
  open: "Ticketing",
  label: "Ticketing systems",
  title: "Ticketing systems",
  intro: "Sites are tied to the customers of these systems. What a connection is let in with is kept encrypted, and is never shown again.",
  connections: "Connections",
  close: "Close",
  connect: "Connect",
  connectTo: (system: string) => `Connect ${system}`,
  notConnected: "Not connected",
  unchecked: "Connected, not checked since this page was opened",
  works: (at: string) => `Works. Checked ${at}.`,
  failed: "Does not work",
  check: "Check",
  checkOf: (system: string) => `Check the connection to ${system}`,
  checking: "Checking…",
  edit: "Edit",
  editOf: (system: string) => `Edit the connection to ${system}`,
  remove: "Delete",
  removeOf: (system: string) => `Delete the connection to ${system}`,
  confirm: (system: string) =>
    `Delete the connection to ${system} and its credentials? Links stay as they are, and are checked no more.`,
  name: "Name",
  nameHint: "What you call it; may be empty",
  baseUrl: "Base URL",
  baseUrlHint: (example: string) => `Such as ${example}`,
  credentials: "Credentials",
  credentialsNew: "They are sent once, kept encrypted by the server, and never shown again.",
  credentialsKept: "Leave them empty to keep those that are set. All are set together.",
  credentialsAll: "Credentials are replaced together: fill in all of them, or none.",
  credentialsAgain: "Type the credentials again: this page does not keep them.",
  conflict: "Somebody changed this connection meanwhile. Look at it again, then save.",
  viewerHint: "An admin of the account connects systems.",
};

/** What a credential of a system is called, by its name; others are shown by that. */
export const credentialName: Record<string, string> = {
  company: "Company",
  public_key: "Public key",
  private_key: "Private key",
  client_id: "Client ID",
  user_name: "User name",
  secret: "Secret",
  integration_code: "Integration code",
  api_token: "API token",
  api_key: "API key",
  email: "E-mail",
};

export const verification = {
  title: "Check of all links",
  intro: "The server does this by itself from time to time, as its operator has set it.",
  begin: "Check all links",
  beginning: "Beginning…",
  cancel: "Stop",
  progress: (seen: string, total: string) => `${seen} of ${total} sites`,
  waits: (until: string) => `Waits until ${until}, because a system wants fewer requests or is out of service.`,
  none: "No check of all links so far.",
  by: "begun by a person",
  byItself: "by itself",
  took: (sites: string) => (sites === "1" ? "1 site" : `${sites} sites`),
  verified: (count: string) => `${count} verified`,
  drifted: (count: string) => `${count} drifted`,
  broken: (count: string) => `${count} broken`,
  failed: (count: string) => `${count} not checked`,
  unknown: (count: string) => `${count} of other systems`,
};

export const verificationState: Record<TicketingVerification_State, string> = {
  [TicketingVerification_State.UNSPECIFIED]: "",
  [TicketingVerification_State.RUNNING]: "Running",
  [TicketingVerification_State.DONE]: "Done",
  [TicketingVerification_State.CANCELLED]: "Stopped",
};

/** Why a system was not asked, or gave no answer, by the reason; behind the system's name. */
export const systemFailure: Partial<Record<keyof typeof ErrorReason, string>> = {
  TICKETING_UNAVAILABLE: "cannot be reached, or gives no proper answer. Nothing was changed; try again later.",
  TICKETING_RATE_LIMITED: "wants fewer requests for now. Nothing was changed; try again later.",
  TICKETING_DENIED:
    "does not let the connection in, or shows it no organisation. Check its credentials, and what they may see there.",
  TICKETING_MISCONFIGURED: "is not at the connection’s base URL. Correct the base URL.",
  TICKETING_REFUSED: "does not take that question.",
  TICKETING_NOT_CONNECTED: "is not connected, so its links cannot be checked.",
  CREDENTIALS_UNREADABLE: "has credentials that the server can no longer read. Set them again.",
};
