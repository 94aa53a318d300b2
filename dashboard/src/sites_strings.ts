// The words of editing together, of the list, of the queue of what needs attention, and of bulk changes, for strings.ts.
import { AttentionReason } from "./gen/waymark/v1/attention_pb.js";

export const conflict = {
  mine: "Keep mine",
  theirs: "Take theirs",
  changed: "Changed by somebody else meanwhile",
  empty: "(empty)",
  field: (field: string) => `Somebody else changed ${field} while you were typing`,
  open: (count: number) =>
    count === 1
      ? "Somebody else changed 1 field that you edited. Choose above which value to keep, then save."
      : `Somebody else changed ${count} fields that you edited. Choose above which values to keep, then save.`,
  followed: (fields: string) => `Somebody else changed these fields meanwhile, and the form shows the new values: ${fields}.`,
  unsaved: (count: number) => (count === 1 ? "1 unsaved edit" : `${count} unsaved edits`),
  unsavedHint: "Go to the site with the unsaved edit",
  leave: "You have unsaved edits. Sign out and lose these edits?",
};

export const rows = {
  label: "Sites",
  problems: "Problems first",
  select: "Select",
  selectAll: "Select all",
  selected: (count: string) => `${count} selected`,
  keys: "Arrow keys move, Enter opens a site, Space selects, Shift with arrow keys extends the selection.",
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
  gathering: (count: string) => `Selecting sites: ${count}`,
  tooMany: (count: string) => `Only the first ${count} sites are selected: no more can be changed at once.`,
  running: (done: string, all: string) => `${done} of ${all}`,
  done: (changed: string) => (changed === "1" ? "1 site has the new value." : `${changed} sites have the new value.`),
  stopped: (done: string, left: string) => `Stopped. Sites that have the new value: ${done}. Sites that were not changed: ${left}.`,
  failed: (count: string) => (count === "1" ? "1 site was not changed:" : `${count} sites were not changed:`),
  unknown: (count: string) =>
    count === "1"
      ? "1 site may or may not have been changed: the server gave no clear answer."
      : `${count} sites may or may not have been changed: the server gave no clear answer.`,
  repeat: "Try these sites again",
  keepFailed: "Select only these sites",
  exported: (count: string) => `${count} sites are in the file.`,
  notInFile: (count: string) => (count === "1" ? "1 site could not be read:" : `${count} sites could not be read:`),
  notExported: "No file was saved.",
};

export const attention = {
  open: (count: string) => `Needs attention ${count}`,
  openShort: "Needs attention",
  title: "Needs attention",
  back: "All sites",
  /** The server's reasons. To be approximate, or offline, is none: those are counted beside it. */
  all: "All reasons",
  none: "Nothing needs attention. Well done.",
  noneOfKind: "No sites of this kind are left.",
  noneRead: "No other sites are left here.",
  place: (place: string, all: string) => `${place} of ${all}`,
  keys: "Keys",
  previous: "Previous",
  next: "Next",
  skip: "Skip",
  accept: "Keep as it is",
  accepted: (name: string) => `${name} is kept as it is.`,
  moved: (name: string) => `${name} is placed.`,
  reset: (name: string) => `The position of ${name} was reset to automatic.`,
  undo: "Undo",
  undone: (name: string) => `${name} is back in the queue.`,
  openSite: "Open the site",
  automatic: "Reset to automatic position",
  verify: "Check the links again",
  verified: (name: string) => `The links of ${name} were checked.`,
  looking: "Looking for places…",
  noCandidates: "No place was found. Open the site to type another address or to place a pin.",
  candidates: "Which place is it?",
  typed: (address: string) => `Typed: ${address}`,
  far: (distance: string) => `The pin is ${distance} from where the site’s network seems to be`,
  otherCountry: "in another country",
  crowd: (count: string) => `${count} sites were placed on exactly this spot`,
  crowdHint: "If this site is somewhere else, open the site to type its address or to place a pin.",
  brokenLink: (system: string, organization: string) => `${system}, ${organization}:`,
  waits: (time: string) => `Next lookup: ${time}`,
  neighbour: (name: string) => `Same place as ${name}, in the same network`,
  conflict: "Somebody changed this site meanwhile. Check the site, then repeat your choice.",
  reason: {
    [AttentionReason.UNSPECIFIED]: "",
    [AttentionReason.UNPLACED]: "No position",
    [AttentionReason.ADDRESS_FAILED]: "Address not found",
    [AttentionReason.ADDRESS_AMBIGUOUS]: "Ambiguous address",
    [AttentionReason.ADDRESS_PENDING]: "Address pending",
    [AttentionReason.PIN_FAR_FROM_GEOIP]: "Far from its network",
    [AttentionReason.ADDRESS_EXPIRED]: "Address expired",
    [AttentionReason.TICKETING_LINK_BROKEN]: "Broken link",
    [AttentionReason.CROWDED]: "Crowded spot",
  } satisfies Record<AttentionReason, string>,
  approximate: "Approximate",
  offline: "Offline",
};
