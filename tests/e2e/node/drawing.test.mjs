// What the map draws, by its pixels and by what it says of its texts: rings have the shares of their sites, discs their metres, counts of
// areas say "about", and names give way.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { comes, launch, openMapAt, pixelsOfMap, shoot, shows } from "./browser.mjs";
import { pure, shades } from "./modules.mjs";
import { Server } from "./server.mjs";

const PARENT = "accounts/demo";
// Spots in the sea, so far from one another that each test sees its own sites alone.
const BUOYS = { lat: 5, lng: -35 };
const DRIFTING = { lat: 60, lng: -35 };
const HARBOURS = [{ lat: -20, lng: -20 }, { lat: -22, lng: -20 }];
// Degrees between sites of a cluster and its middle, and where they are one symbol.
const APART_DEG = 0.01;
const AFAR = 6;
// Distances from the middle in pixels at which all arcs of the smallest donut are, and how far from its colour an arc's pixel may be.
const RADII_PX = [11.5, 12.5, 13.5];
const ARC_SHADE = 40;
// How far a share of a ring may be from that of the sites: arcs stand a little apart, and their edges are soft.
const SHARE_OFF_MAX = 0.04;
// Radius in metres that drifting sites are known to, and how many there are.
const KNOWN_TO_M = 20_000;
const ABOUT = 14;
// Metres in a degree of latitude.
const DEGREE_M = 111_195;
// Pixels that are looked at on each side of a disc's middle, those within which its ring is, and by how much a disc is another colour
// than the sea, at least.
const REACH_PX = 200;
const RING_PX = 30;
const DISC_SHADE = 4;
// How far a disc's edge may be from where it is calculated, in pixels: it has a soft line of one.
const EDGE_OFF_PX_MAX = 3;
// Zooms at which a pin stands in the way of a name, and at which it is four times as far.
const CROWDED = 12;
const ROOMY = 14;
const LONG_NAMES = ["Harbour warehouse", "Railway warehouse"];

let server, token, service, browser, light;

before(async () => {
  ({ light } = (await pure("map/palette.ts")).PALETTES);
  server = await Server.bare();
  token = await server.fill(0);
  const request = { parent: PARENT, token: { scope: "TOKEN_SCOPE_SERVICE" } };
  ({ secret: service } = await server.call("AdminService", "CreateToken", request, server.adminToken));
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const opened = (position, zoom) => openMapAt({ browser, server, token }, position, zoom);
const isNear = (color, other, off) => color.every((shade, at) => Math.abs(shade - other[at]) <= off);

async function made(displayName, status = "OFFLINE") {
  const site = { displayName, status: `SITE_STATUS_${status}` };
  return (await server.call("SiteService", "CreateSite", { parent: PARENT, site }, token)).name;
}

async function pinned(displayName, position, status) {
  await server.call("LocationService", "SetPin", { site: await made(displayName, status), position }, token);
}

/** The position so many pixels right of another one and below it, at a zoom. */
function beside({ lat, lng }, [right, below], zoom) {
  const degrees = 360 / (512 * 2 ** zoom);
  return { lat: lat - below * degrees * Math.cos((lat * Math.PI) / 180), lng: lng + right * degrees };
}

/** Which part of the ring in the middle of the map has each colour, looked at in each degree. */
async function sharesOfRing(page, colors) {
  const colorAt = await pixelsOfMap(page, 20, 20);
  const found = Array.from({ length: 360 }, (_, degree) => {
    const angle = (degree * Math.PI) / 180;
    const pixels = RADII_PX.map((radius) => colorAt(radius * Math.cos(angle), radius * Math.sin(angle)));
    return colors.findIndex((color) => pixels.some((pixel) => isNear(pixel, color, ARC_SHADE)));
  });
  return colors.map((_, at) => found.filter((color) => color === at).length / found.length);
}

test("a ring has the shares of the sites that it stands for: three of four are offline", async () => {
  for (const [number, [north, east]] of [[1, 0], [-1, 0], [0, 1], [0, -1]].entries()) {
    const position = { lat: BUOYS.lat + north * APART_DEG, lng: BUOYS.lng + east * APART_DEG };
    await pinned(`buoy ${number}`, position, number === 0 ? "ONLINE" : "OFFLINE");
  }
  const { page, faults } = await opened(BUOYS, AFAR);
  await shows(page, { clusters: "1", pins: "0", sites: "4", texts: '["4"]' });
  const colors = [light.status.offline, light.status.online].map(shades);
  await comes(page, async () => {
    const [offline, online] = await sharesOfRing(page, colors);
    const isSo = Math.abs(offline - 0.75) <= SHARE_OFF_MAX && Math.abs(online - 0.25) <= SHARE_OFF_MAX;
    return isSo ? "" : `${offline} of the ring are offline, and ${online} online`;
  });
  // From the top, clockwise: what is offline comes first, so the last quarter, left above, is left.
  const colorAt = await pixelsOfMap(page, 20, 20);
  const diagonal = RADII_PX[1] * Math.SQRT1_2;
  assert.ok(isNear(colorAt(-diagonal, -diagonal), colors[1], ARC_SHADE), `${colorAt(-diagonal, -diagonal)} is left above`);
  await shoot(page, "map-shares");
  assert.deepEqual(faults, []);
  await page.context().close();
});

/** How far the disc in the middle of the map reaches to the right, to the left, up and down, in pixels. */
async function reachesOfDisc(page) {
  const colorAt = await pixelsOfMap(page, REACH_PX, REACH_PX);
  const sea = shades(light.water);
  const pixels = Array.from({ length: REACH_PX - RING_PX }, (_, at) => RING_PX + at);
  return [[1, 0], [-1, 0], [0, -1], [0, 1]].map(([right, below]) =>
    pixels.findLast((pixel) => !isNear(colorAt(right * pixel, below * pixel), sea, DISC_SHADE)) ?? 0,
  );
}

test("an area's disc is as wide as its sites are known to, and says how many are about there", async () => {
  const reports = [];
  for (let number = 0; number < ABOUT; number += 1) {
    reports.push({ site: await made(`adrift ${number}`), devicePosition: { position: DRIFTING, accuracyM: KNOWN_TO_M } });
  }
  await server.call("ActivationService", "BatchReportStatus", { parent: PARENT, reports }, service);
  for (const zoom of [7, 8]) {
    const { page, faults } = await opened(DRIFTING, zoom);
    await shows(page, { areas: "1", pins: "0", clusters: "0", sites: String(ABOUT), texts: JSON.stringify([`~${ABOUT}\nsites`]) });
    // As far as so many metres are to the east, where degrees are narrower than at the equator.
    const degrees = KNOWN_TO_M / DEGREE_M / Math.cos((DRIFTING.lat * Math.PI) / 180);
    const radius = (degrees / 360) * 512 * 2 ** zoom;
    assert.ok(radius > 2 * RING_PX && radius < REACH_PX - 2 * EDGE_OFF_PX_MAX, `${radius} px can be measured`);
    await comes(page, async () => {
      const reaches = await reachesOfDisc(page);
      const isSo = reaches.every((reach) => Math.abs(reach - radius) <= EDGE_OFF_PX_MAX);
      return isSo ? "" : `the disc reaches ${reaches} px at zoom ${zoom}, not ${radius}`;
    });
    await shoot(page, `map-disc-${zoom}`);
    assert.deepEqual(faults, []);
    await page.context().close();
  }
});

for (const [number, what, other] of [[0, "donuts", "clusters"], [1, "other pins", "pins"]]) {
  test(`names give way to ${what}, and are there where there is room`, async () => {
    const [quay, long, signal] = [HARBOURS[number], LONG_NAMES[number], `Signal box ${number}`];
    await pinned(long, quay);
    // So near that the name would lie on it, which begins 18 px below its pin and is some 100 px wide; and so far that both are symbols of their own.
    const near = beside(quay, [66, 24], CROWDED);
    await pinned(signal, near);
    if (other === "clusters") await pinned(`${signal} b`, near);
    const symbols = other === "clusters" ? { pins: "1", clusters: "1", sites: "3" } : { pins: "2", clusters: "0", sites: "2" };
    const beyond = other === "clusters" ? "2" : signal;

    const crowded = await opened(quay, CROWDED);
    await shows(crowded.page, { ...symbols, texts: JSON.stringify([beyond]) });
    await shoot(crowded.page, `map-names-${other}`);
    const roomy = await opened(quay, ROOMY);
    await shows(roomy.page, symbols);
    const texts = await roomy.page.locator('[data-testid="map"]').getAttribute("data-texts");
    assert.deepEqual(JSON.parse(texts).sort(), [long, beyond].sort());
    for (const { page, faults } of [crowded, roomy]) {
      assert.deepEqual(faults, []);
      await page.context().close();
    }
  });
}
