// The words of the connection to the server: that it is lost, slow, behind, or back, that the page is not the newest any more, and
// what becomes of unsaved edits when a token ends.

export const link = {
  lost: (since: string) =>
    `The server does not answer since ${since}. What you see is from then, and what you type is kept. Trying again.`,
  failing: (why: string) => `The server answers with an error. What you see may have changed, and what you type is kept. Trying again. ${why}`,
  connecting: "The live connection is interrupted. Connecting again; what you type is kept.",
  ended: (why: string) => `The map and the list are not kept up to date any more, and will not be by themselves. What you type is kept. ${why}`,
  deviceOffline: "This device has no network. What you see may have changed, and what you type is kept.",
  slow: "The server answers slowly. What you do may take a while.",
  stale: (seconds: string) =>
    `This server has not heard from the others for ${seconds} seconds: what you see may be that old, and changes may be refused.`,
  back: "Connected again. Everything is up to date.",
  tryNow: "Try now",
};

export const newer = {
  told: "The server has another version of this page than the one that is open. Reload it when it suits you.",
  unsaved: "Save what you typed before: it would be lost.",
  reload: "Reload",
};

export const kept = {
  readable: (sites: number) =>
    sites === 1
      ? "Unsaved edits of 1 site are put aside: they cannot be saved now. Sign in with a token that may change it, or copy them."
      : `Unsaved edits of ${sites} sites are put aside: they cannot be saved now. Sign in with a token that may change these, or copy them.`,
  hidden: (sites: number) =>
    sites === 1
      ? "Unsaved edits of 1 site are put aside that this token is not shown. A token like the one that they were typed with takes them up, in this tab."
      : `Unsaved edits of ${sites} sites are put aside that this token is not shown. A token like the one that they were typed with takes them up, in this tab.`,
  text: "Unsaved edits",
  copy: "Copy",
  copied: "Copied",
  copyFailed: "This browser does not copy for the page: copy what is selected.",
  discard: "Discard",
  discardSure: "What was put aside is not saved. Lose it?",
  site: (id: string) => `Site ${id}`,
  /** What is called a field that the record has no word for. */
  field: { typed: "Address", pin: "Pin", links: "Ticketing", days: "Days" } as Record<string, string>,
};
