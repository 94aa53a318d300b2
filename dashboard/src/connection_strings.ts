// The words of the connection to the server: that it is lost, slow, behind, or back.

export const link = {
  lost: (since: string) =>
    `The server does not answer since ${since}. What you see is from then, and what you type is kept. Trying again.`,
  connecting: "The live connection is interrupted. Connecting again; what you type is kept.",
  deviceOffline: "This device has no network. What you see may have changed, and what you type is kept.",
  slow: "The server answers slowly. What you do may take a while.",
  stale: (seconds: string) =>
    `This server has not heard from the others for ${seconds} seconds: what you see may be that old, and changes may be refused.`,
  back: "Connected again. Everything is up to date.",
  tryNow: "Try now",
};
