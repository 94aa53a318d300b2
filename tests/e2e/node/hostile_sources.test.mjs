// Texts that no user types: of geocoders, GeoIP files, gazetteers, base maps, identity providers, files to import and addresses of the
// page. Nothing of them runs, wherever they are shown, and the policy has nothing to report.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { apart, byId, HOSTILE, launch, logIn, openFound, openPage, shoot, SIZES } from "./browser.mjs";
import { Front } from "./front.mjs";
import { Geocoder } from "./geocoder.mjs";
import { isSound, TEXTS } from "./hostile.mjs";
import { mmdb } from "./mmdb.mjs";
import { BINARY, Server } from "./server.mjs";

const PARENT = "accounts/demo";
const BUILT = new Date("2026-11-01");
/** Addresses that both files know as a city's, and one that they know as a country's alone, whose time zone the file says. */
const CITY_IP = "81.2.69.142";
const COUNTRY_IP = "8.8.8.8";
/** Kinds of texts that are on one line and without marks of direction: of others nothing is believed. */
const LINES = ["script", "handler", "closing", "link", "template", "backwards"];
/** What lies over the map, and windows in which that is low. */
const OVER_MAP = [".buttons", '[data-testid="legend"]', '[data-testid="attribution"]'];
const LOW = [{ width: 390, height: 480 }, { width: 1000, height: 400 }];
/** What a style says of its source: markup, of which a page may take words and web links. */
const CREDIT = `<a href="${TEXTS.link}">Run</a><a href="https://maps.example.org/">Maps</a>${TEXTS.script}${TEXTS.handler}`;
/** Another one's page, with a map that names whom it is told to, and an element that takes markup as it comes. */
const PAGE = `<!doctype html><title>waymark</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/library/maplibre-gl.css">
<div id="map" style="width: 800px; height: 600px"></div><p id="naive"></p>
<script type="module">
import { Map } from "/library/maplibre-gl.mjs";
const style = { version: 8, sources: {}, layers: [] };
const map = new Map({ container: "map", style, center: [0, 20], zoom: 1, attributionControl: { compact: false } });
map.on("load", () => { window.map = map; });
</script>`;

let server, token, browser, dir, geocoder, jwt;

before(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "waymark-strangers-"));
  geocoder = await Geocoder.start();
  const parts = [geocoder.config(`${HOSTILE} three`), await geoip(), await basemap(), await identity()];
  server = await Server.bare([], parts.join("\n"));
  token = await server.fill(1);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await geocoder?.stop();
  if (dir) await rm(dir, { recursive: true, force: true });
});

/** Two files that are called by markup, and say it of everything. */
async function geoip() {
  const named = { names: { en: HOSTILE } };
  const record = (lat, lng, country, more) => ({
    country: { iso_code: country },
    location: { latitude: { double: lat }, longitude: { double: lng }, accuracy_radius: 50, time_zone: HOSTILE },
    postal: { code: HOSTILE },
    traits: { autonomous_system_number: 64_500, autonomous_system_organization: HOSTILE, isp: HOSTILE },
    ...more,
  });
  const city = { city: named, subdivisions: [{ ...named, iso_code: HOSTILE }] };
  const files = [["one", 51.5, -0.1], ["two", 55.9, -3.2]].map(async ([word, lat, lng]) => {
    const networks = { "81.2.69.0/24": record(lat, lng, "GB", city), "8.8.8.0/24": record(46.8, 8.2, "CH", {}) };
    const file = path.join(dir, `${word}.mmdb`);
    await writeFile(file, mmdb(`${HOSTILE} ${word}`, BUILT, networks));
    return JSON.stringify(file);
  });
  return `[geoip]\ndatabases = [${(await Promise.all(files)).join(", ")}]\n`;
}

async function basemap() {
  const folder = path.join(dir, "basemap");
  await mkdir(folder);
  const style = {
    version: 8,
    name: HOSTILE,
    sources: { ground: { type: "geojson", data: { type: "FeatureCollection", features: [] }, attribution: CREDIT } },
    layers: [
      { id: HOSTILE, type: "background", paint: { "background-color": "#88aa88" } },
      { id: "ground", type: "fill", source: "ground", paint: { "fill-color": "#336633" } },
    ],
  };
  await writeFile(path.join(folder, "style.json"), JSON.stringify(style));
  const lines = [`directory = ${JSON.stringify(folder)}`, 'style = "/basemap/style.json"', `attribution = ${JSON.stringify(`${HOSTILE} four`)}`];
  return `[basemap]\n${lines.join("\n")}\n`;
}

/** An identity provider, and the token of somebody who is called by markup there. */
async function identity() {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const issuer = "https://id.waymark.test";
  const file = path.join(dir, "keys.json");
  await writeFile(file, JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "first" }] }));
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer, aud: "waymark", sub: HOSTILE, iat: now, exp: now + 3600, account: "demo", roles: ["editor"] };
  const encoded = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const signed = [{ alg: "EdDSA", kid: "first", typ: "JWT" }, claims].map(encoded).join(".");
  jwt = `${signed}.${sign(null, Buffer.from(signed), privateKey).toString("base64url")}`;
  const lines = [
    "[[auth.jwt]]", `issuer = "${issuer}"`, 'audience = "waymark"', `jwks_file = ${JSON.stringify(file)}`, 'algorithms = ["EdDSA"]',
    'account_claim = "account"', 'role_claim = "roles"', 'roles = [{ value = "editor", role = "editor" }]',
  ];
  return `${lines.join("\n")}\n`;
}

/** A site of this name; as if it called from an address, where there is one. */
async function create(displayName, publicIp) {
  const { name } = await server.call("SiteService", "CreateSite", { parent: PARENT, site: { displayName } }, token);
  if (!publicIp) return name;
  const own = { parent: PARENT, token: { scope: "TOKEN_SCOPE_SERVICE", displayName: "the fleet's" } };
  const { secret } = await server.call("AdminService", "CreateToken", own, server.adminToken);
  const reports = [{ site: name, publicIp }];
  const { results } = await server.call("ActivationService", "BatchReportStatus", { parent: PARENT, reports }, secret);
  assert.deepEqual(results.map(({ outcome }) => outcome), ["OUTCOME_WRITTEN"]);
  return name;
}

async function open(displayName) {
  const opened = await openPage({ browser, server, token });
  await logIn(opened.page, server, token);
  await openFound(opened.page, displayName);
  return opened;
}

/** Ends a test's page: it is sound, and nothing went wrong on it. */
async function close({ page, faults }, view) {
  await isSound(page, view);
  assert.deepEqual(faults, [], view);
  await page.context().close();
}

/** Waits until parts of the page have all of these texts in them. */
async function shows(parts, ...texts) {
  for (const text of texts) await parts.filter({ hasText: text }).first().waitFor();
}

const valueOf = (page, label) => page.locator(`[data-testid="record-value"][data-label="${label}"]`);
const rowOf = (page, source, label) => page.locator(`[data-testid="fix"][data-source="${source}"] [data-label="${label}"]`);

test("what a geocoder answers is text: in suggestions, candidates, marks on the map, evidence and history", async () => {
  const doors = LINES.map((kind, at) => {
    return { street: TEXTS[kind], number: "7", city: `By ${kind}`, lat: 64.1 + at / 500, lng: -21.9 + at / 200 };
  });
  const written = doors.map(({ street, city }) => `${street} 7, ${city}`);
  geocoder.find = () => doors;
  geocoder.near = ({ lat, lng }) => [{ ...doors[LINES.indexOf("closing")], lat: lat + 0.0005, lng }];
  await create("Asked for", CITY_IP);
  const opened = await open("Asked for");
  const { page } = opened;
  await byId(page, "address-input").pressSequentially("Gata");
  await byId(page, "suggestion").nth(doors.length - 1).waitFor();
  assert.deepEqual((await page.locator('[data-testid="suggestion"] .formatted').allTextContents()).sort(), [...written].sort());
  await isSound(page, "suggestions");
  await shoot(page, "hostile-suggestions", byId(page, "suggestion"));
  await byId(page, "address-input").fill("Gata 7");
  await byId(page, "address-find").click();
  await byId(page, "candidate").nth(doors.length - 1).waitFor();
  assert.deepEqual((await page.locator('[data-testid="candidate"] .formatted').allTextContents()).sort(), [...written].sort());
  const marks = page.locator(".candidate-mark");
  await marks.nth(doors.length - 1).waitFor();
  const labels = await marks.evaluateAll((all) => all.map((mark) => mark.getAttribute("aria-label")));
  for (const text of written) assert.ok(labels.some((label) => label.includes(text)), text);
  await isSound(page, "candidates");
  await shoot(page, "hostile-candidates", byId(page, "candidate"));
  const handler = written[LINES.indexOf("handler")];
  await byId(page, "candidate").filter({ hasText: handler }).getByTestId("candidate-apply").click();
  await shows(byId(page, "site-address"), handler);
  assert.equal(await rowOf(page, "ADDRESS", "Matched").textContent(), handler);

  await byId(page, "place-pin").click();
  await byId(page, "pin-here").click();
  const closing = written[LINES.indexOf("closing")];
  await shows(byId(page, "pin-address"), closing);
  await isSound(page, "address at a pin");
  await byId(page, "pin-save").click();
  await byId(page, "adopt-address").click();
  await shows(byId(page, "site-address"), closing);
  await byId(page, "history").locator("summary").click();
  await shows(byId(page, "history-change"), handler, closing);
  await close(opened, "history of addresses");
});

test("what GeoIP files say is text: names of places, of networks and of themselves, and a time zone that is none", async () => {
  await create("Estimated", CITY_IP);
  const estimated = await open("Estimated");
  const { page } = estimated;
  assert.equal(await rowOf(page, "GEOIP", "Matched").textContent(), `${HOSTILE}, ${HOSTILE}, GB`);
  await shows(rowOf(page, "GEOIP", "Database"), `${HOSTILE} one`);
  await shows(rowOf(page, "GEOIP", "Compared"), `${HOSTILE} two`);
  await shows(rowOf(page, "GEOIP", "Other databases"), `${HOSTILE} two`);
  await shows(valueOf(page, "Network"), HOSTILE);
  await shoot(page, "hostile-estimate", rowOf(page, "GEOIP", "Other databases"));
  await close(estimated, "an estimate");

  await create("Of a country", COUNTRY_IP);
  const ofCountry = await open("Of a country");
  assert.equal(await valueOf(ofCountry.page, "Time zone").textContent(), HOSTILE);
  await close(ofCountry, "a time zone");
});

test("what a gazetteer was built from is text: its streets and towns, and whom it names", async (t) => {
  const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
  const file = path.join(dir, "doors.csv");
  // As few words as a name may have that is looked up as one.
  const street = "Gal <svg onload=hit>";
  await writeFile(file, `LON,LAT,NUMBER,STREET,CITY\n-21.9,64.2,7,${quoted(street)},${quoted(`By ${HOSTILE}`)}\n`);
  const index = path.join(dir, "gazetteer");
  const source = `${file},country=IS,attribution=${HOSTILE}`;
  await promisify(execFile)(BINARY, ["gazetteer", "build", "--openaddresses", source, "--out", index]);
  const other = await Server.bare(["--gazetteer", index]);
  t.after(() => other.stop());
  const editor = await other.fill(1);
  const opened = await openPage({ browser, server: other, token: editor });
  const { page } = opened;
  await logIn(page, other, editor);
  await openFound(page, "Site 000");
  await byId(page, "address-input").fill(`${street} 7`);
  await byId(page, "address-find").click();
  await shows(byId(page, "candidate"), street, HOSTILE);
  await shows(byId(page, "attribution"), HOSTILE);
  await byId(page, "candidate-apply").first().click();
  await shows(byId(page, "locate-message"), /^Moved/);
  await close(opened, "a gazetteer");
});

test("whom files, geocoders and base maps want named is text, and of markup words and web links alone", async () => {
  const opened = await openPage({ browser, server, token });
  const { page } = opened;
  await logIn(page, server, token);
  const named = byId(page, "attribution");
  await named.getByRole("link", { name: "Maps" }).waitFor();
  for (const word of ["one", "two", "three", "four"]) await shows(named, `${HOSTILE} ${word}`);
  await shows(named, "Run");
  const links = await named.locator("a").evaluateAll((all) => all.map(({ protocol }) => protocol));
  assert.deepEqual([...new Set(links)], ["https:"]);
  await shoot(page, "hostile-attribution", named);
  // However much is named, it leaves the legend and the buttons free, also of one another.
  for (const size of [...SIZES, ...LOW]) await apart(page, size, [...OVER_MAP, ".maplibregl-ctrl-scale"]);
  await byId(page, "legend").locator("summary").click();
  for (const size of [...SIZES, ...LOW]) await apart(page, size, OVER_MAP);
  await close(opened, "attributions");
});

test("the attribution of TileJSON, which map libraries set into their pages as it is, has no markup of others", async (t) => {
  const { tileJsonPath } = await server.call("MapService", "SignTileUrl", { parent: PARENT, ttl: "600s" }, token);
  const front = await new Front(server, PAGE).start();
  t.after(() => front.stop());
  const { page, faults } = await openPage({ browser, server: front, token });
  await page.goto(front.url);
  await page.waitForFunction(() => window.map);
  await page.evaluate(async (url) => {
    const { attribution } = await (await fetch(url)).json();
    document.querySelector("#naive").innerHTML = attribution;
    window.map.addSource("sites", { type: "vector", url: new URL(url, location.href).href });
    window.map.addLayer({ id: "pins", type: "circle", source: "sites", "source-layer": "pins" });
  }, tileJsonPath);
  const control = page.locator(".maplibregl-ctrl-attrib-inner");
  for (const place of [control, page.locator("#naive")]) await shows(place, `${HOSTILE} one`, `${HOSTILE} three`);
  assert.equal(await page.locator("#naive img, #naive svg, #naive script, .maplibregl-ctrl-attrib img").count(), 0);
  assert.equal(await page.title(), "waymark", "something ran");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("who somebody is at an identity provider is text, where it says whose word a pin is", async () => {
  const name = await create("Pinned");
  await server.call("LocationService", "SetPin", { site: name, position: { lat: 64, lng: -21 } }, jwt);
  const opened = await open("Pinned");
  const { page } = opened;
  await shows(rowOf(page, "PIN", "Set by"), HOSTILE);
  await byId(page, "history").locator("summary").click();
  await shows(byId(page, "history-change"), HOSTILE);
  await close(opened, "an identity");
});

test("features of a file are text, as are their properties' names and the file's own", async () => {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await byId(page, "open-more").click();
  await byId(page, "open-exchange").click();
  const geometry = { type: "Point", coordinates: [-21, 64] };
  const feature = (properties) => ({ type: "Feature", geometry, properties });
  const features = Object.values(TEXTS).map((text) => feature({ name: text, status: text, "label.tier": text }));
  features.push(feature({ name: "Of another column", [HOSTILE]: "1" }), { type: HOSTILE, properties: { name: "No feature" } });
  features.push(feature({ name: "Good", status: "online" }));
  const take = async (content) => {
    const buffer = Buffer.from(JSON.stringify(content));
    await byId(page, "import-file").setInputFiles({ name: `${HOSTILE}.geojson`, mimeType: "application/geo+json", buffer });
  };
  await take({ type: "FeatureCollection", features });
  await byId(page, "import-row").nth(features.length - 1).waitFor();
  assert.ok((await byId(page, "import-name").textContent()).includes(HOSTILE));
  await shows(byId(page, "import-row"), HOSTILE);
  await isSound(page, "features");
  await shoot(page, "hostile-features", byId(page, "import-progress"));
  const lines = { name: "lines.geojson", mimeType: "application/geo+json", buffer: Buffer.from(`${HOSTILE}\n`) };
  await byId(page, "import-file").setInputFiles(lines);
  await shows(byId(page, "error-banner"), "Line 1");
  await close({ page, faults }, "a file that is none");
});

test("an address of the page is text, whatever a link has in it", async () => {
  const own = (key) => new URLSearchParams({ account: "demo", [key]: TEXTS.handler });
  const alone = (key) => new URLSearchParams({ [key]: TEXTS.handler });
  const links = [...["site", "map", "q", "status", "page", "label", "queue", "list"].map(own), ...["account", "token"].map(alone)];
  for (const link of links) {
    const { page, faults } = await openPage({ browser, server, token });
    await logIn(page, server, token, `#${link}`);
    if (link.has("site")) await byId(page, "site-panel").getByTestId("error-banner").waitFor();
    await isSound(page, `#${link}`);
    // Of a token that is none the browser tells by itself.
    assert.deepEqual(faults.filter((fault) => !(link.has("token") && /status of 40[01]/.test(fault))), [], `#${link}`);
    await page.context().close();
  }
});
