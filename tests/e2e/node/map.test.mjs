// The live map in a real browser: symbols and counts of one revision, filters as chips, deep links, fit, stacks, globe.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { byId, HOSTILE, launch, logIn, mapAtRest, openFound, openPage, shoot, siteName, symbolsDrawn } from "./browser.mjs";
import { Server } from "./server.mjs";

const SITES = 120;
// The page promises a second. A machine that runs other tests beside two maps drawn without a GPU gets more; a page
// that asks again by itself would still be too late, since nothing asks on its own.
const LIVE_MS_MAX = 5_000;
// A spot in the sea, far from the demo's sites, and how many stand there.
const SPOT = { lat: 35, lng: -40 };
const STACKED = 3;
// A spot to fly to from the other side of the world, and another size of the window, of which the map takes all of the difference.
const FAR = { lat: -42.88, lng: 147.33 };
const WIDER = { width: 1440, height: 760 };
// Width of the world at zoom 0, and how far beside its target a flight may end, in pixels.
const WORLD_PX = 512;
const BESIDE_PX_MAX = 4;
// Degrees of a map's middle that a link keeps, and its decimals of a zoom.
const NEAR_DEG = 0.001;

let server, token, browser, stacked, all;

before(async () => {
  server = await Server.start();
  token = await server.demo(SITES);
  browser = await launch();
  const pinned = (number) => ({ displayName: `stack ${number}`, status: "SITE_STATUS_OFFLINE", labels: { tier: "gold" } });
  stacked = [];
  for (let number = 0; number < STACKED; number += 1) {
    const made = await server.call("SiteService", "CreateSite", { parent: "accounts/demo", site: pinned(number) }, token);
    await server.call("LocationService", "SetPin", { site: made.name, position: SPOT }, token);
    stacked.push(made.name);
  }
  all = await tally("");
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** What the server itself counts. */
async function tally(filter) {
  const { tally } = await server.call("MapService", "FitSites", { parent: "accounts/demo", filter }, token);
  return Object.fromEntries(Object.entries(tally ?? {}).map(([key, value]) => [key, Number(value)]));
}

const map = (page) => byId(page, "map");
const chip = (page, id, key) => page.locator(`[data-testid="${id}"][data-key="${key}"]`);
const number = async (locator) => Number((await locator.locator(".number").textContent()).replaceAll(/\D/g, ""));
const wait = (page, told, argument) => page.waitForFunction(told, argument, { polling: 20 });
const drawn = (page, sites) =>
  wait(page, (sites) => document.querySelector('[data-testid="map"]').dataset.sites === String(sites), sites);

async function opened(hash = "") {
  const { page, faults } = await openPage({ browser, server, token }, { width: 1280, height: 900 });
  await logIn(page, server, token, hash);
  await symbolsDrawn(page);
  return { page, faults };
}

test("a change is on two open maps within a second, and an open page stays open", async () => {
  const [one, other] = [await opened(`#account=demo&map=9/${SPOT.lat}/${SPOT.lng}`), await opened()];
  await byId(one.page, "site-row").first().click();
  await byId(one.page, "site-panel").waitFor();
  const [moved] = stacked;
  const before = await number(other.page.locator('[data-testid="status-chip"][data-status="maintenance"]'));
  const seen = [
    wait(one.page, (name) => document.querySelector('[data-testid="site-list"]').textContent.includes(name), "seen live"),
    wait(
      other.page,
      (count) => document.querySelector('[data-status="maintenance"] .number').textContent === String(count),
      before + 1,
    ),
  ].map((told) => told.then(() => Date.now()));
  const site = { name: moved, displayName: "seen live", status: "SITE_STATUS_MAINTENANCE" };
  await server.call("SiteService", "UpdateSite", { site, updateMask: "displayName,status" }, token);
  const written = Date.now();
  for (const at of await Promise.all(seen)) {
    assert.ok(at - written < LIVE_MS_MAX, `seen ${at - written} ms after the write was acknowledged`);
  }
  // The symbols themselves are of a revision that has it.
  const revision = await byId(other.page, "filters").getAttribute("data-revision");
  await wait(other.page, (least) => BigInt(document.querySelector('[data-testid="map"]').dataset.revision) >= BigInt(least), revision);
  assert.ok(await byId(one.page, "site-panel").isVisible());
  await server.call("SiteService", "UpdateSite", { site: { name: moved, displayName: "stack 0", status: "SITE_STATUS_OFFLINE" }, updateMask: "displayName,status" }, token);
  for (const { page, faults } of [one, other]) {
    assert.deepEqual(faults, []);
    await page.context().close();
  }
});

test("chips filter map and list alike, with counts that the server itself gives", async () => {
  const { page, faults } = await opened();
  assert.equal(await number(chip(page, "certainty-chip", "approximate")), all.approximate);
  assert.equal(await number(chip(page, "certainty-chip", "confirmed")), all.total - all.approximate);
  await shoot(page, "map-plain");
  assert.match(await page.locator(".maplibregl-ctrl-scale").textContent(), /\d+\s*k?m$/);
  await byId(page, "legend").locator("summary").click();
  const legend = await byId(page, "legend").locator("li").allTextContents();
  const line = (words) => legend.find((line) => line.includes(words)) ?? assert.fail(`${words} is not in the legend`);
  for (const words of ["Online", "Maintenance", "Unknown", "Several sites", "Sites very close together", "Somewhere in this area"]) line(words);
  const counts = { Offline: all.offline, Approximate: all.approximate, "Confirmed by a person": all.total - all.approximate };
  for (const [words, sites] of Object.entries(counts)) assert.equal(Number(line(words).replaceAll(/\D/g, "")), sites, words);
  await byId(page, "legend").locator("summary").click();
  await chip(page, "certainty-chip", "confirmed").click();
  await drawn(page, all.total - all.approximate);
  // The other chips count as they would if they were chosen instead.
  assert.equal(await number(chip(page, "certainty-chip", "approximate")), all.approximate);
  await byId(page, "more-filters").click();
  assert.equal(await number(chip(page, "source-chip", "pin")), all.pin);
  await chip(page, "source-chip", "pin").click();
  await drawn(page, all.pin);
  await byId(page, "label-input").fill("no good label!");
  await byId(page, "label-input").press("Enter");
  assert.equal(await byId(page, "label-input").getAttribute("aria-invalid"), "true");
  await byId(page, "label-input").fill("tier=gold");
  await byId(page, "label-input").press("Enter");
  await drawn(page, STACKED);
  await wait(page, (name) => document.querySelector(`[data-testid="linked-chip"][data-key="unlinked"] .number`)?.textContent === name, String(STACKED));
  await shoot(page, "map-chips");
  await chip(page, "linked-chip", "linked").click();
  await drawn(page, 0);
  await byId(page, "clear-filters").click();
  await drawn(page, all.total);
  assert.equal(await page.locator('[aria-pressed="true"][data-testid$="chip"]').count(), 0);
  // A label of markup is text.

  await byId(page, "label-input").fill(`tier=${HOSTILE}`);
  await byId(page, "label-input").press("Enter");
  await drawn(page, 0);
  assert.ok((await byId(page, "label-chip").textContent()).includes(HOSTILE));
  await byId(page, "clear-filters").click();

  await byId(page, "problems-first").click();
  const order = ["Offline", "Unknown", "Maintenance", "Online"];
  await wait(page, () => document.querySelector('[data-testid="site-row"] .unseen')?.textContent === "Offline");
  const statuses = await page.locator('[data-testid="site-row"] .unseen').allTextContents();
  const ranks = statuses.map((status) => order.indexOf(status));
  assert.deepEqual(ranks, ranks.toSorted(), "the worst come first");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a link brings view, filter and site back; back and forward go through filters and sites, not through moves", async () => {
  const { page, faults } = await opened();
  const length = () => page.evaluate(() => history.length);
  const offline = page.locator('[data-testid="status-chip"][data-status="offline"]');
  const begin = await length();
  await byId(page, "fit").click();
  await wait(page, () => location.hash.includes("map="));
  assert.equal(await length(), begin, "a move is no step");
  await offline.click();
  await drawn(page, all.offline);
  assert.equal(await length(), begin + 1);
  const row = byId(page, "site-row").first();
  const name = siteName(await row.getAttribute("data-site"));
  await row.click();
  await byId(page, "site-panel").waitFor();
  assert.equal(await length(), begin + 2);
  await wait(page, () => document.querySelector('[data-testid="map"]').dataset.idle === "true");
  await wait(page, () => {
    const [, lat, lng] = new URLSearchParams(location.hash.slice(1)).get("map").split("/").map(Number);
    const [y, x] = document.querySelector('[data-testid="map"]').dataset.center.split(",").map(Number);
    return Math.abs(lat - y) < 0.001 && Math.abs(lng - x) < 0.001;
  });
  const link = await page.evaluate(() => location.hash);
  assert.ok(!link.includes("wmk_") && !link.includes(token), "no token in the link");
  const stood = await map(page).getAttribute("data-center");

  await page.goBack();
  await byId(page, "site-panel").waitFor({ state: "detached" });
  assert.equal(await offline.getAttribute("aria-pressed"), "true");
  await page.goBack();
  await wait(page, () => document.querySelector('[data-status="offline"]').ariaPressed === "false");
  await page.goForward();
  await wait(page, () => document.querySelector('[data-status="offline"]').ariaPressed === "true");
  await page.goForward();
  await byId(page, "site-panel").waitFor();
  await page.context().close();

  const second = await opened(link);
  await byId(second.page, "site-panel").waitFor();
  assert.ok((await second.page.evaluate(() => location.hash)).includes(name.split("/").at(-1)));
  assert.equal(await second.page.locator('[data-status="offline"]').getAttribute("aria-pressed"), "true");
  await wait(second.page, () => document.querySelector('[data-testid="map"]').dataset.idle === "true");
  const [a, b] = [stood, await map(second.page).getAttribute("data-center")].map((text) => text.split(",").map(Number));
  assert.ok(Math.abs(a[0] - b[0]) < NEAR_DEG && Math.abs(a[1] - b[1]) < NEAR_DEG, `${a} is ${b}`);
  assert.deepEqual([...faults, ...second.faults], []);
  await second.page.context().close();
  // An address of another account's says nothing here.
  const foreign = await opened("#account=other&status=offline&site=00000000-0000-0000-0000-000000000000");
  assert.equal(await foreign.page.locator('[data-status="offline"]').getAttribute("aria-pressed"), "false");
  assert.equal(await byId(foreign.page, "site-panel").count(), 0);
  await foreign.page.context().close();
});

test("the way back knows pages and words, and the field says what the filter does", async () => {
  const { page, faults } = await opened("#account=demo&q=stack");
  const field = byId(page, "search");
  await drawn(page, STACKED);
  assert.equal(await field.inputValue(), "stack", "the words of a link stand in the field");
  await byId(page, "clear-filters").click();
  await drawn(page, all.total);
  assert.equal(await field.inputValue(), "");
  await byId(page, "open-more").click();
  await byId(page, "open-access").click();
  await byId(page, "access").waitFor();
  assert.ok((await page.evaluate(() => location.hash)).includes("page=access"));
  await page.goBack();
  await byId(page, "access").waitFor({ state: "detached" });
  await byId(page, "open-ticketing").click();
  await byId(page, "ticketing-close").waitFor();
  await page.goBack();
  await byId(page, "ticketing-close").waitFor({ state: "detached" });
  await page.goBack();
  await drawn(page, STACKED);
  assert.equal(await field.inputValue(), "stack");
  await byId(page, "words-chip").click();
  await drawn(page, all.total);
  assert.equal(await field.inputValue(), "");

  // Where nothing can be shown, or nobody answers, the button says so.
  await field.fill("no such site");
  await field.press("Enter");
  await drawn(page, 0);
  await byId(page, "fit").click();
  await byId(page, "fit-told").filter({ hasText: "No matching site has a position" }).waitFor();
  await byId(page, "clear-filters").click();
  await byId(page, "fit-told").filter({ hasText: /^$/ }).waitFor({ state: "attached" });
  await page.route("**/waymark.v1.MapService/FitSites", (route) => route.abort());
  await byId(page, "fit").click();
  await byId(page, "fit-told").filter({ hasText: "cannot be reached" }).waitFor();
  // The browser itself tells of the call that failed.
  assert.deepEqual(faults.filter((fault) => !fault.includes("ERR_FAILED")), []);
  await page.context().close();
});

test("fit goes to what matches; a stack is one symbol whose sites are listed; hover is the same on map and list", async () => {
  const { page, faults } = await opened("#account=demo&label=tier%3Dgold");
  await drawn(page, STACKED);
  await byId(page, "fit").click();
  await wait(page, ([lat, lng]) => {
    const { center, idle, zoom } = document.querySelector('[data-testid="map"]').dataset;
    const [y, x] = center.split(",").map(Number);
    return idle === "true" && Math.abs(y - lat) < 0.01 && Math.abs(x - lng) < 0.01 && Number(zoom) > 10;
  }, [SPOT.lat, SPOT.lng]);
  assert.equal(await map(page).getAttribute("data-clusters"), "1");
  await shoot(page, "map-stack");
  const box = await map(page).boundingBox();
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  await byId(page, "list-back").waitFor();
  await wait(page, (sites) => document.querySelectorAll('[data-testid="site-row"]').length === sites, STACKED);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("the pointer on a pin marks its row, and the same sites are on a globe", async () => {
  const [first] = stacked;
  const apart = { lat: SPOT.lat + 0.02, lng: SPOT.lng };
  await server.call("LocationService", "SetPin", { site: first, position: apart }, token);
  const { page, faults } = await opened(`#account=demo&map=12/${apart.lat}/${apart.lng}`);
  await wait(page, () => document.querySelector('[data-testid="map"]').dataset.pins === "1");
  await page.locator(`[data-site="${first}"]`).waitFor();
  const box = await map(page).boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.locator(`[data-site="${first}"].marked`).waitFor();
  // And the pointer on its row rings the pin.
  await page.locator(`[data-site="${first}"]`).hover();
  await wait(page, ({ lat, lng }) => {
    const [ringLat, ringLng] = document.querySelector('[data-testid="map"]').dataset.hovered.split(",").map(Number);
    return Math.abs(ringLat - lat) < 0.001 && Math.abs(ringLng - lng) < 0.001;
  }, apart);
  await shoot(page, "map-row-ring");
  await byId(page, "search").hover();
  await wait(page, () => document.querySelector('[data-testid="map"]').dataset.hovered === "");
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  await page.locator(`[data-site="${first}"][aria-current="true"]`).waitFor({ state: "attached" });
  await shoot(page, "map-pin");
  await page.goto(`${server.url}/#account=demo`);
  await page.reload();
  await byId(page, "globe").click();

  assert.equal(await byId(page, "globe").getAttribute("aria-pressed"), "true");
  await symbolsDrawn(page);
  await shoot(page, "map-globe");
  await page.reload();
  await byId(page, "globe").waitFor();
  assert.equal(await byId(page, "globe").getAttribute("aria-pressed"), "true", "the choice is kept");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a flight ends where it goes, also where the window changes its size on the way", async () => {
  const site = { displayName: "Flown to" };
  const { name } = await server.call("SiteService", "CreateSite", { parent: "accounts/demo", site }, token);
  await server.call("LocationService", "SetPin", { site: name, position: FAR }, token);
  const { page, faults } = await opened("#account=demo&map=2/20/0");
  const scale = () => document.querySelector(".maplibregl-ctrl-scale").textContent;
  const before = await page.evaluate(scale);
  await openFound(page, "Flown to");
  await wait(page, (before) => document.querySelector(".maplibregl-ctrl-scale").textContent !== before, before);
  await page.setViewportSize(WIDER);
  await mapAtRest(page);
  const { center, zoom } = await map(page).evaluate(({ dataset: { center, zoom } }) => ({ center, zoom: Number(zoom) }));
  const [lat, lng] = center.split(",").map(Number);
  const pixel = 360 / (WORLD_PX * 2 ** zoom);
  assert.ok(zoom > 10, `it is at zoom ${zoom}`);
  for (const off of [lng - FAR.lng, (lat - FAR.lat) / Math.cos((lat * Math.PI) / 180)]) {
    assert.ok(Math.abs(off) < BESIDE_PX_MAX * pixel, `${center} is ${off / pixel} px beside the site`);
  }
  assert.deepEqual(faults, []);
  await page.context().close();
});

/** Whether a press on "zoom in" has moved the map by the time that it returns. */
const zoomsAtOnce = (page) =>
  page.evaluate(() => {
    const scale = () => document.querySelector(".maplibregl-ctrl-scale").textContent;
    const before = scale();
    document.querySelector('.buttons button').click();
    return scale() !== before;
  });

test("the map flies, and jumps for those who want less motion", async () => {
  const { page } = await opened("#account=demo&map=3/20/0");
  assert.equal(await zoomsAtOnce(page), false);
  await page.emulateMedia({ reducedMotion: "reduce" });
  assert.equal(await zoomsAtOnce(page), true);
  await page.context().close();
});

// For whoever looks at them: the symbols as people see them who do not see some colours.
test("pictures for eyes that see fewer colours", { skip: !process.env.SHOT_DIR }, async () => {
  const apart = { lat: SPOT.lat + 3, lng: SPOT.lng };
  for (const status of ["ONLINE", "OFFLINE", "MAINTENANCE", "UNKNOWN"]) {
    const site = { displayName: status.toLowerCase(), status: `SITE_STATUS_${status}` };
    const made = await server.call("SiteService", "CreateSite", { parent: "accounts/demo", site }, token);
    apart.lng += 0.1;
    await server.call("LocationService", "SetPin", { site: made.name, position: apart }, token);
  }
  const { page } = await opened(`#account=demo&map=10/${apart.lat}/${apart.lng - 0.15}`);
  const devtools = await page.context().newCDPSession(page);
  for (const type of ["deuteranopia", "protanopia", "tritanopia", "achromatopsia"]) {
    await devtools.send("Emulation.setEmulatedVisionDeficiency", { type });
    await page.screenshot({ path: `${process.env.SHOT_DIR}/map-${type}.png` });
  }
  await page.context().close();
});
