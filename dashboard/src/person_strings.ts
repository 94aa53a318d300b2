// The words of a site's agent, its resident, and what is personal of it.
import { InvitationDelivery, ResidentAccessState } from "./gen/waymark/v1/resident_access_pb.js";

export const replacement = {
  title: "Replacing the agent",
  hint: "A new device, or one that was reset, can take over this site. All data of the site is kept.",
  noAgent: "This site has no agent. You can allow an agent to take over the site. All data of the site is kept.",
  begin: "Allow a replacement",
  agentId: "ID of the agent that takes over",
  agentIdHint: "The ID that the new device activates with. A device that was reset keeps its ID.",
  period: "Permission lasts for",
  days: (count: number) => (count === 1 ? "1 day" : `${count} days`),
  effect: (agent: string, until: string) =>
    `When ${agent || "this agent"} next activates, until ${until} at the latest, it takes over this site. This works once. ` +
    "Name, position, contact, note, labels, links, resident access and history are kept.",
  loses: (agent: string) => `Agent ${agent} loses its access at that moment, not earlier.`,
  renews: (agent: string) => `Agent ${agent} gets a new key at that moment, and its old key stops working.`,
  allow: "Allow this replacement",
  allowing: "Allowing…",
  allowed: (agent: string, until: string) => `${agent} may take over this site until ${until}.`,
  change: "Change permission",
  cancel: "Withdraw permission",
  cancelled: "Permission withdrawn: no agent may take over this site.",
};

export const resident = {
  title: "Resident access",
  email: "Resident’s e-mail",
  bound: "The invitation belongs to this address. To enter another address, revoke the invitation first.",
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
  noneBlocks: "At this site, the internet cannot be blocked for any of these devices.",
  gone: "no longer reported",
  noDevices: "No devices were reported for this site yet.",
  setUp: "Set up",
  invite: "Invite",
  resend: "Send again",
  revoke: "Revoke",
  invited: (at: string, until: string) => `Since ${at}. The link works until ${until}.`,
  ended: (at: string, until: string) => `Invited ${at}. The link worked until ${until}.`,
  since: (at: string) => `Since ${at}.`,
  conflict: "Somebody changed this access meanwhile. What you chose is kept. Check the fields, then save again.",
  crossed: "Somebody changed this access meanwhile. Check the access, then repeat your choice.",
  delivery: {
    [InvitationDelivery.UNSPECIFIED]: "",
    [InvitationDelivery.QUEUED]: "The mail is waiting for the mail server and will be sent automatically.",
    [InvitationDelivery.SENT]: "The mail was sent.",
    [InvitationDelivery.REFUSED]:
      "The mail could not be sent. If the address is right, send the invitation again. If not, revoke the invitation and enter another address.",
  },
};

export const personalData = {
  title: "Personal data",
  hint:
    "The personal data of this site: the contact, the note, IP addresses, devices, the resident’s access, the address, the pin, and " +
    "what the history holds of these.",
  export: "Export",
  exporting: "Exporting…",
  saved: (file: string) => `Saved as ${file}.`,
  erase: "Erase…",
  question: "Erase the personal data of this site for good, from the history too? This cannot be undone.",
  location: "Also erase the address and the pin",
  stays:
    "The site keeps its name, customer and contract IDs, labels, ticketing links and position. If its agent goes on reporting, " +
    "the IP address and the devices are stored again.",
  staysWithoutLocation:
    "The site keeps its name, customer and contract IDs, labels, ticketing links, and the position that databases give for its " +
    "network. If its agent goes on reporting, the IP address, the devices and the measured position are stored again.",
  confirm: "Erase for good",
  erasing: "Erasing…",
  erased: (records: number) => `Personal data erased, with ${records === 1 ? "1 record" : `${records} records`} of the history.`,
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
