// The words of the connection to the server: that it is lost, slow, behind, or back, that the page is not the newest any more, and
// what becomes of unsaved edits when a token ends.

export const link = {
  lost: (since: string) =>
    `The server has not answered since ${since}. What you see is from that time. What you type is kept. Trying again.`,
  failing: (why: string) => `The server answers with an error. ${why} What you see may be out of date. What you type is kept. Trying again.`,
  connecting: "The live connection is interrupted. What you type is kept. Connecting again.",
  ended: (why: string) => `The map and the list are no longer updated. ${why} What you type is kept. To connect again, choose “Try now”.`,
  deviceOffline: "This device has no network. What you see may be out of date. What you type is kept.",
  slow: "The server answers slowly. What you do may take a while.",
  stale: (seconds: string) =>
    `This server has had no contact with the other servers for ${seconds} seconds. What you see may be that old, and changes may be refused.`,
  back: "Connected again. Everything is up to date.",
  tryNow: "Try now",
};

export const newer = {
  told: "The server has another version of this page. Reload the page when it suits you.",
  unsaved: "Save your edits first: reloading loses unsaved edits.",
  reload: "Reload",
};

export const kept = {
  readable: (sites: number) =>
    sites === 1
      ? "Unsaved edits of 1 site are kept in this tab, but this token cannot save them. Sign in with a token that may change the site, or copy the edits."
      : `Unsaved edits of ${sites} sites are kept in this tab, but this token cannot save them. Sign in with a token that may change the sites, or copy the edits.`,
  hidden: (sites: number) =>
    sites === 1
      ? "Unsaved edits of 1 site are kept in this tab, but this token may not see them. To go on with the edits, sign in with a token like the one that you used to type them."
      : `Unsaved edits of ${sites} sites are kept in this tab, but this token may not see them. To go on with the edits, sign in with a token like the one that you used to type them.`,
  text: "Unsaved edits",
  copy: "Copy",
  copied: "Copied",
  copyFailed: "This browser does not let the page copy. The text is selected: copy it yourself.",
  discard: "Discard edits",
  discardSure: "Discard these unsaved edits? They cannot be brought back.",
  site: (id: string) => `Site ${id}`,
  /** What is called a field that the record has no word for. */
  field: { typed: "Address", pin: "Pin", links: "Ticketing", days: "Days" } as Record<string, string>,
};
