// What the page shows while something is not as it should be: nothing yet, nothing at all, an error, a slow answer, no network, a
// stream that stays open and says nothing, no map. It says so in words, nothing else stops, and nothing that was typed is lost.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { byId, launch, linkIs, logIn, openFirstSite, openMore, openPage, ownFaults, shoot, symbolsDrawn } from "./browser.mjs";
import { Gate } from "./gate.mjs";
import { Server } from "./server.mjs";

/** Three calls of a change of all of them. */
const SITES = 250;
/** Milliseconds beyond those for which a watch may be silent, an answer may take, and until the next question of the pulse. */
const SILENCE_MS = 26_000;
const SLOW_MS = 3_500;
const PULSE_MS = 10_500;
const TYPED = "typed while the network was away";

let server, gate, token, browser;
/** Questions of each page's pulse that have no answer yet. */
const pulses = new WeakMap();

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

/** A page that speaks to its server through the gate. Its time goes on as it does, and leaps where a test says so. */
async function open(secret = token) {
  const { page, faults } = await openPage({ browser, server: gate, token: secret });
  const asked = new Set();
  page.on("request", (request) => request.url().endsWith("/WhoAmI") && asked.add(request));
  for (const end of ["requestfinished", "requestfailed"]) page.on(end, (request) => asked.delete(request));
  pulses.set(page, asked);
  await page.clock.install();
  return { page, faults };
}

/** Resolves when the page has an answer to each question of its pulse: time that leaps before would be time that it waited. */
async function pulseAnswered(page) {
  while (pulses.get(page).size > 0) await page.waitForEvent("requestfinished");
  // And has read it: a whole turn of the page's own loop, by way of the server.
  await page.evaluate(() => fetch("/healthz").then((answer) => answer.text()));
}

const list = (page) => byId(page, "site-list");

async function close({ page, faults }) {
  assert.deepEqual(ownFaults(faults), []);
  await page.context().close();
}

test("before the map knows what is in view, nobody says that nothing is", async () => {
  const { page, faults } = await open();
  // What the map waits for before it begins.
  const held = gate.hold("basemap.json");
  await logIn(page, gate, token);
  await held;
  await list(page).getByText("Loading…").waitFor();
  assert.equal(await list(page).getAttribute("aria-busy"), "true");
  assert.equal(await page.getByText("No sites in view").count(), 0);
  gate.open("basemap.json");
  await symbolsDrawn(page);
  await byId(page, "site-row").first().waitFor();
  await close({ page, faults });
});

test("while the list is on its way it says so, and the map is there already", async () => {
  const { page, faults } = await open();
  const held = gate.hold("ListViewportSites");
  await logIn(page, gate, token);
  await held;
  await list(page).getByText("Loading…").waitFor();
  assert.equal(await list(page).getAttribute("aria-busy"), "true");
  assert.equal(await page.getByText("No sites in view").count(), 0, "nobody knows that yet");
  await symbolsDrawn(page);
  await shoot(page, "state-loading");
  // Nothing waits for it: the map moves meanwhile.
  const zoom = await byId(page, "map").getAttribute("data-zoom");
  await page.getByLabel("Zoom in").click();
  await page.waitForFunction((zoom) => document.querySelector('[data-testid="map"]').dataset.zoom !== zoom, zoom);
  gate.open("ListViewportSites");
  await byId(page, "site-row").first().waitFor();
  await page.locator('[data-testid="site-list"][aria-busy="false"]').waitFor();
  await close({ page, faults });
});

test("while the map is on its way nothing is said to be empty, and the first word of the server fills it", async () => {
  const { page, faults } = await open();
  const held = gate.hold("WatchViewport");
  await logIn(page, gate, token);
  await held;
  await byId(page, "site-row").first().waitFor();
  assert.equal(await byId(page, "map").getAttribute("data-clusters").then((told) => Number(told ?? 0)), 0);
  await byId(page, "map-loading").getByText("Loading the sites…").waitFor();
  await shoot(page, "state-map-loading");
  gate.open("WatchViewport");
  await symbolsDrawn(page);
  await byId(page, "map-loading").waitFor({ state: "detached" });
  await close({ page, faults });
});

test("an error is told where it happened, in words, with a way to try again", async () => {
  const { page, faults } = await open();
  gate.refuse("ListViewportSites");
  await logIn(page, gate, token);
  const banner = page.locator("#sites").getByTestId("error-banner");
  await banner.getByText("The request failed. The disk is full.").waitFor();
  assert.equal(await page.getByText("No sites in view").count(), 0, "an error is not an empty list");
  await symbolsDrawn(page);
  await linkIs(page, "sound");
  await shoot(page, "state-error");
  gate.open("ListViewportSites");
  await banner.getByRole("button", { name: "Try again" }).click();
  await byId(page, "site-row").first().waitFor();
  assert.equal(await banner.count(), 0);
  await close({ page, faults });
});

test("an account without sites, a view without any, and a filter that nothing matches say which of them it is", async () => {
  const account = { accountId: "hollow", account: { displayName: "Hollow" } };
  await server.call("AdminService", "CreateAccount", account, server.adminToken);
  const request = { parent: "accounts/hollow", token: { scope: "TOKEN_SCOPE_EDITOR" } };
  const { secret } = await server.call("AdminService", "CreateToken", request, server.adminToken);
  const hollow = await open(secret);
  await logIn(hollow.page, gate, secret);
  await list(hollow.page).getByText("No sites yet. They appear here as soon as their agents activate.").waitFor();
  await shoot(hollow.page, "state-empty-account");
  await hollow.page.getByTestId("open-attention").click();
  await byId(hollow.page, "attention-none").getByText("Nothing needs attention.").waitFor();
  await shoot(hollow.page, "state-empty-queue");
  // One that is nowhere is one.
  await hollow.page.getByTestId("open-attention").click();
  await list(hollow.page).getByText("No sites yet.").waitFor();
  await server.call("SiteService", "CreateSite", { parent: "accounts/hollow", site: { displayName: "Nowhere" } }, secret);
  await list(hollow.page).getByText("No site has a position yet.").waitFor();
  await close(hollow);

  const { page, faults } = await open();
  await page.goto(`${gate.url}/#account=demo&map=6/-40/-120`);
  await byId(page, "login-token").fill(token);
  await byId(page, "login-submit").click();
  await list(page).getByText("No sites in view. Zoom out, or move the map.").waitFor();
  await shoot(page, "state-empty-view");
  await page.getByLabel("Show the whole world").click();
  await byId(page, "site-row").first().waitFor();
  await byId(page, "search").fill("zzzzqqq");
  await page.keyboard.press("Enter");
  await list(page).getByText(/No site in view has these words/).waitFor();
  await close({ page, faults });
});

test("a stream that stays open and says nothing is noticed by its silence, and a new one takes its place", async () => {
  const { page, faults } = await open();
  await logIn(page, gate, token);
  await symbolsDrawn(page);
  await linkIs(page, "sound");
  gate.silence("WatchViewport");
  await page.clock.fastForward(SILENCE_MS);
  await linkIs(page, "connecting");
  await page.getByText("The live connection is interrupted").waitFor();
  // All else goes on: the server answers whatever it is asked.
  const name = await openFirstSite(page);
  await byId(page, "site-position").waitFor();
  await shoot(page, "state-half-open");
  gate.open("WatchViewport");
  // The one that was begun meanwhile is as silent.
  await page.clock.fastForward(SILENCE_MS);
  await linkIs(page, "back", "sound");
  const site = { name, displayName: "renamed behind the silence" };
  await server.call("SiteService", "UpdateSite", { site, updateMask: "displayName" }, token);
  await byId(page, "site-panel").getByText(site.displayName).first().waitFor();
  await close({ page, faults });
});

test("a stream that says that nothing happens is no silent one", async () => {
  const { page, faults } = await open();
  await logIn(page, gate, token);
  await symbolsDrawn(page);
  await linkIs(page, "sound");
  await pulseAnswered(page);
  await page.evaluate(() => {
    const link = document.querySelector('[data-testid="link-state"]');
    window.kinds = new Set([link.dataset.kind]);
    new MutationObserver(() => window.kinds.add(link.dataset.kind)).observe(link, { attributes: true });
  });
  // The word of a quiet watch comes every ten seconds of the server's own time, and the page waits anew from it on.
  for (let word = 0; word < 2; word += 1) {
    await page.clock.fastForward(SILENCE_MS / 2);
    await gate.heard("WatchViewport");
    await pulseAnswered(page);
  }
  await page.clock.fastForward(SILENCE_MS / 2);
  assert.deepEqual(await page.evaluate(() => [...window.kinds]), ["sound"]);
  await close({ page, faults });
});

test("an answer that takes long is told while it is waited for, and told no more when the next comes soon", async () => {
  const { page, faults } = await open();
  await logIn(page, gate, token);
  await symbolsDrawn(page);
  await linkIs(page, "sound");
  const held = gate.hold("WhoAmI");
  await page.clock.fastForward(PULSE_MS);
  await held;
  await page.clock.fastForward(SLOW_MS);
  await linkIs(page, "slow");
  await page.getByText("The server answers slowly").waitFor();
  await shoot(page, "state-slow");
  gate.open("WhoAmI");
  await page.clock.fastForward(PULSE_MS);
  await linkIs(page, "sound");
  await close({ page, faults });
});

test("a device without a network says that it is the device, keeps what is typed, and goes on by itself", async () => {
  const { page, faults } = await open();
  await logIn(page, gate, token);
  await symbolsDrawn(page);
  const name = await openFirstSite(page);
  await byId(page, "record-edit").click();
  await byId(page, "record-note").fill(TYPED);
  await page.context().setOffline(true);
  await linkIs(page, "lost");
  await page.getByText("This device has no network").waitFor();
  await shoot(page, "state-offline");
  await page.context().setOffline(false);
  await page.clock.fastForward(PULSE_MS);
  await linkIs(page, "back", "sound");
  assert.equal(await byId(page, "record-note").inputValue(), TYPED);
  await byId(page, "record-save").click();
  await byId(page, "record-note").waitFor({ state: "detached" });
  assert.equal((await server.call("SiteService", "GetSite", { name }, token)).note, TYPED);
  await close({ page, faults });
});

test("without WebGL there is no map, and the list, its twin, has all sites", async () => {
  const { page, faults } = await open();
  await page.addInitScript(() => {
    const real = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
      return /webgl/.test(kind) ? null : real.call(this, kind, ...more);
    };
  });
  await logIn(page, gate, token);
  await page.getByText("The map could not start.").waitFor();
  await byId(page, "list-total").filter({ hasText: `${SITES} in view` }).waitFor();
  await openFirstSite(page);
  await byId(page, "site-position").waitFor();
  if (process.env.SHOT_DIR) await page.screenshot({ path: `${process.env.SHOT_DIR}/state-no-map.png` });
  assert.deepEqual(faults.filter((fault) => !/webgl/i.test(fault)), []);
  await page.context().close();
});

test("a change of many sites shows how far it is, the map goes on, and stopping it tells what is done and what is not", async () => {
  const { page, faults } = await open();
  await logIn(page, gate, token);
  await symbolsDrawn(page);
  await byId(page, "site-row").first().waitFor();
  await byId(page, "select-all").click();
  await byId(page, "selected-count").filter({ hasText: `${SITES} selected` }).waitFor();
  await byId(page, "bulk-set-status").click();
  await byId(page, "bulk-status").selectOption({ label: "Maintenance" });
  const begun = gate.hold("ImportSites");
  await byId(page, "bulk-apply").click();
  await begun;
  const bar = page.locator("#sites progress");
  await page.getByText(`0 of ${SITES}`, { exact: true }).waitFor();
  gate.open("ImportSites");
  const second = gate.hold("ImportSites");
  await second;
  await page.getByText(`100 of ${SITES}`, { exact: true }).waitFor();
  assert.deepEqual(await bar.evaluate(({ value, max }) => [value, max]), [100, SITES]);
  await shoot(page, "bulk-progress");
  const zoom = await byId(page, "map").getAttribute("data-zoom");
  await page.getByLabel("Zoom in").click();
  await page.waitForFunction((zoom) => document.querySelector('[data-testid="map"]').dataset.zoom !== zoom, zoom);
  // What is on its way is done, and counted as such.
  await byId(page, "bulk-stop").click();
  gate.open("ImportSites");
  await byId(page, "bulk-message").filter({ hasText: "Sites that have the new value: 200. Sites that were not changed: 50." }).waitFor();
  await shoot(page, "bulk-stopped");
  const request = { parent: "accounts/demo", filter: "status = MAINTENANCE", pageSize: 1000 };
  assert.equal((await server.call("SiteService", "ListSites", request, token)).sites.length, 200);
  await close({ page, faults });
});

test("of a call whose answer is lost nobody knows what it did: that is told, and what is done again changes nothing twice", async () => {
  const { page, faults } = await open();
  await logIn(page, gate, token);
  await symbolsDrawn(page);
  await byId(page, "site-row").first().waitFor();
  await byId(page, "select-all").click();
  await byId(page, "selected-count").filter({ hasText: `${SITES} selected` }).waitFor();
  await byId(page, "bulk-set-label").click();
  await byId(page, "bulk-key").fill("answer");
  await byId(page, "bulk-value").fill("lost");
  const lost = gate.lose("ImportSites");
  await byId(page, "bulk-apply").click();
  await lost;
  await byId(page, "bulk-stop").click();
  await byId(page, "bulk-message").filter({ hasText: "Sites that have the new value: 0. Sites that were not changed: 150." }).waitFor();
  await byId(page, "bulk-unknown").getByText("100 sites may or may not have been changed").waitFor();
  await shoot(page, "bulk-unknown", byId(page, "bulk-unknown"));
  const request = { parent: "accounts/demo", filter: 'labels.answer = "lost"', pageSize: 1000 };
  const labelled = async () => (await server.call("SiteService", "ListSites", request, token)).sites ?? [];
  assert.equal((await labelled()).length, 100, "they were changed, and the page could not know");
  gate.open("ImportSites");
  await byId(page, "bulk-repeat").click();
  await byId(page, "bulk-message").filter({ hasText: "100 sites have the new value." }).waitFor();
  assert.equal(await byId(page, "bulk-unknown").count(), 0);
  const [site, ...others] = await labelled();
  assert.equal(others.length, 99);
  const history = { parent: site.name, field: "labels" };
  const { changes } = await server.call("HistoryService", "ListSiteChanges", history, token);
  assert.equal(changes.length, 1, "sent twice or more, written once");
  await close({ page, faults });
});

test("a call that fails in the midst of its work may have changed something, and says what went wrong", async () => {
  const { page, faults } = await open();
  await logIn(page, gate, token);
  await byId(page, "site-row").first().waitFor();
  await page.locator("#row-0").getByTestId("row-tick").click();
  await byId(page, "bulk-set-label").click();
  await byId(page, "bulk-key").fill("answer");
  await byId(page, "bulk-value").fill("refused");
  gate.refuse("ImportSites");
  await byId(page, "bulk-apply").click();
  await byId(page, "bulk-unknown").getByText("1 site may or may not have been changed").waitFor();
  await byId(page, "bulk-unknown").getByText("the disk is full").waitFor();
  assert.equal(await byId(page, "bulk-failures").count(), 0);
  await close({ page, faults });
});

test("a change of many sites ends with the session that began it: another token does nothing of it", async () => {
  const { page, faults } = await open();
  await logIn(page, gate, token);
  await byId(page, "site-row").first().waitFor();
  await byId(page, "select-all").click();
  await byId(page, "selected-count").filter({ hasText: `${SITES} selected` }).waitFor();
  await byId(page, "bulk-set-label").click();
  await byId(page, "bulk-key").fill("shift");
  await byId(page, "bulk-value").fill("early");
  const calls = [];
  page.on("request", (request) => request.url().endsWith("/ImportSites") && calls.push(request));
  const begun = gate.hold("ImportSites");
  await byId(page, "bulk-apply").click();
  await begun;
  const admin = { parent: "accounts/demo", token: { scope: "TOKEN_SCOPE_ADMIN", displayName: "of the next shift" } };
  const { secret } = await server.call("AdminService", "CreateToken", admin, server.adminToken);
  // Somebody opens a log-in link in this tab.
  const left = page.waitForEvent("requestfailed", (request) => request.url().endsWith("/ImportSites"));
  await page.evaluate((secret) => void (location.hash = `token=${secret}`), secret);
  await left;
  gate.open("ImportSites");
  await openMore(page, "open-access", "tokens");
  await byId(page, "token").filter({ hasText: "of the next shift" }).filter({ hasText: "Used by this page" }).waitFor();
  assert.equal(calls.length, 1, "the calls that were to follow are not made");
  const request = { parent: "accounts/demo", filter: 'labels.shift = "early"', pageSize: 1000 };
  assert.ok(((await server.call("SiteService", "ListSites", request, token)).sites ?? []).length <= 100);
  await close({ page, faults });
});
