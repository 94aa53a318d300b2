// A server that is upgraded while its page is open: the page says so when its connection is back, and reloads when somebody wants that.
import assert from "node:assert/strict";
import { after, before, beforeEach, afterEach, test } from "node:test";
import { byId, launch, linkIs, logIn, openPage, ownFaults, shoot, typeNote } from "./browser.mjs";
import { Gate } from "./gate.mjs";
import { Server } from "./server.mjs";

const TYPED = "typed before the upgrade";
/** Milliseconds beyond those between two looks of a page that nothing happens to. */
const LOOK_MS = 601_000;

let server, gate, token, browser;

before(async () => {
  server = await Server.bare();
  token = await server.fill(12);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

beforeEach(async () => {
  gate = await Gate.before(server);
});

afterEach(async () => {
  await gate.stop();
});

async function open() {
  const { page, faults } = await openPage({ browser, server: gate, token });
  await page.clock.install();
  await logIn(page, gate, token);
  await linkIs(page, "sound");
  // Whether this is still the page that was opened.
  await page.evaluate(() => (window.opened = true));
  return { page, faults, isOpened: () => page.evaluate(() => window.opened === true) };
}

/** Another build: what is in a file is in its name. */
const upgrade = () => gate.change("", (html) => html.replaceAll(/(\/assets\/index)-[\w-]+/g, "$1-another"));
const banner = (page) => byId(page, "newer-page");

/** Resolves when the page has asked what the server's page is, from now on. */
async function looked(page) {
  await page.waitForResponse((response) => response.url() === `${gate.url}/`);
  // And has read it: a whole turn of the page's own loop, by way of the server.
  await page.evaluate(() => fetch("/healthz").then((answer) => answer.text()));
}

/** Ends the server and starts it again, and waits until the page has it back. */
async function comeBack(page) {
  const asked = looked(page);
  await server.restart();
  await asked;
  await linkIs(page, "back", "sound");
}

test("the page of another build is told of when the connection is back, and nothing typed is lost by it", async () => {
  const { page, faults, isOpened } = await open();
  const name = await typeNote(page, TYPED);
  await comeBack(page);
  assert.equal(await banner(page).count(), 0, "it is the same page");

  upgrade();
  await comeBack(page);
  await banner(page).getByText("another version of this page").waitFor();
  await banner(page).getByText("Save your edits first").waitFor();
  await shoot(page, "newer-page");
  assert.ok(await isOpened(), "it reloads nothing by itself");
  assert.equal(await byId(page, "record-note").inputValue(), TYPED);

  // Whoever reloads with something unsaved is asked first.
  const asked = page.waitForEvent("dialog");
  const click = byId(page, "newer-reload").click({ noWaitAfter: true });
  const dialog = await asked;
  assert.equal(dialog.type(), "beforeunload");
  await dialog.dismiss();
  await click;
  assert.ok(await isOpened());
  await byId(page, "record-save").click();
  await byId(page, "record-note").waitFor({ state: "detached" });
  assert.equal((await server.call("SiteService", "GetSite", { name }, token)).note, TYPED);
  await banner(page).getByText("Save your edits first").waitFor({ state: "detached" });

  // What is there to reload is the page of the server as it is.
  gate.change("", undefined);
  await byId(page, "newer-reload").click();
  await page.waitForFunction(() => window.opened === undefined && document.querySelector('[data-testid="map"]') !== null);
  await byId(page, "site-panel").waitFor();
  assert.equal(await banner(page).count(), 0);
  assert.deepEqual(ownFaults(faults), []);
  await page.context().close();
});

test("a page that nothing happens to looks now and then, and takes its word back when the upgrade is", async () => {
  const { page, faults, isOpened } = await open();
  upgrade();
  await page.clock.fastForward(LOOK_MS);
  await banner(page).waitFor();
  gate.change("", undefined);
  await page.clock.fastForward(LOOK_MS);
  await banner(page).waitFor({ state: "detached" });
  // A page of somebody else, as of a proxy that wants one to log in, says nothing.
  gate.change("", () => "<!doctype html><title>Log in</title><script type=module src=/login.js></script>");
  const asked = looked(page);
  await page.clock.fastForward(LOOK_MS);
  await asked;
  assert.equal(await banner(page).count(), 0);
  assert.ok(await isOpened());
  assert.deepEqual(ownFaults(faults), []);
  await page.context().close();
});
