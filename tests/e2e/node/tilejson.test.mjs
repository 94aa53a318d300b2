// A map library that is not ours draws the sites from a signed TileJSON address and nothing else, as README tells it to.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { launch, openPage } from "./browser.mjs";
import { Front } from "./front.mjs";
import { ROOT, Server } from "./server.mjs";

const SITES = 30;
const PAGE = `<!doctype html><link rel="icon" href="data:,"><link rel="stylesheet" href="/library/maplibre-gl.css">
<div id="map" style="width: 800px; height: 600px"></div>
<script type="module">
import { Map } from "/library/maplibre-gl.mjs";
const style = { version: 8, sources: {}, layers: [] };
const map = new Map({ container: "map", style, center: [60, 20], zoom: 1, fadeDuration: 0, attributionControl: false });
map.on("error", ({ error }) => console.error(error.message));
map.on("load", () => { window.map = map; });
</script>`;

let server, token, browser, front;

before(async () => {
  server = await Server.bare();
  token = await server.fill(SITES);
  front = await new Front(server, PAGE).start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await front?.stop();
  await server?.stop();
});

/** The first lines of README that are for a map library, with the address of a server in place of the example's. */
async function snippet(address) {
  const readme = await readFile(path.join(ROOT, "README.md"), "utf8");
  const [, lines] = readme.match(/^```js\n(.*?)^```/ms) ?? assert.fail("README tells a map library nothing");
  assert.ok(lines.includes("http://127.0.0.1:8642") && lines.includes("tileJsonPath"), lines);
  return lines.replaceAll("http://127.0.0.1:8642", address);
}

/** What the map shows in two layers, each symbol once: the world may stand in it more than once, and a symbol in two tiles. */
function shown() {
  const layers = ["pins", "clusters"].filter((layer) => window.map.getLayer(layer));
  const features = window.map.queryRenderedFeatures({ layers });
  const all = new Map(features.map(({ layer, properties }) => [`${layer.id} ${properties.id}`, { layer: layer.id, ...properties }]));
  return [...all.values()];
}

test("MapLibre draws pins and clusters from a signed address of TileJSON alone", async () => {
  const wanted = { parent: "accounts/demo", ttl: "600s" };
  const { tileJsonPath } = await server.call("MapService", "SignTileUrl", wanted, token);
  const { page, faults } = await openPage({ browser, server: front, token });
  await page.goto(front.url);
  await page.waitForFunction(() => window.map);
  await page.evaluate(
    ([lines, tileJsonPath]) => new Function("map", "tileJsonPath", lines)(window.map, tileJsonPath),
    [await snippet(front.url), tileJsonPath],
  );
  await page.evaluate(`void (window.shown = ${shown})`);
  const counted = (sites) => {
    const found = window.shown();
    const sum = found.reduce((sum, { layer, count }) => sum + (layer === "pins" ? 1 : count), 0);
    return sum === sites && found.some(({ layer }) => layer === "clusters");
  };
  await page.waitForFunction(counted, SITES);
  // A street of the first place: each site by itself, with its name.
  await page.evaluate(() => window.map.jumpTo({ center: [-21.7, 64.1], zoom: 10 }));
  await page.waitForFunction(() => window.map.areTilesLoaded() && window.shown().some(({ layer }) => layer === "pins"));
  const pins = (await page.evaluate(() => window.shown())).filter(({ layer }) => layer === "pins");
  for (const { name, status } of pins) {
    assert.match(name, /^Site \d{3}$/);
    assert.match(status, /^(online|offline)$/);
  }
  const paths = front.asked.map(({ url }) => url.split("?")[0]);
  assert.equal(paths.filter((path) => path === "/v1/accounts/demo/tiles.json").length, 1);
  assert.ok(paths.some((path) => /^\/v1\/accounts\/demo\/tiles\/1\/\d+\/\d+\.mvt$/.test(path)), paths.join());
  assert.deepEqual(front.asked.filter(({ status }) => ![200, 204, 304].includes(status)), [], "each has a good answer");
  assert.deepEqual(front.asked.filter(({ headers }) => headers.authorization), [], "the address is enough");
  assert.deepEqual(faults, []);
  await page.context().close();
});
