// The words of shares of sites between accounts. Their parts ask for this file by itself, so that it is loaded with the page of who gets in.
import { ShareState } from "./gen/waymark/v1/share_service_pb.js";

export const share = {
  title: "Shares",
  hint:
    "With a share, people of another account see some sites of this account, and cannot change them. Propose a share to get a code, " +
    "and give the code to the other account, which accepts the share.",
  propose: "Propose a share",
  enter: "Enter a code",
  made: "Sites that this account shares",
  received: "Sites that are shared with this account",
  noneMade: "Nothing is shared.",
  noneReceived: "Nothing is shared with this account.",
  further: "More shares",

  name: "What the share is for",
  nameHint: "Both accounts can read this",
  sites: "Which sites",
  sitesSuch: 'labels.customer = "harbour"',
  sitesHint:
    "Sites with these labels; join conditions with AND or OR. When labels of sites change, the share changes with them. Both accounts " +
    "can read this.",
  expiry: "Share ends",
  contacts: "Show contacts and notes",
  contactsHint: "Shown to people of the other account whose tokens show contacts. Everybody else reads •••.",
  contactsMasked: "Your own token masks contacts, so you cannot share contacts.",
  positions: "Show positions",
  make: "Propose share",
  making: "Proposing…",

  proposed: "The share was proposed:",
  once: "The code of the share is shown only now. Give the code to people of the other account, and to nobody else.",
  code: "Code",
  until: (time: string) => `It can be accepted until ${time}.`,
  stored: "I have passed on the code",

  typed: "The code that you were given",
  typedSuch: "wms_…",
  look: "Show the offer",
  looking: "Looking…",
  offer: "Your account is offered this share",
  from: "Whose sites",
  shown: "What is shown",
  ends: "Ends",
  accept: "Accept",
  accepting: "Accepting…",
  already: "Your account accepted this share before, and sees these sites.",
  decline: "Decline…",
  declineSure: "If you decline, the code stops working for everybody. The owner can see that the share was declined.",
  declineNow: "Decline share",
  declineNot: "Do not decline",
  leave: "Not now",
  accepted: (owner: string) => `Share accepted: your account sees sites of ${owner}.`,
  declined: "Share declined.",

  unnamed: "(no name)",
  withContacts: "Contacts and notes are shown",
  withoutContacts: "Contacts and notes are shown as •••",
  exact: "positions are exact",
  rough: "positions are rounded to about a kilometre",
  hidden: "no positions",
  sitesWith: (labels: string) => `Sites with ${labels}`,
  by: (owner: string) => `shared by ${owner}`,
  to: (recipient: string) => `shared with ${recipient}`,
  offeredUntil: (time: string) => `can be accepted until ${time}`,
  endsAt: (time: string) => `ends ${time}`,
  endedAt: (time: string) => `ended ${time}`,
  declinedAt: (time: string) => `declined ${time}`,
  endedBy: (time: string, account: string) => `ended ${time} by ${account}`,
  never: "never ends",
  endless: "Never",
  show: "Show the sites",
  withdraw: "Withdraw offer",
  withdrawSure: "The code of this share stops working. This cannot be undone.",
  end: "End share",
  endSure: "The other account stops seeing these sites at once. This cannot be undone.",
  leaveSure: "Your account stops seeing these sites at once. To see the sites again, your account needs another share from their owner.",
  endNow: "End share now",
  withdrawNow: "Withdraw offer now",
  keep: "Keep share",
};

export const shareState: Record<ShareState, string> = {
  [ShareState.UNSPECIFIED]: "",
  [ShareState.PROPOSED]: "Proposed",
  [ShareState.ACTIVE]: "In effect",
  [ShareState.DECLINED]: "Declined",
  [ShareState.ENDED]: "Ended",
  [ShareState.EXPIRED]: "Expired",
};

/** What is told for a reason of the server; for others what it says itself. */
export const shareFault: Record<string, string> = {
  SHARE_CODE_INVALID:
    "This code does not work. It is mistyped, or the share was accepted by another account, declined, withdrawn, or not accepted in time.",
  SHARE_IN_EFFECT: "Your account already sees sites of that account by another share. End the other share first.",
  CONTACTS_MASKED: "Your own token masks contacts, so you cannot share contacts.",
};
