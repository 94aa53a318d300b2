// Where a site is, on its page: a move is shown before and after, taken back, and told with what each source says.
import assert from "node:assert/strict";
import { rm, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { byId, launch, logIn, openFound, openPage, shoot } from "./browser.mjs";
import { mmdb } from "./mmdb.mjs";
import { GAZETTEER, GEOIP, Server } from "./server.mjs";

const SITES = 12;
/** Addresses that another database puts elsewhere than DB-IP does, which says London, and into the same city. */
const DIFFERING = "81.2.69.142";
const AGREEING = "8.8.8.8";
/** Days after which that database is out of date. */
const MARK_AFTER_DAYS = 30;

let server, token, browser, dir;

/** A record of a place, as GeoIP2 writes it. */
function place(city, region, country, lat, lng, traits = {}) {
  const named = (name) => ({ names: { en: name } });
  const location = { latitude: { double: lat }, longitude: { double: lng }, accuracy_radius: 50 };
  return { city: named(city), country: { iso_code: country }, location, subdivisions: [named(region)], traits };
}

before(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "waymark-geoip-"));
  const old = path.join(dir, "old.mmdb");
  const networks = {
    "81.2.69.0/24": place("Edinburgh", "Scotland", "GB", 55.95, -3.19, { is_mobile: true }),
    "8.8.8.0/24": place("Mountain View", "California", "US", 37.39, -122.08),
  };
  await writeFile(old, mmdb("Old-City", new Date("2026-01-01"), networks));
  const files = [`{ path = "${old}", mark_after_days = ${MARK_AFTER_DAYS} }`, ...GEOIP.map((file) => `"${file}"`)];
  const args = ["--trusted-proxy", "127.0.0.0/8", "--gazetteer", GAZETTEER];
  server = await Server.bare(args, `[geoip]\ndatabases = [${files.join(", ")}]\n`);
  token = await server.demo(SITES);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  if (dir) await rm(dir, { recursive: true, force: true });
});

const get = (name) => server.call("SiteService", "GetSite", { name }, token);
const told = (page, pattern) => byId(page, "locate-message").filter({ hasText: pattern }).waitFor();
/** What a source says of the open site, in the list of them. */
const fix = (page, of) => page.locator(`[data-testid="fix"][data-source="${of}"]`);
const fixRow = (page, of, label) => fix(page, of).locator(`[data-testid="fix-row"][data-label="${label}"]`);
const source = (page, words) => byId(page, "site-source").filter({ hasText: words }).waitFor();

async function openApproximate() {
  const { sites } = await server.call("SiteService", "ListSites", { parent: "accounts/demo", pageSize: 1000 }, token);
  const { name } = sites.find(({ location }) => location?.fixes?.some(({ source }) => source === "FIX_SOURCE_GEOIP"));
  // What the demo's people said of it goes first.
  const site = await server.call("LocationService", "ResetLocation", { site: name }, token);
  return { site, ...(await open(site.displayName)) };
}

async function open(displayName) {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await openFound(page, displayName);
  return { page, faults };
}

async function useAddress(page, address) {
  await byId(page, "address-input").fill(address);
  await byId(page, "address-find").click();
  await byId(page, "candidate-apply").first().click();
  await told(page, /^Moved/);
}

test("each move is taken back to what was there before: an estimate, an address, both", async () => {
  const { page, faults, site } = await openApproximate();
  const estimate = site.location.position;
  await useAddress(page, "Laugavegur 1, Reykjavík");
  const first = (await get(site.name)).location;
  assert.equal(first.source, "FIX_SOURCE_ADDRESS");
  await page.locator('[data-testid="fix"]').nth(1).waitFor();
  assert.match(await fixRow(page, "ADDRESS", "Matched").textContent(), /^Laugavegur 1, /);
  assert.equal(await fixRow(page, "ADDRESS", "Asked for").textContent(), "Laugavegur 1, Reykjavík");
  await fixRow(page, "ADDRESS", "Set by").filter({ hasText: /^demo log-in link, \d/ }).waitFor();
  await shoot(page, "location-moved", byId(page, "undo-move"));
  await byId(page, "undo-move").click();
  await source(page, "GeoIP");
  assert.deepEqual((await get(site.name)).location.position, estimate);
  await byId(page, "reset-location").waitFor({ state: "detached" });

  await useAddress(page, "Laugavegur 1, Reykjavík");
  await useAddress(page, "Laugavegur 20, Reykjavík");
  await byId(page, "undo-move").click();
  await byId(page, "site-address").filter({ hasText: "Laugavegur 1," }).waitFor();
  await byId(page, "reset-location").click();
  await source(page, "GeoIP");
  await byId(page, "undo-move").click();
  await source(page, "its address");
  const { position } = (await get(site.name)).location;
  assert.deepEqual(position, first.position);

  // The history tells who moved it, from where to where, and why.
  await byId(page, "history").locator("summary").click();
  const entries = byId(page, "history-change");
  await entries.filter({ hasText: "Laugavegur 20" }).first().waitFor();
  await shoot(page, "history-moved", entries);
  const who = /demo log-in link, \d/.source;
  const expected = [
    ["Former value restored", "Position from GeoIP → Address"],
    ["Location reset", "Address position .*° N, .*° W → —.*Position from Address → GeoIP"],
    ["Former value restored", "Address Laugavegur 20, .* → Laugavegur 1,"],
    ["Address chosen", "Address position .*° N, .*° W → .*° N, .*° W.*Address Laugavegur 1, .* → Laugavegur 20,"],
  ];
  const texts = await entries.allTextContents();
  for (const [nth, [why, what]] of expected.entries()) assert.match(texts[nth], new RegExp(`^\\s*${why}.*${who}.*${what}`, "s"));
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a move that somebody has changed since is not taken back", async () => {
  const { page, site } = await openApproximate();
  await useAddress(page, "Laugavegur 1, Reykjavík");
  await page.route("**/waymark.v1.SiteService/GetSite", (route) => route.abort());
  const theirs = { lat: 64.2, lng: -21.7 };
  await server.call("LocationService", "SetPin", { site: site.name, position: theirs }, token);
  await byId(page, "undo-move").click();
  await byId(page, "error-banner").first().waitFor();
  assert.deepEqual((await get(site.name)).location.position, theirs);
  await page.context().close();
});

test("what an estimate rests on is told in plain words: who agrees, who differs, and what to doubt; circles are drawn", async () => {
  const parent = "accounts/demo";
  const own = { parent, token: { scope: "TOKEN_SCOPE_SERVICE", displayName: "the fleet's" } };
  const { secret } = await server.call("AdminService", "CreateToken", own, server.adminToken);
  const create = async (displayName) => (await server.call("SiteService", "CreateSite", { parent, site: { displayName } }, token)).name;
  const measured = { position: { lat: 37.392, lng: -122.081 }, accuracyM: 350 };
  const reports = [
    { site: await create("Told apart"), publicIp: DIFFERING },
    { site: await create("Told alike"), publicIp: AGREEING, devicePosition: measured },
  ];
  const { results } = await server.call("ActivationService", "BatchReportStatus", { parent, reports }, secret);
  assert.deepEqual(results.map(({ outcome }) => outcome), ["OUTCOME_WRITTEN", "OUTCOME_WRITTEN"]);

  const apart = await open("Told apart");
  assert.match(await fixRow(apart.page, "GEOIP", "Matched").textContent(), /^Edinburgh, Scotland, GB$/);
  assert.equal(await fixRow(apart.page, "GEOIP", "Compared").textContent(), "Doubtful: another place according to city ipv4");
  assert.match(
    await fixRow(apart.page, "GEOIP", "Other databases").textContent(),
    /^city ipv4 gives a place \d{3}\skm from here$/,
  );
  const doubts = await fix(apart.page, "GEOIP").getByTestId("fix-doubt").allTextContents();
  assert.match(doubts[0], /out of date/);
  assert.match(doubts[1], /a mobile network, so its position is known to the region at best/);
  assert.match(await fixRow(apart.page, "GEOIP", "Set by").textContent(), /^waymark, \d/);
  await shoot(apart.page, "location-evidence", fix(apart.page, "GEOIP"));
  assert.deepEqual(apart.faults, []);
  await apart.page.context().close();

  const { page, faults } = await open("Told alike");
  await source(page, "the device itself");
  await fixRow(page, "DEVICE", "Set by").filter({ hasText: /^the fleet's, \d/ }).waitFor();
  assert.equal(await fixRow(page, "DEVICE", "Accuracy").textContent(), "Within 350\u00a0m");
  await fix(page, "GEOIP").locator("summary").click();
  assert.equal(await fixRow(page, "GEOIP", "Compared").textContent(), "Agrees with city ipv4");
  assert.match(await fixRow(page, "GEOIP", "Other databases").textContent(), /^city ipv4 gives a place \d\.?\d?\skm from here/);
  assert.equal(await fix(page, "GEOIP").getByTestId("fix-doubt").count(), 1);
  // The circle of what is shown, and the wide one of the estimate.
  await page.locator('[data-testid="map"][data-idle="true"][data-circles="2"]').waitFor();
  await shoot(page, "location-circles", fix(page, "GEOIP"));
  const zoom = async () => Number(await byId(page, "map").getAttribute("data-zoom"));
  for (let before = await zoom(); before > 7; before = await zoom()) {
    await page.getByRole("button", { name: "Zoom out" }).click();
    await page.waitForFunction((before) => {
      const { idle, zoom } = document.querySelector('[data-testid="map"]').dataset;
      return idle === "true" && Number(zoom) < before;
    }, before);
  }
  await shoot(page, "location-circles-wide", fix(page, "GEOIP"));
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a typed address and a pin that are not saved stay with their site, which the bar leads back to", async () => {
  const { page, faults, site } = await openApproximate();
  await byId(page, "address-input").fill("Laugavegur 1, Reykjav");
  await byId(page, "suggestion").first().waitFor();
  // The list takes the first Escape, the page the second one.
  await page.keyboard.press("Escape");
  await byId(page, "suggestion").first().waitFor({ state: "hidden" });
  await page.keyboard.press("Escape");
  await byId(page, "site-panel").waitFor({ state: "detached" });
  await byId(page, "unsaved").filter({ hasText: "1 unsaved edit" }).click();
  await byId(page, "address-input").waitFor();
  assert.equal(await byId(page, "address-input").inputValue(), "Laugavegur 1, Reykjav");
  await byId(page, "place-pin").click();
  await byId(page, "pin-here").press("Enter");
  await page.locator(".draft-mark:focus").waitFor();
  const told = await page.locator(".placing").textContent();
  await shoot(page, "location-keys", byId(page, "pin-save"));
  await byId(page, "site-close").click();
  await page.locator(".draft-mark").waitFor({ state: "detached" });
  await byId(page, "unsaved").click();
  await page.locator(".draft-mark").waitFor();
  assert.equal((await page.locator(".placing").textContent()).slice(0, 40), told.slice(0, 40));
  await byId(page, "pin-save").click();
  await byId(page, "locate-message").filter({ hasText: /Moved|stays/ }).waitFor();
  await byId(page, "unsaved").waitFor({ state: "detached" });
  assert.equal((await get(site.name)).location.source, "FIX_SOURCE_PIN");
  assert.deepEqual(faults, []);
  await page.context().close();
});
