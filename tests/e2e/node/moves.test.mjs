// What the page says of a move: how far it goes, from where to where, before it is saved and after it, and where candidates are on the
// map. The figures are held against a computation of the test's own, on the same sphere.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { byId, launch, logIn, openFound, openPage, shoot } from "./browser.mjs";
import { Geocoder } from "./geocoder.mjs";
import { mmdb } from "./mmdb.mjs";
import { pure } from "./modules.mjs";
import { Server } from "./server.mjs";

const PARENT = "accounts/demo";
/** Radius of the mean sphere (IUGG), in metres. */
const EARTH_M = 6_371_008.8;
/** An address, and where the file puts it. */
const PUBLIC_IP = "8.8.8.8";
const ESTIMATE = { lat: 64.02, lng: -21.1 };
/** By the town of each: near one another, far apart, and on both sides of the line where the date changes. */
const DOORS = {
  Reykjavik: { lat: 64.1466, lng: -21.9426 },
  Hlid: { lat: 64.1458, lng: -21.9438 },
  Kopavogur: { lat: 64.1123, lng: -21.9017 },
  Taveuni: { lat: -16.85, lng: 179.97 },
  Qamea: { lat: -16.77, lng: -179.76 },
  Quito: { lat: -0.22, lng: -78.51 },
};
/** Pixels by which the tip of a mark may be drawn beside its place. */
const DRAWN_PX = 1.5;

let server, token, browser, dir, geocoder;

before(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "waymark-moves-"));
  geocoder = await Geocoder.start();
  geocoder.find = (text) => Object.entries(DOORS).filter(([town]) => text.includes(town)).map(door);
  const named = (name) => ({ names: { en: name } });
  const location = { latitude: { double: ESTIMATE.lat }, longitude: { double: ESTIMATE.lng }, accuracy_radius: 20 };
  const file = path.join(dir, "city.mmdb");
  const record = { city: named("Selfoss"), subdivisions: [named("South")], country: { iso_code: "IS" }, location };
  await writeFile(file, mmdb("Test-City", new Date(), { "8.8.8.0/24": record }));
  server = await Server.bare([], `${geocoder.config()}\n[geoip]\ndatabases = [${JSON.stringify(file)}]\n`);
  token = await server.fill(1);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await geocoder?.stop();
  if (dir) await rm(dir, { recursive: true, force: true });
});

/** A door of a town, as the geocoder tells it. */
function door([city, { lat, lng }]) {
  return { street: "Gata", number: "7", city, lat, lng };
}

/** Metres along the great circle: by the angle between two directions from the middle of the Earth. */
function metresBetween(one, other) {
  const direction = ({ lat, lng }) => {
    const [north, east] = [lat, lng].map((degrees) => (degrees * Math.PI) / 180);
    return [Math.cos(north) * Math.cos(east), Math.cos(north) * Math.sin(east), Math.sin(north)];
  };
  const [a, b] = [direction(one), direction(other)];
  const across = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  return EARTH_M * Math.atan2(Math.hypot(...across), a[0] * b[0] + a[1] * b[1] + a[2] * b[2]);
}

/**
 * Asserts that a text tells so many metres, as exactly as it is written: whole ones, tenths of kilometres, or whole kilometres. `slack`
 * is how far off the test itself may be, which reads positions to about a metre.
 */
function tells(text, metres, words, slack = 0.1) {
  const [, number, unit] = text.match(words) ?? assert.fail(`${JSON.stringify(text)} is not as ${words}`);
  const step = unit === "m" ? 1 : metres < 20_000 ? 100 : 1_000;
  const told = Number(number.replaceAll(",", "")) * (unit === "m" ? 1 : 1_000);
  assert.ok(Math.abs(told - metres) <= step / 2 + slack, `${text} for ${metres} m`);
}

/** What a position that the page writes may be off, with what the geocoder is told of it. */
const READ_M = 2;
const MOVED = /^Moved ([\d.,]+)\s(m|km)\.$/;
const FROM_PRESENT = /([\d.,]+)\s(m|km) from the present position/;

/** A position as the page writes it. */
function written({ lat, lng }) {
  const part = (degrees, [plus, minus]) => `${Math.abs(degrees).toFixed(5)}° ${degrees < 0 ? minus : plus}`;
  return `${part(lat, "NS")}, ${part(lng, "EW")}`;
}

/** A position that the page wrote. */
function read(text) {
  const [, lat, north, lng, east] = text.match(/([\d.]+)° ([NS]), ([\d.]+)° ([EW])/) ?? assert.fail(`no position in ${text}`);
  return { lat: Number(lat) * (north === "N" ? 1 : -1), lng: Number(lng) * (east === "E" ? 1 : -1) };
}

/** The page of a new site that GeoIP has put somewhere. */
async function openEstimated(displayName) {
  const { name } = await server.call("SiteService", "CreateSite", { parent: PARENT, site: { displayName } }, token);
  const own = { parent: PARENT, token: { scope: "TOKEN_SCOPE_SERVICE", displayName: "the fleet's" } };
  const { secret } = await server.call("AdminService", "CreateToken", own, server.adminToken);
  const reports = [{ site: name, publicIp: PUBLIC_IP }];
  await server.call("ActivationService", "BatchReportStatus", { parent: PARENT, reports }, secret);
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await openFound(page, displayName);
  return { page, faults, name };
}

async function find(page, text) {
  await byId(page, "address-input").fill(text);
  await byId(page, "address-find").click();
}

/** Asserts what the page says of the move that was made last. */
async function saysMoved(page, from, to) {
  const after = page.locator("dl.move dd").nth(1);
  await after.filter({ hasText: written(to) }).waitFor();
  assert.deepEqual(await page.locator("dl.move dd").allTextContents(), [from, to].map(written));
  tells(await byId(page, "locate-message").textContent(), metresBetween(from, to), MOVED);
}

test("each move is told with its distance, and where it was from and to: by addresses, taken back, and reset", async () => {
  const { page, faults } = await openEstimated("Moved about");
  let present = ESTIMATE;
  for (const [town, to] of Object.entries(DOORS)) {
    await find(page, `Gata 7, ${town}`);
    const candidate = byId(page, "candidate").filter({ hasText: town });
    // Before it is used: how far it would move.
    tells(await candidate.locator(".facts").textContent(), metresBetween(present, to), FROM_PRESENT);
    await candidate.getByTestId("candidate-apply").click();
    await saysMoved(page, present, to);
    present = to;
  }
  await shoot(page, "moves-told", byId(page, "locate-message"));
  await byId(page, "undo-move").click();
  await saysMoved(page, present, DOORS.Qamea);
  await byId(page, "reset-location").click();
  await saysMoved(page, DOORS.Qamea, ESTIMATE);
  await byId(page, "undo-move").click();
  await saysMoved(page, ESTIMATE, DOORS.Qamea);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a pin says how far it is from the present position and from its address while it is moved, and that is how far it goes", async () => {
  // Sixty metres or so beside whatever is asked for.
  geocoder.near = ({ lat, lng }) => [door(["Hella", { lat: lat + 0.0005, lng: lng + 0.0005 }])];
  const { page, faults } = await openEstimated("Pinned");
  const facts = page.locator(".placing");
  const isAtRest = () => page.waitForFunction(() => document.querySelector('[data-testid="map"]').dataset.idle === "true");
  await isAtRest();
  await byId(page, "place-pin").click();
  await byId(page, "pin-here").click();
  const mark = page.locator(".draft-mark");
  await mark.waitFor();
  const told = async () => {
    await byId(page, "pin-address").waitFor();
    const [at, away] = await facts.locator("p").allTextContents();
    const pin = read(at);
    tells(away, metresBetween(ESTIMATE, pin), FROM_PRESENT, READ_M);
    const near = await byId(page, "pin-address").textContent();
    const address = { lat: pin.lat + 0.0005, lng: pin.lng + 0.0005 };
    tells(near, metresBetween(pin, address), /Gata 7, Hella.*, ([\d.,]+)\s(m|km) from the pin/, READ_M);
    return pin;
  };
  await told();
  await isAtRest();
  const before = await facts.locator("p").first().textContent();
  await mark.press("Shift+ArrowRight");
  await mark.press("Shift+ArrowUp");
  await page.waitForFunction((before) => document.querySelector(".placing p").textContent !== before, before);
  const pin = await told();
  assert.ok(pin.lng > read(before).lng && pin.lat > read(before).lat, "right is east, and up is north");
  await shoot(page, "moves-pin", byId(page, "pin-save"));
  await byId(page, "pin-save").click();
  await page.locator("dl.move dd").nth(1).filter({ hasText: written(pin) }).waitFor();
  tells(await byId(page, "locate-message").textContent(), metresBetween(ESTIMATE, pin), MOVED, READ_M);
  await byId(page, "reset-location").click();
  await page.locator("dl.move dd").nth(1).filter({ hasText: written(ESTIMATE) }).waitFor();
  tells(await byId(page, "locate-message").textContent(), metresBetween(pin, ESTIMATE), MOVED, READ_M);
  assert.deepEqual(faults, []);
  await page.context().close();
});

/** Where a position is on the world's map, in parts of its width. */
function onMercator({ lat, lng }) {
  const north = (lat * Math.PI) / 180;
  return [(lng + 180) / 360, 0.5 - Math.asinh(Math.tan(north)) / (2 * Math.PI)];
}

test("candidates stand on the map by their numbers, each at its place, and list and map show the same one", async () => {
  const around = ["Reykjavik", "Hlid", "Kopavogur"];
  geocoder.find = () => around.map((town) => door([town, DOORS[town]]));
  const { page, faults } = await openEstimated("Chosen among");
  await find(page, "Gata 7");
  await byId(page, "candidate").nth(around.length - 1).waitFor();
  const marks = page.locator(".candidate-mark");
  await marks.nth(around.length - 1).waitFor();
  const listed = await page.locator('[data-testid="candidate"] .formatted').allTextContents();
  const places = listed.map((text) => DOORS[around.find((town) => text.includes(town))]);
  assert.deepEqual(await marks.allTextContents(), ["1", "2", "3"]);
  const labels = await marks.evaluateAll((all) => all.map((mark) => mark.getAttribute("aria-label")));
  labels.forEach((label, at) => assert.ok(label.includes(listed[at]), `${label} is not ${listed[at]}`));

  // All of them come into view; each then is where the map's middle and zoom put it, by its tip.
  const inView = (wanted) => {
    const map = document.querySelector('[data-testid="map"]');
    const { left, top, right, bottom } = map.getBoundingClientRect();
    const boxes = [...document.querySelectorAll(".candidate-mark")].map((mark) => mark.getBoundingClientRect());
    const isSeen = (box) => box.left > left && box.right < right && box.top > top && box.bottom < bottom;
    const [lat, lng] = map.dataset.center.split(",").map(Number);
    const isThere = Math.abs(lat - wanted.lat) < 0.2 && Math.abs(lng - wanted.lng) < 0.2;
    return map.dataset.idle === "true" && isThere && boxes.every(isSeen);
  };
  await page.waitForFunction(inView, DOORS.Reykjavik);
  await shoot(page, "moves-candidates", byId(page, "candidate"));
  await page.waitForFunction(inView, DOORS.Reykjavik);
  const drawn = await page.evaluate(() => {
    const map = document.querySelector('[data-testid="map"]');
    const { left, top, width, height } = map.getBoundingClientRect();
    const tips = [...document.querySelectorAll(".candidate-mark")].map((mark) => {
      const box = mark.getBoundingClientRect();
      // Its pointed corner.
      return [box.left - left - width / 2, box.bottom - top - height / 2];
    });
    return { tips, center: map.dataset.center.split(",").map(Number), zoom: Number(map.dataset.zoom) };
  });
  const [lat, lng] = drawn.center;
  const worldPx = 512 * 2 ** drawn.zoom;
  const [middleX, middleY] = onMercator({ lat, lng });
  for (const [at, place] of places.entries()) {
    const [x, y] = onMercator(place);
    const wanted = [(x - middleX) * worldPx, (y - middleY) * worldPx];
    const off = Math.hypot(drawn.tips[at][0] - wanted[0], drawn.tips[at][1] - wanted[1]);
    assert.ok(off <= DRAWN_PX, `mark ${at + 1} is ${off} px beside its place`);
  }

  // What the pointer or the keys are on in the list is raised on the map, and the other way round.
  for (const at of [1, 2]) {
    await byId(page, "candidate").nth(at).hover();
    await page.waitForFunction((at) => {
      const raised = [...document.querySelectorAll(".candidate-mark")].map((mark) => mark.classList.contains("is-highlighted"));
      return raised.every((is, nth) => is === (nth === at));
    }, at);
  }
  await marks.nth(0).dispatchEvent("click");
  await page.waitForFunction(() => {
    const shown = [...document.querySelectorAll('[data-testid="candidate"]')].map((row) => row.classList.contains("highlighted"));
    return shown[0] && !shown[1] && !shown[2];
  });
  // They go when one is used.
  await byId(page, "candidate-apply").first().click();
  await saysMoved(page, ESTIMATE, places[0]);
  await marks.first().waitFor({ state: "detached" });
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a circle of accuracy is as wide as it says, all around, and the way of a move goes the shorter way round", async () => {
  const { focusData } = await pure("map/focus_layers.ts");
  for (const [position, accuracyM] of [[DOORS.Reykjavik, 350], [DOORS.Quito, 5_000], [DOORS.Taveuni, 20_000]]) {
    const { features } = focusData({ selected: { position, accuracyM } });
    const ring = features.find(({ properties }) => properties.kind === "accuracy").geometry.coordinates[0];
    for (const [lng, lat] of ring) {
      const away = metresBetween(position, { lat, lng });
      assert.ok(Math.abs(away - accuracyM) <= accuracyM / 100, `${away} m of ${accuracyM}`);
    }
  }
  const { features } = focusData({ move: { before: DOORS.Taveuni, after: DOORS.Qamea } });
  const [from, to] = features.find(({ properties }) => properties.kind === "move").geometry.coordinates;
  assert.ok(Math.abs(from[0] - to[0]) < 1, `from ${from} to ${to}`);
});
