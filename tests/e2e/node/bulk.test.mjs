// The list at length: few rows on the page, worked by keys, and many sites changed or exported at once.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { byId, launch, logIn, openPage, shoot, siteName } from "./browser.mjs";
import { Server } from "./server.mjs";

const SITES = 700;
/** Rows on the page at once: a screen of them, and some above and below. */
const ROWS_MAX = 40;

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

async function open(secret = token) {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, secret);
  await byId(page, "site-row").first().waitFor();
  return { page, faults, list: byId(page, "site-list") };
}

const rows = (page) => byId(page, "site-row");
const active = (list) => list.getAttribute("aria-activedescendant");
const selected = (page, text) => byId(page, "selected-count").filter({ hasText: text }).waitFor();
/** Waits until the map rings so many selected sites. */
const ringed = (page, count) => page.locator(`[data-testid="map"][data-idle="true"][data-selected="${count}"]`).waitFor();
const sites = async (filter) => {
  const request = { parent: "accounts/demo", pageSize: 1000, filter };
  return (await server.call("SiteService", "ListSites", request, token)).sites ?? [];
};

test("of all sites a screen is on the page, the keys move through all of them, and counts are told", async () => {
  const { page, faults, list } = await open();
  assert.equal(await list.getAttribute("role"), "listbox");
  await list.focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  assert.equal(await active(list), "row-2");
  const option = page.locator("#row-2");
  assert.equal(await option.getAttribute("aria-posinset"), "3");
  const total = Number((await byId(page, "list-total").textContent()).replaceAll(/\D/g, ""));
  assert.equal(Number(await option.getAttribute("aria-setsize")), total);
  // To the end, which is loaded page by page on the way.
  for (let last = -1; last < total - 1; ) {
    await page.keyboard.press("End");
    last = Number((await active(list)).slice("row-".length));
    assert.ok(last < total, `${last} of ${total}`);
    if (last === total - 1) break;
    await page.waitForFunction((last) => {
      return Number(document.querySelector('[data-testid="site-list"]').dataset.loaded) > last + 1;
    }, last);
  }
  assert.ok((await rows(page).count()) <= ROWS_MAX, `${await rows(page).count()} rows on the page`);
  await page.locator(`#row-${total - 1}`).waitFor();
  await page.keyboard.press("Home");
  assert.equal(await active(list), "row-0");
  await page.keyboard.press("PageDown");
  assert.notEqual(await active(list), "row-0");

  // A change far down is live: the row that is seen is renamed, and the list stays where it is.
  for (let press = 0; press < 20; press += 1) await page.keyboard.press("PageDown");
  const id = await active(list);
  const name = siteName(await page.locator(`#${id}`).getAttribute("data-site"));
  const update = { site: { name, displayName: "Renamed far down" }, updateMask: "displayName" };
  await server.call("SiteService", "UpdateSite", update, token);
  await page.locator(`#${id}`).filter({ hasText: "Renamed far down" }).waitFor();
  await page.keyboard.press("Enter");
  await byId(page, "site-name").filter({ hasText: "Renamed far down" }).waitFor();
  await shoot(page, "list-keys");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("sites are selected by keys and pointer, and get a label and a status at once", async () => {
  const { page, faults, list } = await open();
  await list.focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("Space");
  await selected(page, "1 selected");
  for (let press = 0; press < 3; press += 1) await page.keyboard.press("Shift+ArrowDown");
  await selected(page, "4 selected");
  assert.equal(await page.locator("#row-3").getAttribute("aria-selected"), "true");
  await page.locator("#row-6").getByTestId("row-tick").click();
  await selected(page, "5 selected");
  assert.equal(await byId(page, "site-panel").count(), 0, "selecting opens nothing");
  await ringed(page, 5);
  await shoot(page, "bulk");

  await byId(page, "bulk-set-label").click();
  await byId(page, "bulk-key").fill("route");
  await byId(page, "bulk-value").fill("north 7");
  await byId(page, "bulk-apply").click();
  await byId(page, "bulk-message").filter({ hasText: "5 sites have the new value." }).waitFor();
  const labelled = await sites('labels.route = "north 7"');
  assert.equal(labelled.length, 5);

  await byId(page, "bulk-set-status").click();
  await byId(page, "bulk-status").selectOption({ label: "Maintenance" });
  await byId(page, "bulk-apply").click();
  await byId(page, "bulk-message").filter({ hasText: "5 sites have the new value." }).waitFor();
  assert.equal((await sites('labels.route = "north 7" status = MAINTENANCE')).length, 5);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("all that is listed is selected, what fails is reported, and the rest is exported", async () => {
  const { page, faults } = await open();
  const total = Number((await byId(page, "list-total").textContent()).replaceAll(/\D/g, ""));
  await byId(page, "select-all").click();
  await selected(page, `${total} selected`);
  // One of them is gone by the time that it is changed.
  const id = siteName(await page.locator("#row-5").getAttribute("data-site"));
  const { displayName } = await server.call("SiteService", "GetSite", { name: id }, token);
  await server.call("SiteService", "DeleteSite", { name: id }, token);
  await byId(page, "bulk-set-label").click();
  await byId(page, "bulk-key").fill("wave");
  await byId(page, "bulk-value").fill("2");
  await byId(page, "bulk-apply").click();
  await byId(page, "bulk-failures").waitFor();
  assert.equal(await byId(page, "bulk-failure").count(), 1);
  assert.ok((await byId(page, "bulk-failure").textContent()).includes(displayName));
  await shoot(page, "bulk-failed", byId(page, "bulk-failures"));
  assert.equal((await sites('labels.wave = "2"')).length, total - 1);
  await byId(page, "bulk-keep-failed").click();
  await selected(page, "1 selected");
  await ringed(page, 1);
  await byId(page, "select-none").click();
  await ringed(page, 0);

  await page.locator("#row-0").getByTestId("row-tick").click();
  await page.locator("#row-9").getByTestId("row-tick").click({ modifiers: ["Shift"] });
  await selected(page, "10 selected");
  const downloading = page.waitForEvent("download");
  await byId(page, "bulk-export").click();
  const file = await (await downloading).path();
  const lines = (await readFile(file, "utf8")).split("\r\n").filter(Boolean);
  assert.equal(lines.length, 11);
  assert.match(lines[0], /^\ufeffname,status,/);
  await byId(page, "bulk-message").filter({ hasText: "10 sites are in the file." }).waitFor();
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("whoever only reads may select and export, and change nothing", async () => {
  const viewer = { parent: "accounts/demo", token: { scope: "TOKEN_SCOPE_VIEWER" } };
  const made = await server.call("AdminService", "CreateToken", viewer, server.adminToken);
  const { page } = await open(made.secret);
  await page.locator("#row-0").getByTestId("row-tick").click();
  await byId(page, "bulk-export").waitFor();
  assert.equal(await byId(page, "bulk-set-label").count(), 0);
  assert.equal(await byId(page, "bulk-set-status").count(), 0);
  await page.context().close();
});

/** Where points of a flat map's element are in degrees, by what it says of its middle. */
async function unprojecting(page) {
  const map = byId(page, "map");
  const [box, center, zoom] = await Promise.all([
    map.boundingBox(), map.getAttribute("data-center"), map.getAttribute("data-zoom"),
  ]);
  const [lat, lng] = center.split(",").map(Number);
  const world = 512 * 2 ** Number(zoom);
  const y = (1 - Math.asinh(Math.tan((lat * Math.PI) / 180)) / Math.PI) / 2;
  return ([x, down]) => {
    const [dx, dy] = [(x - box.x - box.width / 2) / world, (down - box.y - box.height / 2) / world];
    return { lng: lng + dx * 360, lat: (Math.atan(Math.sinh(Math.PI * (1 - 2 * (y + dy)))) * 180) / Math.PI };
  };
}

test("a rectangle on the map selects what lies in it, by a button or with Shift, and the map stays", async () => {
  const { page, faults } = await open();
  await page.waitForFunction(() => document.querySelector('[data-testid="map"]').dataset.idle === "true");
  const box = await byId(page, "map").boundingBox();
  const at = (x, y) => [box.x + x * box.width, box.y + y * box.height];
  const [from, to] = [at(0.35, 0.2), at(0.6, 0.6)];
  const draw = async () => {
    await page.mouse.move(...from);
    await page.mouse.down();
    await page.mouse.move(...to, { steps: 6 });
  };
  const place = await unprojecting(page);
  const [one, other] = [place(from), place(to)];
  const viewport = { low: { lat: other.lat, lng: one.lng }, high: { lat: one.lat, lng: other.lng } };
  const request = { parent: "accounts/demo", viewport, pageSize: 1000 };
  const inside = (await server.call("MapService", "ListViewportSites", request, token)).sites;
  assert.ok(inside.length > 20 && inside.length < SITES - 20, `${inside.length} sites in the rectangle`);
  const stood = await byId(page, "map").getAttribute("data-center");
  const stands = async () => {
    await page.locator('[data-testid="map"][data-idle="true"]').waitFor();
    assert.equal(await byId(page, "map").getAttribute("data-center"), stood, "the map did not move");
  };
  await byId(page, "select-area").click();
  await draw();
  await shoot(page, "bulk-rectangle");
  await page.mouse.up();
  await selected(page, `${inside.length} selected`);
  assert.equal(await byId(page, "select-area").getAttribute("aria-pressed"), "false");
  await stands();
  await byId(page, "select-none").click();
  await page.keyboard.down("Shift");
  await draw();
  await page.mouse.up();
  await page.keyboard.up("Shift");
  await selected(page, `${inside.length} selected`);
  await stands();
  // With neither a drag moves the map.
  await draw();
  await page.mouse.up();
  await page.waitForFunction((stood) => document.querySelector('[data-testid="map"]').dataset.center !== stood, stood);
  assert.deepEqual(faults, []);
  await page.context().close();
});
