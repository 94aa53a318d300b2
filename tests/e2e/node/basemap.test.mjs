// The operator's own base map: a style of another server, a PMTiles archive of their own, files of theirs that are served, and
// what becomes of a map whose base does not come.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { archiveOf, worldTile } from "./archive.mjs";
import { byId, colored as coloredAt, launch, openPage, shoot } from "./browser.mjs";
import { Gate } from "./gate.mjs";
import { Server } from "./server.mjs";

/** Where the map stands, in the Sahara: no site and no name of a country is near, and all of it is land. */
const HERE = { lat: 22.5, lng: 12.5 };
const VIEW = `#account=demo&map=5/${HERE.lat}/${HERE.lng}`;
/** Milliseconds beyond the pause before a base map that did not come is asked for again. */
const AGAIN_MS = 6_000;
/** Colours of the page's own palette, light and dark. */
const WATER = { light: [213, 228, 235], dark: [13, 21, 27] };
const LAND = { light: [248, 247, 243], dark: [27, 39, 47] };
const CREDIT = '<a href="https://maps.example.org/copyright">Example Maps</a>';

let browser, dir, others;

before(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "waymark-basemap-"));
  browser = await launch();
  others = await Others.start();
});

after(async () => {
  await browser?.close();
  await others?.stop();
  if (dir) await rm(dir, { recursive: true, force: true });
});

/** Another server, with a style and its parts. */
class Others {
  asked = [];
  told = [];

  static async start() {
    const others = new Others();
    const square = [[-179, -80], [179, -80], [179, 80], [-179, 80], [-179, -80]];
    const style = (color) => ({
      version: 8,
      // Names that the page has, too, and addresses as they are seen from the style.
      sources: { sites: { type: "geojson", data: "parts/land.json", attribution: CREDIT } },
      layers: [
        { id: "water", type: "background", paint: { "background-color": "#0000ff" } },
        { id: "pins", type: "fill", source: "sites", paint: { "fill-color": color } },
      ],
    });
    const land = { type: "Feature", properties: {}, geometry: { type: "Polygon", coordinates: [square] } };
    // An archive's address without a server in it.
    const lakes = {
      version: 8,
      sources: { lakes: { type: "vector", url: "pmtiles:///basemap/lakes.pmtiles" } },
      layers: [
        { id: "ground", type: "background", paint: { "background-color": "#ffff00" } },
        { id: "lake", type: "fill", source: "lakes", "source-layer": "water", paint: { "fill-color": "#ff0000" } },
      ],
    };
    const styles = { "/map/light.json": style("#ff00ff"), "/map/dark.json": style("#00ff00"), "/map/lakes.json": lakes };
    const files = { ...styles, "/map/parts/land.json": land };
    others.files = files;
    others.listener = http.createServer((request, response) => {
      others.asked.push(request.url);
      others.told.push(JSON.stringify(request.headers));
      const found = files[request.url];
      response.writeHead(found ? 200 : 404, { "access-control-allow-origin": "*", "content-type": "application/json" });
      response.end(JSON.stringify(found ?? {}));
    });
    await new Promise((resolve) => others.listener.listen(0, "127.0.0.1", resolve));
    others.url = `http://127.0.0.1:${others.listener.address().port}`;
    return others;
  }

  async stop() {
    this.listener.closeAllConnections();
    await new Promise((resolve) => this.listener.close(resolve));
  }
}

/** A server with a base map, and three sites. */
async function serve(basemap) {
  const server = await Server.bare([], `[basemap]\n${basemap}\n`);
  return { server, token: await server.fill(3) };
}

/**
 * The map, where it stands; and what a good page does not do, but for asking the servers that are configured. With `leaps` its
 * time leaps where a test says so.
 */
async function open({ server, token }, leaps = false) {
  const { page, faults } = await openPage({ browser, server, token }, { width: 1280, height: 900 });
  if (leaps) await page.clock.install();
  await page.goto(`${server.url}/${VIEW}`);
  await byId(page, "login-token").fill(token);
  await byId(page, "login-submit").click();
  await byId(page, "map").and(page.locator('[data-idle="true"]')).waitFor();
  return { page, own: () => faults.filter((fault) => !fault.includes(others.url)) };
}

/** Waits until the map has this colour a little beside its middle, where nothing is named. */
const colored = (page, expect) => coloredAt(page, expect, 40, 40);

test("without a base map of the operator the page draws its own, and reaches no other server", async () => {
  const server = await Server.bare();
  const token = await server.fill(3);
  assert.deepEqual(await (await server.get("/v1/basemap.json", token)).json(), { origins: [] });
  const policy = (await fetch(server.url)).headers.get("content-security-policy");
  assert.match(policy, /connect-src 'self';/);
  const { page, own } = await open({ server, token });
  await colored(page, LAND.light);
  await page.emulateMedia({ colorScheme: "dark" });
  await colored(page, LAND.dark);
  await byId(page, "attribution").getByText("Natural Earth").waitFor();
  assert.deepEqual(own(), []);
  await page.context().close();
  await server.stop();
});

test("a style of another server takes the place of the base map, on light and dark screens, and is named", async () => {
  const served = await serve(
    `style = "${others.url}/map/light.json"\nstyle_dark = "${others.url}/map/dark.json"\n` +
      `origins = ["https://fonts.example.org"]\nattribution = "Acme Cartography"`,
  );
  const policy = (await fetch(served.server.url)).headers.get("content-security-policy");
  assert.ok(policy.includes(`connect-src 'self' ${others.url} https://fonts.example.org;`), policy);
  assert.doesNotMatch(policy, /unsafe|\*/);
  const { page, own } = await open(served);
  await colored(page, [255, 0, 255]);
  const named = byId(page, "attribution");
  await named.getByRole("link", { name: "Example Maps" }).waitFor();
  await named.getByText("Acme Cartography").waitFor();
  assert.equal(await named.getByText("Natural Earth").count(), 0, "nothing of it is seen");
  // The sites stand over it, whatever its layers are called.
  await page.getByLabel("Show the whole world").click();
  await page.waitForFunction(() => document.querySelector('[data-testid="map"]').dataset.sites === "3");
  await shoot(page, "basemap-style");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.waitForFunction(() => document.querySelector('[data-testid="map"]').dataset.idle === "true");
  await page.goto(`${served.server.url}/${VIEW}`);
  await colored(page, [0, 255, 0]);
  assert.deepEqual(own(), []);
  assert.ok(others.asked.every((url) => !url.includes("wmk_")));
  assert.ok(others.told.length > 0 && others.told.every((headers) => !/authorization|cookie|wmk_/i.test(headers)));
  await page.context().close();
  await served.server.stop();
});

test("a PMTiles archive of shapes is drawn in the page's colours over its own base map, and one that replaces it is taken", async () => {
  const directory = path.join(dir, "shapes");
  await mkdir(directory);
  const lake = (box) => {
    const tile = worldTile({ box, areaLayer: "water", pointLayer: "places", name: "Testville", at: [14, 23.5] });
    const metadata = { attribution: CREDIT, vector_layers: [{ id: "water", fields: {} }, { id: "places", fields: {} }] };
    return archiveOf([{ z: 0, x: 0, y: 0, bytes: tile }], { kind: "vector", metadata });
  };
  const file = path.join(directory, "world.pmtiles");
  await writeFile(file, lake([8, 18, 18, 27]));
  const served = await serve(`pmtiles = "/basemap/world.pmtiles"\ndirectory = "${directory}"`);
  const { page, own } = await open(served);
  await colored(page, WATER.light);
  const named = byId(page, "attribution");
  await named.getByRole("link", { name: "Example Maps" }).waitFor();
  await named.getByText("Natural Earth").waitFor();
  await shoot(page, "basemap-pmtiles");
  await page.emulateMedia({ colorScheme: "dark" });
  await colored(page, WATER.dark);
  await page.emulateMedia({ colorScheme: "light" });
  // Elsewhere now: what the page knew of the archive is not good for it any more.
  await writeFile(`${file}.new`, lake([100, 18, 110, 27]));
  await rename(`${file}.new`, file);
  await page.reload();
  await byId(page, "map").and(page.locator('[data-idle="true"]')).waitFor();
  await colored(page, LAND.light);
  assert.deepEqual(own(), []);
  await page.context().close();
  await served.server.stop();
});

test("a PMTiles archive of pictures is read through its leaves, at every zoom that it has", async () => {
  const directory = path.join(dir, "pictures");
  await mkdir(directory);
  const painter = await browser.newPage();
  const png = async (color) => {
    const bytes = await painter.evaluate(async (color) => {
      const canvas = new OffscreenCanvas(256, 256);
      const ctx = canvas.getContext("2d");
      ctx.fillStyle = color;
      ctx.fillRect(0, 0, 256, 256);
      return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())];
    }, color);
    return Buffer.from(bytes);
  };
  const [red, blue] = [await png("#ff0000"), await png("#0000ff")];
  await painter.close();
  const tiles = [];
  // One tile of the deepest zoom is blue: that of the map's middle.
  for (let z = 0; z <= 3; z += 1) {
    for (let x = 0; x < 2 ** z; x += 1) {
      for (let y = 0; y < 2 ** z; y += 1) tiles.push({ z, x, y, bytes: z === 3 && x === 4 && y === 3 ? blue : red });
    }
  }
  await writeFile(path.join(directory, "sat.pmtiles"), archiveOf(tiles, { kind: "png", metadata: {}, leafEntries: 10 }));
  const served = await serve(`pmtiles = "/basemap/sat.pmtiles"\ndirectory = "${directory}"`);
  const { page, own } = await open(served);
  await colored(page, [0, 0, 255]);
  assert.deepEqual(own(), []);
  await page.context().close();
  await served.server.stop();
});

test("a base map that does not come is told, the page's own is drawn, and the word can be put away", async () => {
  const served = await serve(`style = "${others.url}/nowhere.json"`);
  const { page, own } = await open(served);
  await page.getByText("The configured base map could not be loaded.").waitFor();
  await colored(page, LAND.light);
  await byId(page, "site-list").waitFor();
  await shoot(page, "basemap-failed");
  await page.getByRole("button", { name: "Hide" }).click();
  assert.equal(await page.getByText("The configured base map").count(), 0);
  assert.deepEqual(own().filter((fault) => !/Failed to load resource/.test(fault)), []);
  await page.context().close();
  await served.server.stop();
});

test("that the server does not tell of a base map is not taken for none: it is said, and asked for until it tells", async () => {
  const { server, token } = await serve(`style = "${others.url}/map/light.json"`);
  const spoils = [
    (gate) => gate.fail("basemap.json", 500),
    // An answer that is no JSON.
    (gate) => gate.refuse("basemap.json"),
    (gate) => gate.cut("basemap.json"),
  ];
  for (const spoil of spoils) {
    const gate = await Gate.before(server);
    spoil(gate);
    const { page, own } = await open({ server: gate, token }, true);
    await byId(page, "base-trouble").getByText("The server did not say which base map to use.").waitFor();
    await colored(page, LAND.light);
    await shoot(page, "basemap-unknown");
    gate.open("basemap.json");
    await page.clock.fastForward(AGAIN_MS);
    await colored(page, [255, 0, 255]);
    assert.equal(await byId(page, "base-trouble").count(), 0);
    await byId(page, "attribution").getByRole("link", { name: "Example Maps" }).waitFor();
    // The sites stand over it, as they stood over the other one.
    await page.getByLabel("Show the whole world").click();
    await page.waitForFunction(() => document.querySelector('[data-testid="map"]').dataset.sites === "3");
    assert.deepEqual(own().filter((fault) => !/Failed to load resource|net::ERR/.test(fault)), []);
    await page.context().close();
    await gate.stop();
  }
  // A server that knows of no base map has none.
  const gate = await Gate.before(server);
  gate.fail("basemap.json", 404);
  const { page } = await open({ server: gate, token });
  await colored(page, LAND.light);
  assert.equal(await byId(page, "base-trouble").count(), 0);
  await page.context().close();
  await gate.stop();
  await server.stop();
});

test("a style that does not come is asked for again, and takes its place when it does", async () => {
  const served = await serve(`style = "${others.url}/map/late.json"`);
  const { page, own } = await open(served, true);
  await byId(page, "base-trouble").waitFor();
  await colored(page, LAND.light);
  others.files["/map/late.json"] = others.files["/map/light.json"];
  await page.clock.fastForward(AGAIN_MS);
  await colored(page, [255, 0, 255]);
  await byId(page, "base-trouble").waitFor({ state: "detached" });
  assert.deepEqual(own().filter((fault) => !/Failed to load resource/.test(fault)), []);
  await page.context().close();
  await served.server.stop();
});

test("an archive's address without a server is of the page's own server, in a style of another one, too", async () => {
  const directory = path.join(dir, "lakes");
  await mkdir(directory);
  const tile = worldTile({ box: [8, 18, 18, 27], areaLayer: "water", pointLayer: "places", name: "Testville", at: [14, 23.5] });
  const metadata = { vector_layers: [{ id: "water", fields: {} }] };
  await writeFile(path.join(directory, "lakes.pmtiles"), archiveOf([{ z: 0, x: 0, y: 0, bytes: tile }], { kind: "vector", metadata }));
  const served = await serve(`style = "${others.url}/map/lakes.json"\ndirectory = "${directory}"`);
  const { page, own } = await open(served);
  await colored(page, [255, 0, 0]);
  assert.ok(others.asked.every((url) => !url.includes("pmtiles")), "nobody else was asked for it");
  assert.deepEqual(own(), []);
  await page.context().close();
  await served.server.stop();
});

test("files are served by ranges, to nobody's surprise: nothing beside them, nothing that runs, and what they are for holders of tokens", async () => {
  const directory = path.join(dir, "files");
  await mkdir(directory);
  await writeFile(path.join(directory, "style.json"), '{"version":8,"sources":{},"layers":[]}');
  await writeFile(path.join(directory, "page.html"), "<script>alert(1)</script>");
  await writeFile(path.join(dir, "secret.txt"), "secret");
  const { server, token } = await serve(`style = "/basemap/style.json"\ndirectory = "${directory}"`);
  const ask = (file, headers = {}) => fetch(`${server.url}/basemap/${file}`, { headers });
  const whole = await ask("style.json");
  assert.equal(whole.headers.get("content-type"), "application/json");
  assert.equal((await whole.text()).length, 38);
  const piece = await ask("style.json", { range: "bytes=2-8" });
  assert.deepEqual([piece.status, piece.headers.get("content-range"), await piece.text()], [206, "bytes 2-8/38", "version"]);
  assert.equal((await ask("style.json", { range: "bytes=38-" })).status, 416);
  assert.equal((await ask("style.json", { "if-none-match": whole.headers.get("etag") })).status, 304);
  const page = await ask("page.html");
  assert.equal(page.headers.get("content-type"), "application/octet-stream");
  assert.equal(page.headers.get("x-content-type-options"), "nosniff");
  for (const file of ["..%2Fsecret.txt", "%2e%2e/secret.txt", "%2Fetc%2Fpasswd", "none.json", ""]) {
    assert.equal((await ask(file)).status, 404, file);
  }
  assert.equal((await fetch(`${server.url}/v1/basemap.json`)).status, 401);
  assert.deepEqual(await (await server.get("/v1/basemap.json", token)).json(), { style: "/basemap/style.json", origins: [] });
  await server.stop();
});

test("a base map that a page could not load is refused at the start, in words and without its address", async () => {
  for (const [basemap, words] of [
    ['style = "http://maps.example.org/style.json?key=s3cret"', "basemap.style is no address for a page"],
    ['style = "https://maps.example.org/s3cret"\npmtiles = "https://maps.example.org/p"', "name one base map"],
    ['style = "/basemap/style.json"', "basemap.directory, which is not set"],
    ['origins = ["https://maps.example.org"]', "basemap.origins is set, and no base map"],
  ]) {
    await assert.rejects(Server.bare([], `[basemap]\n${basemap}\n`), ({ message }) => {
      assert.ok(message.includes(words), message);
      assert.ok(!message.includes("s3cret"), message);
      return true;
    });
  }
});
