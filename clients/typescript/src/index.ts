// A client of waymark for Node.js and browsers: deadlines, repeats, pages, and watches that go on after cuts.
export { connect, type Options, type WaymarkClient } from "./client.js";
export { type Violation, WaymarkError } from "./errors.js";
export { type SiteEvent } from "./ledger.js";
export { each, type Page } from "./pages.js";
export { type WatchOptions } from "./watch.js";
/** All messages, enums and services of the API, as the protos name them. */
export * as pb from "./gen/messages.js";
