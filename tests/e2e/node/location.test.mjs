// Where a site is, on its page: a move is shown before and after, taken back, and told with what each source says.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { byId, launch, logIn, openPage, shoot } from "./browser.mjs";
import { Server } from "./server.mjs";

const SITES = 12;

let server, token, browser;

before(async () => {
  server = await Server.start();
  token = await server.demo(SITES);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const get = (name) => server.call("SiteService", "GetSite", { name }, token);
const told = (page, pattern) => byId(page, "locate-message").filter({ hasText: pattern }).waitFor();
const source = (page, words) => byId(page, "site-source").filter({ hasText: words }).waitFor();

async function openApproximate() {
  const { sites } = await server.call("SiteService", "ListSites", { parent: "accounts/demo", pageSize: 1000 }, token);
  const { name } = sites.find(({ location }) => location?.fixes?.some(({ source }) => source === "FIX_SOURCE_GEOIP"));
  // What the demo's people said of it goes first.
  const site = await server.call("LocationService", "ResetLocation", { site: name }, token);
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await byId(page, "search").fill(site.displayName);
  await byId(page, "hit").first().click();
  await byId(page, "site-position").waitFor();
  return { page, faults, site };
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
    ["Former value restored", "Shown by GeoIP → its address"],
    ["Location reset", "Found at .*° N, .*° W → —.*Shown by its address → GeoIP"],
    ["Former value restored", "Address Laugavegur 20, .* → Laugavegur 1,"],
    ["Address chosen", "Found at .*° N, .*° W → .*° N, .*° W.*Address Laugavegur 1, .* → Laugavegur 20,"],
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
