// Connections that are open and carry nothing, watches that the server refuses, and answers that are errors, under a page on which
// somebody types: it says which of them it is, loses nothing that was typed, and writes nothing twice.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { byId, launch, linkIs, logIn, openFirstSite, openPage, ownFaults, shoot, typeNote } from "./browser.mjs";
import { Gate } from "./gate.mjs";
import { Server } from "./server.mjs";

const SITES = 12;
/** Milliseconds beyond those for which a watch may be silent, a question of the pulse and a call may take, and until the next question. */
const SILENCE_MS = 26_000;
const ANSWER_MS = 8_500;
const CALL_MS = 20_500;
const PULSE_MS = 10_500;
const PULSE_DOWN_MS = 2_500;
/** Milliseconds for the server to do what it was asked for. */
const DONE_MS_MAX = 30_000;
const PERMISSION_DENIED = 7;
/** Parts of a site's page that are asked for when they are opened: by which method, and what shows that they came. */
const PARTS = [["history", "ListSiteChanges", "history-change"], ["resident", "GetResidentAccess", "resident-state"]];
const TYPED = "typed while nothing went through";

let server, gate, token, browser;

before(async () => {
  server = await Server.bare();
  token = await server.fill(SITES);
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

/** A page that speaks to its server through the gate, and is told that all is well. */
async function open() {
  const { page, faults } = await openPage({ browser, server: gate, token });
  await page.clock.install();
  await logIn(page, gate, token);
  await byId(page, "site-row").first().waitFor();
  // A map that moves asks for another watch.
  await page.locator('[data-testid="map"][data-idle="true"]').waitFor();
  await linkIs(page, "sound");
  return { page, faults };
}

const get = (name) => server.call("SiteService", "GetSite", { name }, token);
const write = (site, updateMask) => server.call("SiteService", "UpdateSite", { site, updateMask }, token);

/** How often the note of a site was changed. */
async function changesOf(name) {
  const request = { parent: name, field: "note" };
  return ((await server.call("HistoryService", "ListSiteChanges", request, token)).changes ?? []).length;
}

/** Waits until the server has a note. */
async function noteIs(name, text) {
  const end = Date.now() + DONE_MS_MAX;
  while ((await get(name)).note !== text) assert.ok(Date.now() < end, `the note is not ${text}`);
}

async function close({ page, faults }) {
  assert.deepEqual(ownFaults(faults), []);
  await page.context().close();
}

test("an edit that is saved while nothing goes through is kept, and written once although the first call arrives late", async () => {
  const { page, faults } = await open();
  const name = await typeNote(page, TYPED);
  const before = await changesOf(name);
  gate.freeze();
  const asked = gate.arrived("WhoAmI");
  await page.clock.fastForward(PULSE_MS);
  await asked;
  await page.clock.fastForward(ANSWER_MS);
  await linkIs(page, "lost");
  await page.getByText("What you see is from that time. What you type is kept.").waitFor();

  const saving = gate.arrived("UpdateSite");
  await byId(page, "record-save").click();
  await saving;
  await page.clock.fastForward(CALL_MS);
  await byId(page, "error-banner").getByText("The server cannot be reached").first().waitFor();
  assert.equal(await byId(page, "record-note").inputValue(), TYPED, "what is typed stays");
  assert.equal((await get(name)).note ?? "", "", "nothing went through");
  await shoot(page, "half-open-unsaved", byId(page, "record-note"));

  // What was sent and given up arrives after all. The page cannot know, and saves again.
  gate.thaw();
  await noteIs(name, TYPED);
  await page.clock.fastForward(PULSE_DOWN_MS);
  await linkIs(page, "back", "sound");
  assert.equal(await byId(page, "record-note").inputValue(), TYPED);
  await byId(page, "record-save").click();
  await byId(page, "record-note").waitFor({ state: "detached" });
  assert.equal((await get(name)).note, TYPED);
  assert.equal(await changesOf(name), before + 1, "sent twice, written once");
  // And the page is live again.
  await write({ name, displayName: "renamed behind the standstill" }, "displayName");
  await byId(page, "site-panel").getByText("renamed behind the standstill").first().waitFor();
  await write({ name, note: "" }, "note");
  await close({ page, faults });
});

test("what others write while the watch is silent comes into the form when there is another one, beside what is typed", async () => {
  const { page, faults } = await open();
  const name = await typeNote(page, TYPED);
  gate.silence("WatchViewport");
  await page.clock.fastForward(SILENCE_MS);
  await linkIs(page, "connecting");
  await write({ name, contractId: "K-44" }, "contractId");
  gate.open("WatchViewport");
  // The one that was begun meanwhile is as silent.
  await page.clock.fastForward(SILENCE_MS);
  await linkIs(page, "back", "sound");
  await byId(page, "followed").filter({ hasText: "Contract ID" }).waitFor();
  assert.equal(await byId(page, "record-contractId").inputValue(), "K-44");
  assert.equal(await byId(page, "record-note").inputValue(), TYPED);
  await byId(page, "record-save").click();
  await byId(page, "record-note").waitFor({ state: "detached" });
  const { note, contractId } = await get(name);
  assert.deepEqual([note, contractId], [TYPED, "K-44"]);
  await write({ name, note: "" }, "note");
  await close({ page, faults });
});

test("a watch that the server refuses is said to have ended, and is tried again when somebody wants that", async () => {
  const { page, faults } = await open();
  gate.refuse("WatchViewport", PERMISSION_DENIED, "no watches today");
  gate.sever("WatchViewport");
  await linkIs(page, "ended");
  await page.getByText("The map and the list are no longer updated").waitFor();
  await shoot(page, "watch-ended");
  // It says what is so: nothing is tried, however long one waits.
  let isTried = false;
  void gate.arrived("WatchViewport").then(() => (isTried = true));
  for (let turn = 0; turn < 3; turn += 1) {
    const asked = gate.arrived("WhoAmI");
    await page.clock.fastForward(PULSE_MS);
    await asked;
    // And has the answer: a whole turn of the page's own loop, by way of the server.
    await page.evaluate(() => fetch("/healthz").then((answer) => answer.text()));
  }
  await linkIs(page, "ended");
  assert.equal(isTried, false);
  assert.equal(await page.getByText("Connecting again").count(), 0);

  // The button does, and what it leads to is told again.
  const tried = gate.arrived("WatchViewport");
  await byId(page, "link-retry").click();
  await tried;
  await linkIs(page, "ended");
  gate.open("WatchViewport");
  await byId(page, "link-retry").click();
  await linkIs(page, "back", "sound");
  const name = await openFirstSite(page);
  await write({ name, displayName: "renamed behind the refusal" }, "displayName");
  await byId(page, "site-panel").getByText("renamed behind the refusal").first().waitFor();
  await close({ page, faults });
});

test("a server that answers with errors is not said to be silent", async () => {
  const { page, faults } = await open();
  gate.refuse("WhoAmI");
  await page.clock.fastForward(PULSE_MS);
  await linkIs(page, "failing");
  await page.getByText("The server answers with an error").waitFor();
  await page.getByText("the disk is full").waitFor();
  await shoot(page, "link-failing");
  gate.open("WhoAmI");
  await page.clock.fastForward(PULSE_DOWN_MS);
  await linkIs(page, "back", "sound");
  await close({ page, faults });
});

test("a part of a site's page says that it is on its way, and why it did not come, and is asked for again by the keys", async () => {
  const { page, faults } = await open();
  await write({ name: await openFirstSite(page), contractId: "K-45" }, "contractId");
  for (const [id, method, shown] of PARTS) {
    const part = byId(page, id);
    const held = gate.hold(method);
    await part.locator("summary").click();
    await held;
    await part.getByText("Loading…").waitFor();
    gate.open(method);
    await part.getByTestId(shown).first().waitFor();
    await part.locator("summary").click();
    gate.refuse(method);
    await part.locator("summary").click();
    const banner = part.getByTestId("error-banner");
    await banner.getByText("The request failed. The disk is full.").waitFor();
    await shoot(page, `failed-${id}`, banner);
    assert.ok(await part.getByTestId(shown).first().isVisible(), "what is known stays");
    gate.open(method);
    await banner.getByRole("button", { name: "Try again" }).press("Enter");
    await banner.waitFor({ state: "detached" });
    await part.locator("summary:focus").waitFor();
  }
  await close({ page, faults });
});

test("a queue that does not come says why, and is asked for again", async () => {
  const { page, faults } = await open();
  gate.refuse("ListAttention");
  await byId(page, "open-attention").click();
  const banner = byId(page, "attention").getByTestId("error-banner");
  await banner.getByText("The request failed. The disk is full.").waitFor();
  assert.equal(await byId(page, "attention-none").count(), 0, "an error is not an empty queue");
  gate.open("ListAttention");
  await banner.getByRole("button", { name: "Try again" }).click();
  await byId(page, "attention-none").waitFor();
  assert.equal(await banner.count(), 0);
  await close({ page, faults });
});
