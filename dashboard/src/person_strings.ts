// The words of a site's agent, its resident, and what is personal of it.
import { InvitationDelivery, ResidentAccessState } from "./gen/waymark/v1/resident_access_pb.js";

export const replacement = {
  title: "Replacing the agent",
  hint: "A new device, or one that was reset, can take this site over. Everything that the site has stays.",
  noAgent: "No agent stands on this site. One can take it over; everything that the site has stays.",
  begin: "Allow a replacement",
  agentId: "ID of the agent that takes over",
  agentIdHint: "The ID that the new device activates with. A device that was reset keeps its ID.",
  period: "It may do so for",
  days: (count: number) => (count === 1 ? "1 day" : `${count} days`),
  effect: (agent: string, until: string) =>
    `The next time that ${agent || "this agent"} activates, up to ${until}, it takes this site over, once. ` +
    "Name, position, contact, note, labels, links, resident access and history stay.",
  loses: (agent: string) => `Agent ${agent} loses its access then, and not before.`,
  renews: (agent: string) => `Agent ${agent} gets a new key then, and the old one is good no more.`,
  allow: "Allow it",
  allowing: "Allowing…",
  allowed: (agent: string, until: string) => `${agent} may take this site over until ${until}.`,
  change: "Change",
  cancel: "Take it back",
  cancelled: "Taken back: no agent may take this site over.",
};

export const resident = {
  title: "Resident access",
  email: "Resident’s e-mail",
  bound: "The invitation is bound to this address: revoke it to name another.",
  enabled: "Access is on",
  off: "Access is off.",
  device: "Device",
  see: "See",
  power: "Power",
  block: "Block",
  allowed: "allowed",
  refused: "not allowed",
  cannotPower: "The power of this device cannot be switched",
  cannotBlock: "The internet of this device cannot be blocked at this site",
  noneBlocks: "The internet of none of these devices can be blocked at this site.",
  gone: "no longer reported",
  noDevices: "No devices were reported for this site yet.",
  setUp: "Set up",
  invite: "Invite",
  resend: "Send again",
  revoke: "Revoke",
  invited: (at: string, until: string) => `${at}; the link works until ${until}.`,
  ended: (at: string, until: string) => `Sent ${at}; the link worked until ${until}.`,
  since: (at: string) => `Since ${at}.`,
  conflict: "Somebody changed this access meanwhile. What you chose is still here: look at it again, then save.",
  crossed: "Somebody changed this access meanwhile. Look at it again and repeat your choice.",
  delivery: {
    [InvitationDelivery.UNSPECIFIED]: "",
    [InvitationDelivery.QUEUED]: "The mail waits for the mail server, and goes out by itself.",
    [InvitationDelivery.SENT]: "The mail is sent.",
    [InvitationDelivery.REFUSED]:
      "The mail could not be sent. If the address is right, send it again; if not, revoke it and name another address.",
  },
};

export const personalData = {
  title: "Personal data",
  hint:
    "The contact, the note, addresses of the network, devices, the resident’s access, the address and the pin, and what the " +
    "history holds of them.",
  export: "Export",
  exporting: "Exporting…",
  saved: (file: string) => `Saved as ${file}.`,
  erase: "Erase…",
  question: "Erase it for good, from the history too? Nothing brings it back.",
  location: "Its address and pin, too",
  stays:
    "It keeps its name, customer and contract IDs, labels, ticketing links, and where it is. An agent that goes on reporting " +
    "brings its network address and devices back.",
  staysWithoutLocation:
    "It keeps its name, customer and contract IDs, labels, ticketing links, and where databases place its network. An agent that " +
    "goes on reporting brings its network address, devices and measured position back.",
  confirm: "Erase for good",
  erasing: "Erasing…",
  erased: (records: number) => `Erased, with ${records} records of the history.`,
};

export const residentState: Record<ResidentAccessState, string> = {
  [ResidentAccessState.UNSPECIFIED]: "Unknown",
  [ResidentAccessState.NONE]: "Not set up.",
  [ResidentAccessState.READY]: "Ready to invite.",
  [ResidentAccessState.INVITED]: "Invited.",
  [ResidentAccessState.ACCEPTED]: "Accepted.",
  [ResidentAccessState.EXPIRED]: "Invitation expired.",
  [ResidentAccessState.REVOKED]: "Revoked.",
};
