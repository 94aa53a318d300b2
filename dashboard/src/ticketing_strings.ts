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
  none: "Not linked to any ticketing system.",
  link: (number: number) => `Link ${number}`,
  system: "System",
  organization: "Organisation",
  organizationId: "Organisation’s ID",
  organizationName: "Organisation’s name",
  site: "Site",
  siteId: "Site’s ID in that system",
  siteName: "Site’s name in that system",
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
  linkedTotal: (count: number) => (count === 1 ? "1 site is linked to this organisation." : `${count} sites are linked to this organisation.`),
  linkedHere: "(this one)",
  since: (at: string) => `Since ${at}.`,
  drifted: (name: string) => `The ticketing system now calls the organisation “${name}”.`,
  siteDrifted: (name: string) => `The ticketing system now calls the site “${name}”.`,
  siteGone: (name: string) => `The site no longer exists in the ticketing system. The organisation still exists there, as “${name}”.`,
  gone: "The organisation no longer exists in the ticketing system.",
  pickOrganization: "Type a name",
  pickSite: "Leave empty, or type a name",
  byHand: "Type the IDs instead",
  byName: "Find by name instead",
  nothing: "Nothing with this name was found.",
  more: "Show more",
  choices: (label: string) => `${label}: choices`,
};

export const suggestion = {
  find: "Suggest",
  finding: "Comparing…",
  title: "Suggestions",
  close: "Close",
  clear: "Clear match",
  tie: (count: string) => `A tie: ${count} organisations fit equally well. Link one only if you know that it is right.`,
  unsure: "No organisation stands out. Link one only if you know that it is right.",
  none: "No organisation in this system resembles this site.",
  incomplete: (count: string) => `Only the first ${count} organisations were compared so far. Choose “Suggest” again to go on.`,
  link: "Link",
  linkTo: (name: string) => `Link this site to ${name}`,
  score: (percent: string) => `${percent} similar`,
  conflict: "Somebody changed this site meanwhile. Check the site, then repeat your choice.",
};

export const suggestionReason: Record<TicketingSuggestionReason, string> = {
  [TicketingSuggestionReason.UNSPECIFIED]: "",
  [TicketingSuggestionReason.CUSTOMER_ID]: "same customer ID",
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
  intro: "Connect the ticketing systems whose customers your sites are linked to. Credentials are stored encrypted, and never shown again.",
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
    `Delete the connection to ${system} and its credentials? Links stay as they are, but are no longer checked.`,
  name: "Name",
  nameHint: "A name of your own (optional)",
  baseUrl: "Base URL",
  baseUrlHint: (example: string) => `Such as ${example}`,
  credentials: "Credentials",
  credentialsNew: "The server stores the credentials encrypted, and never shows them again.",
  credentialsKept: "To keep the stored credentials, leave all of these fields empty. To replace them, fill in all fields.",
  credentialsAll: "Credentials are replaced together: fill in all of them, or none.",
  credentialsAgain: "Type the credentials again: this page does not keep them.",
  conflict: "Somebody changed this connection meanwhile. Check the connection, then try again.",
  viewerHint: "Only an admin of the account can connect systems.",
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
  intro: "The server also checks all links automatically, as often as its operator has set.",
  begin: "Check all links",
  beginning: "Starting…",
  cancel: "Stop",
  progress: (seen: string, total: string) => `${seen} of ${total} sites`,
  waits: (until: string) => `Paused until ${until}, because a ticketing system asks for fewer requests or is out of service.`,
  none: "No check of all links so far.",
  by: "started by a person",
  byItself: "started automatically",
  took: (sites: string) => (sites === "1" ? "1 site" : `${sites} sites`),
  verified: (count: string) => `${count} verified`,
  drifted: (count: string) => `${count} drifted`,
  broken: (count: string) => `${count} broken`,
  failed: (count: string) => `${count} not checked`,
  unknown: (count: string) => `${count} in systems that waymark does not know`,
};

export const verificationState: Record<TicketingVerification_State, string> = {
  [TicketingVerification_State.UNSPECIFIED]: "",
  [TicketingVerification_State.RUNNING]: "Running",
  [TicketingVerification_State.DONE]: "Done",
  [TicketingVerification_State.CANCELLED]: "Stopped",
};

/** Why a system was not asked, or gave no answer, by the reason; behind the system's name. */
export const systemFailure: Partial<Record<keyof typeof ErrorReason, string>> = {
  TICKETING_UNAVAILABLE: "cannot be reached, or does not answer properly. Nothing was changed. Try again later.",
  TICKETING_RATE_LIMITED: "asks for fewer requests. Nothing was changed. Try again later.",
  TICKETING_DENIED:
    "refuses the connection, or shows no organisations to it. Check the credentials, and what they are allowed to see there.",
  TICKETING_MISCONFIGURED: "was not found at the connection’s base URL. Correct the base URL.",
  TICKETING_REFUSED: "refused the request.",
  TICKETING_NOT_CONNECTED: "is not connected, so its links cannot be checked.",
  CREDENTIALS_UNREADABLE: "has credentials that the server can no longer read. Enter the credentials again.",
};
