// What the map draws of clusters, of areas and of what is known to a country alone, and what a click on each opens.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { byId, colored, launch, openMapAt, shoot, shows } from "./browser.mjs";
import { mmdb } from "./mmdb.mjs";
import { pure, shades } from "./modules.mjs";
import { GAZETTEER, Server } from "./server.mjs";

// A spot in the sea, far from the demo's sites.
const SEA = { lat: 5, lng: -35 };
// Degrees between two sites that are one cluster from afar.
const APART_DEG = 0.02;
// A meridian that is a border of cells at every zoom, degrees between two sites on its sides, and the zoom at which 48 px lie
// between them: 0.0002 / 360 of 512 * 2^18 px are 75.
const BORDER = { lat: 20, lng: 0 };
const BESIDE_DEG = 0.0002;
const BESIDE_ZOOM = 18;
// Too near to be told apart as near as the page comes, 0.00003 degrees or 45 px at zoom 20, but not for the server at zoom 21.
const TOGETHER = { lat: -20, lng: 0 };
const TOGETHER_DEG = 0.00003;
// Where both are clusters, with no other site in view.
const FROM_AFAR = 8;
const IN_TOWN = 4;
// An address of which a database knows the country alone, and where it puts that.
const SOMEWHERE = { ip: "81.2.69.142", network: "81.2.69.0/24", country: "MN", lat: 46.86, lng: 103.85 };

let server, token, browser, dir, paper, offline;

before(async () => {
  const { light } = (await pure("map/palette.ts")).PALETTES;
  [paper, offline] = [light.paper, light.status.offline].map(shades);
  dir = await mkdtemp(path.join(tmpdir(), "waymark-country-"));
  const { network, country, lat, lng } = SOMEWHERE;
  const record = { country: { iso_code: country }, location: { latitude: { double: lat }, longitude: { double: lng } } };
  await writeFile(path.join(dir, "country.mmdb"), mmdb("Some-Country", new Date("2026-11-01"), { [network]: record }));
  server = await Server.bare(["--geoip", path.join(dir, "country.mmdb"), "--gazetteer", GAZETTEER]);
  token = await server.demo(1);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  if (dir) await rm(dir, { recursive: true, force: true });
});

async function made(displayName) {
  const request = { parent: "accounts/demo", site: { displayName, status: "SITE_STATUS_OFFLINE" } };
  return (await server.call("SiteService", "CreateSite", request, token)).name;
}

/** A site that is known as finely as a place is: the first answer of that kind. Where it is. */
async function placed(displayName, place, granularity) {
  const site = await made(displayName);
  const request = { parent: "accounts/demo", site, addressLine: place };
  const { candidates } = await server.call("LocationService", "GeocodeAddress", request, token);
  const found = candidates.find((candidate) => candidate.granularity === granularity);
  const { location } = await server.call("LocationService", "ApplyCandidate", { site, candidateToken: found.token }, token);
  assert.equal(location.granularity, granularity);
  return location.position;
}

const data = (page) => byId(page, "map").evaluate((element) => ({ ...element.dataset }));
const opened = (position, zoom) => openMapAt({ browser, server, token }, position, zoom);

async function clickMiddle(page) {
  const box = await byId(page, "map").boundingBox();
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
}

test("a click on a cluster goes as near as it takes for it to fall apart", async () => {
  for (const [number, by] of [-0.5, 0.5].entries()) {
    const position = { lat: SEA.lat, lng: SEA.lng + by * APART_DEG };
    await server.call("LocationService", "SetPin", { site: await made(`buoy ${number}`), position }, token);
  }
  const { page, faults } = await opened(SEA, 6);
  await shows(page, { clusters: "1", pins: "0", sites: "2" });
  await shoot(page, "map-cluster");
  await clickMiddle(page);
  await shows(page, { clusters: "0", pins: "2", sites: "2" });
  const { zoom, names } = await data(page);
  assert.deepEqual(JSON.parse(names).sort(), ["buoy 0", "buoy 1"]);
  // Two symbols of 48 pixels in all have room side by side, and no more than a level beyond that.
  const pixels = (APART_DEG / 360) * 512 * 2 ** Number(zoom);
  assert.ok(pixels > 20 && pixels < 200, `${pixels} pixels between them at zoom ${zoom}`);
  await shoot(page, "map-expanded");
  assert.deepEqual(faults, []);
  await page.context().close();
});

/** Pins two sites so many degrees of longitude apart, on both sides of a position. */
async function pair({ lat, lng }, degrees, name) {
  for (const by of [-0.5, 0.5]) {
    const position = { lat, lng: lng + by * degrees };
    await server.call("LocationService", "SetPin", { site: await made(`${name} ${by}`), position }, token);
  }
}

test("one click takes two sites apart that stand on both sides of a border of cells", async () => {
  await pair(BORDER, BESIDE_DEG, "gate");
  const { page, faults } = await opened(BORDER, FROM_AFAR);
  await shows(page, { clusters: "1", pins: "0", sites: "2" });
  await clickMiddle(page);
  await shows(page, { clusters: "0", pins: "2", sites: "2" });
  assert.equal(Number((await data(page)).zoom), BESIDE_ZOOM);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a cluster that the page cannot take apart is listed at the first click", async () => {
  await pair(TOGETHER, TOGETHER_DEG, "tap");
  const { page, faults } = await opened(TOGETHER, FROM_AFAR);
  await shows(page, { clusters: "1", pins: "0", sites: "2" });
  await clickMiddle(page);
  await byId(page, "list-back").waitFor();
  await page.waitForFunction(() => document.querySelectorAll('[data-testid="site-row"]').length === 2);
  assert.equal(Number((await data(page)).zoom), FROM_AFAR);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("sites known to a town alone are an area, with their number and a list, however near one comes", async () => {
  let town;
  for (let number = 0; number < IN_TOWN; number += 1) {
    town = await placed(`in town ${number}`, "Ísafjörður", "GRANULARITY_CITY");
  }
  const { page, faults } = await opened(town, 15);
  await shows(page, { areas: "1", pins: "0", clusters: "0", sites: String(IN_TOWN) });
  await shoot(page, "map-area");
  await clickMiddle(page);
  await byId(page, "list-back").waitFor();
  await page.getByText("Sites in this area").waitFor();
  await page.waitForFunction((sites) => document.querySelectorAll('[data-testid="site-row"]').length === sites, IN_TOWN);
  await shoot(page, "map-area-list");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a site known to a country alone is never a pin, and opens by a click", async () => {
  const parent = "accounts/demo";
  const service = { parent, token: { scope: "TOKEN_SCOPE_SERVICE" } };
  const { secret } = await server.call("AdminService", "CreateToken", service, server.adminToken);
  const site = await made("somewhere in Mongolia");
  await server.call("ActivationService", "BatchReportStatus", { parent, reports: [{ site, publicIp: SOMEWHERE.ip }] }, secret);
  const { location } = await server.call("SiteService", "GetSite", { name: site }, token);
  assert.equal(location.granularity, "GRANULARITY_COUNTRY");
  const { page, faults } = await opened(location.position, 8);
  await shows(page, { areas: "1", pins: "0", clusters: "0", sites: "1" });
  await shoot(page, "map-country");
  await clickMiddle(page);
  await byId(page, "site-panel").getByText("somewhere in Mongolia").first().waitFor();
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a pin that a machine gave is hollow in a broken ring, one that a person gave is filled, with the shape of its status", async () => {
  const parent = "accounts/demo";
  const service = { parent, token: { scope: "TOKEN_SCOPE_SERVICE" } };
  const { secret } = await server.call("AdminService", "CreateToken", service, server.adminToken);
  const [measured, pinned] = [await made("measured by a device"), await made("pinned by a person")];
  const at = { lat: SEA.lat + 2, lng: SEA.lng };
  const reports = [{ site: measured, devicePosition: { position: at, accuracyM: 5 } }];
  await server.call("ActivationService", "BatchReportStatus", { parent, reports }, secret);
  const beside = { lat: at.lat, lng: at.lng + 0.01 };
  await server.call("LocationService", "SetPin", { site: pinned, position: beside }, token);
  for (const name of [measured, pinned]) {
    const site = { name, status: "SITE_STATUS_OFFLINE" };
    await server.call("SiteService", "UpdateSite", { site, updateMask: "status" }, token);
  }
  const hollow = await opened(at, 14);
  await shows(hollow.page, { pins: "2" });
  await colored(hollow.page, paper);
  await shoot(hollow.page, "map-approximate");
  const filled = await opened(beside, 14);
  await shows(filled.page, { pins: "2" });
  await colored(filled.page, offline);
  assert.deepEqual([...hollow.faults, ...filled.faults], []);
  await hollow.page.context().close();
  await filled.page.context().close();
});
