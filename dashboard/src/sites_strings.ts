// The words of editing together, of the list, of the queue of what needs attention, and of bulk changes, for strings.ts.
import { AttentionReason } from "./gen/waymark/v1/attention_pb.js";

export const conflict = {
  mine: "Keep mine",
  theirs: "Take theirs",
  changed: "Changed by somebody else meanwhile",
  empty: "(empty)",
  field: (field: string) => `Somebody else changed ${field} while you were typing`,
  open: (count: number) =>
    count === 1 ? "One field was changed by somebody else, too: choose above." : `${count} fields were changed by somebody else, too: choose above.`,
  followed: (fields: string) => `Somebody else changed meanwhile, and you see it here: ${fields}.`,
  unsaved: (count: number) => (count === 1 ? "1 unsaved edit" : `${count} unsaved edits`),
  unsavedHint: "Go to the site whose edit is not saved",
  leave: "Some of what you typed is not saved. Sign out and lose it?",
};

export const rows = {
  label: "Sites",
  problems: "Problems first",
  select: "Select",
  selectAll: "Select all",
  selected: (count: string) => `${count} selected`,
  keys: "Arrows move, Enter opens, Space selects, Shift with arrows selects on.",
  loaded: (count: string) => `${count} sites loaded, more follow.`,
};

export const bulk = {
  title: "Change the selected sites",
  clear: "Clear",
  setStatus: "Set status",
  setLabel: "Set label",
  exportCsv: "Export CSV",
  key: "Label",
  value: "Value",
  status: "Status",
  apply: "Apply",
  stop: "Stop",
  stopping: "Stopping…",
  gathering: (count: string) => `Gathering sites: ${count}`,
  tooMany: (count: string) => `The first ${count} are selected: so many can be changed at once.`,
  running: (done: string, all: string) => `${done} of ${all}`,
  done: (changed: string) => (changed === "1" ? "1 site is done." : `${changed} sites are done.`),
  stopped: (done: string, left: string) => `Stopped: ${done} sites are done, ${left} are not.`,
  failed: (count: string) => (count === "1" ? "1 site was not changed:" : `${count} sites were not changed:`),
  unknown: (count: string) =>
    count === "1"
      ? "1 site may or may not have been changed: no answer tells."
      : `${count} sites may or may not have been changed: no answer tells which.`,
  repeat: "Do it again for these",
  keepFailed: "Select these alone",
  exported: (count: string) => `${count} sites are in the file.`,
};

export const attention = {
  open: (count: string) => `Needs attention ${count}`,
  openShort: "Needs attention",
  title: "Needs attention",
  back: "All sites",
  /** The server's reasons. To be approximate, or offline, is none: those are counted beside it. */
  all: "All reasons",
  none: "Nothing needs attention. Well done.",
  noneOfKind: "Nothing is left of this kind.",
  noneRead: "Nothing else is left here.",
  place: (place: string, all: string) => `${place} of ${all}`,
  keys: "Keys",
  previous: "Previous",
  next: "Next",
  skip: "Skip",
  accept: "It is right as it is",
  accepted: (name: string) => `${name}: it is right as it is.`,
  moved: (name: string) => `${name} is placed.`,
  undo: "Undo",
  undone: (name: string) => `${name} is back in the queue.`,
  openSite: "Open the site",
  automatic: "Back to the estimate",
  verify: "Check the links again",
  verified: (name: string) => `The links of ${name} were checked.`,
  looking: "Looking for places…",
  noCandidates: "No place answers. Open the site to type another address or to place a pin.",
  candidates: "Which place is it?",
  typed: (address: string) => `Typed: ${address}`,
  far: (distance: string) => `The pin is ${distance} from where its network seems to be`,
  otherCountry: "in another country",
  crowd: (count: string) => `${count} sites were put on this very spot`,
  crowdHint: "If it stands elsewhere, open the site to type its address or to place a pin.",
  brokenLink: (system: string, organization: string) => `${system}: ${organization} is gone`,
  waits: (time: string) => `Asked again ${time}`,
  neighbour: (name: string) => `Where ${name} is, in the same network`,
  conflict: "Somebody changed this site meanwhile. Look at it again.",
  reason: {
    [AttentionReason.UNSPECIFIED]: "",
    [AttentionReason.UNPLACED]: "No position",
    [AttentionReason.ADDRESS_FAILED]: "Address not found",
    [AttentionReason.ADDRESS_AMBIGUOUS]: "Ambiguous address",
    [AttentionReason.ADDRESS_PENDING]: "Address waits",
    [AttentionReason.PIN_FAR_FROM_GEOIP]: "Far from its network",
    [AttentionReason.ADDRESS_EXPIRED]: "Address expired",
    [AttentionReason.TICKETING_LINK_BROKEN]: "Broken link",
    [AttentionReason.CROWDED]: "Crowded spot",
  } satisfies Record<AttentionReason, string>,
  approximate: "Approximate",
  offline: "Offline",
};
