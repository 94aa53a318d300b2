// Vector tiles, read by a decoder that is not ours: valid for it, complete at every zoom, and refused as HTTP wants it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { VectorTile } from "@mapbox/vector-tile";
import { PbfReader } from "pbf";
import { checkTile } from "./mvt.mjs";
import { Server } from "./server.mjs";

// As many as the demo that `make run` shows.
const SITES = 5_000;
const ACCOUNT = "demo";
const ZOOM_MAX = 22;
// Below this zoom all tiles of the world are fetched: 4^4 of them at the last.
const BRUTE_ZOOM_MAX = 4;
const CONCURRENCY = 16;
const TILE_PX = 512;
// What a symbol comes apart into is looked for so near to where it was drawn, and then, where sites are missing, in all tiles around.
const NEAR_PX = [128, TILE_PX];
// The centres of two pins or clusters are farther apart, so that symbols of 64 px overlap by a quarter at most.
const SPACING_PX = 48;
const STATUSES = new Set(["online", "offline", "unknown", "maintenance"]);
const SOURCES = new Set(["geoip", "device", "address", "pin"]);
const GRANULARITIES = new Set(["country", "region", "city", "postcode", "street", "interpolated", "door"]);

let server, token, placed, unplaced;

before(async () => {
  server = await Server.start();
  token = await server.demo(SITES);
  const world = { low: { lat: -90, lng: -180 }, high: { lat: 90, lng: 180 } };
  const request = { parent: `accounts/${ACCOUNT}`, viewport: world, zoom: 0 };
  const answer = await server.call("MapService", "QueryViewport", request, token);
  placed = Number(answer.accountTally?.total ?? 0);
  unplaced = Number(answer.unplaced ?? 0);
});

after(() => server?.stop());

const tilePath = (z, x, y) => `/v1/accounts/${ACCOUNT}/tiles/${z}/${x}/${y}.mvt`;

/** A decoded tile: how many sites it counts, and where its features are, of which pins and clusters are drawn apart. */
async function tile(z, x, y) {
  const answer = await server.get(tilePath(z, x, y), token);
  // A tile with nothing in it may be no content at all.
  if (answer.status === 204) return { count: 0, symbols: [] };
  assert.equal(answer.status, 200, `${z}/${x}/${y}: ${answer.status}`);
  const found = read(new Uint8Array(await answer.arrayBuffer()), `${z}/${x}/${y}`);
  // From the corner of the tile to the corner of the world.
  found.symbols = found.symbols.map((at) => ({ ...at, x: (x + at.x) * TILE_PX, y: (y + at.y) * TILE_PX }));
  return found;
}

/** Counts the sites of a tile and checks every feature of it. */
function read(bytes, where) {
  checkTile(bytes, where);
  const decoded = new VectorTile(new PbfReader(bytes));
  let count = 0;
  const symbols = [];
  for (const [name, layer] of Object.entries(decoded.layers)) {
    assert.ok(["pins", "clusters", "areas"].includes(name), `${where}: layer ${name}`);
    assert.equal(layer.version, 2, `${where}: version of ${name}`);
    const ids = new Set();
    for (let index = 0; index < layer.length; index += 1) {
      const feature = layer.feature(index);
      assert.equal(feature.type, 1, `${where}: a point`);
      const [[point]] = feature.loadGeometry();
      const inside = [point.x, point.y].every((value) => value >= 0 && value <= layer.extent);
      assert.ok(inside, `${where}: ${point.x},${point.y} lies in the tile of ${layer.extent}`);
      assert.ok(feature.id !== undefined && !ids.has(feature.id), `${where}: feature ids are there and differ`);
      ids.add(feature.id);
      count += name === "pins" ? pin(feature.properties, where) : group(feature.properties, where, name);
      symbols.push({ x: point.x / layer.extent, y: point.y / layer.extent, isArea: name === "areas" });
    }
  }
  return { count, symbols };
}

function pin(properties, where) {
  assert.match(properties.id, /[0-9a-f-]{36}$/, where);
  assert.ok(STATUSES.has(properties.status), `${where}: status ${properties.status}`);
  assert.ok(SOURCES.has(properties.source), `${where}: source ${properties.source}`);
  assert.ok(GRANULARITIES.has(properties.granularity), `${where}: granularity ${properties.granularity}`);
  assert.equal(typeof properties.confirmed, "boolean", where);
  assert.equal(properties.confirmed, ["address", "pin"].includes(properties.source), where);
  assert.ok(properties.name.length > 0, where);
  return 1;
}

function group(properties, where, layer) {
  const { count, online, offline, unknown, maintenance, approximate } = properties;
  assert.ok(count >= (layer === "clusters" ? 2 : 1), `${where}: ${layer} of ${count}`);
  assert.equal(online + offline + unknown + maintenance, count, `${where}: statuses add up`);
  const estimated = ["online", "offline", "unknown", "maintenance"].map((status) => {
    const part = properties[`${status}_approximate`] ?? 0;
    assert.ok(part <= properties[status] && properties[`${status}_approximate`] !== 0, `${where}: ${part} of ${status}`);
    return part;
  });
  assert.equal(
    estimated.reduce((sum, part) => sum + part),
    approximate,
    `${where}: approximate`,
  );
  assert.ok(properties.id !== undefined, where);
  if (layer === "areas") assert.ok(properties.extent_m > 0 && GRANULARITIES.has(properties.granularity), where);
  else box(properties, where);
  return count;
}

function box({ stack, west, south, east, north }, where) {
  assert.equal(typeof stack, "boolean", where);
  assert.ok(-90 <= south && south < north && north <= 90, `${where}: ${south} to ${north}`);
  assert.ok([west, east].every((lng) => -180 <= lng && lng <= 180) && west !== east, `${where}: ${west} to ${east}`);
}

/** Refuses two symbols of a zoom that are too near to one another, whichever tiles they are in. */
function checkSpacing(z, drawn) {
  // Coordinates within tiles are whole eighths of a pixel.
  const least = SPACING_PX - 0.25;
  const world = TILE_PX * 2 ** z;
  const buckets = new Map();
  const bucket = (x, y) => `${Math.floor(x / SPACING_PX)}/${Math.floor(y / SPACING_PX)}`;
  for (const { x, y } of drawn) {
    for (const dx of [-SPACING_PX, 0, SPACING_PX]) {
      for (const dy of [-SPACING_PX, 0, SPACING_PX]) {
        for (const other of buckets.get(bucket((x + dx + world) % world, y + dy)) ?? []) {
          const across = Math.min(Math.abs(other.x - x), world - Math.abs(other.x - x));
          const apart = Math.hypot(across, other.y - y);
          assert.ok(apart > least, `z${z}: two symbols are ${apart.toFixed(1)} px apart`);
        }
      }
    }
    const own = bucket(x, y);
    buckets.set(own, [...(buckets.get(own) ?? []), { x, y }]);
  }
}

/** Runs `work` over all items, a few at a time, and hands back the results. */
async function spread(items, work) {
  const results = new Array(items.length);
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < items.length; index = next++) results[index] = await work(...items[index]);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return results;
}

/** All tiles of a zoom. */
function everyTile(z) {
  const edge = 2 ** z;
  return Array.from({ length: edge * edge }, (_, index) => [z, index % edge, Math.floor(index / edge)]);
}

/** The tiles of a zoom around symbols of the zoom before, over edges too: a symbol may move over one from zoom to zoom. */
function below(z, symbols, near) {
  const edge = 2 ** z;
  const tileOf = (pixels) => Math.floor(pixels / TILE_PX);
  const wanted = new Map();
  for (const { x, y } of symbols) {
    for (let tx = tileOf(2 * x - near); tx <= tileOf(2 * x + near); tx += 1) {
      for (let ty = tileOf(2 * y - near); ty <= tileOf(2 * y + near); ty += 1) {
        const wrapped = (tx + edge) % edge;
        if (ty >= 0 && ty < edge) wanted.set(`${wrapped}/${ty}`, [z, wrapped, ty]);
      }
    }
  }
  return [...wanted.values()];
}

/** What is in the tiles of a zoom, found from the symbols of the zoom before. */
async function level(z, before) {
  if (z <= BRUTE_ZOOM_MAX) return together(await spread(everyTile(z), tile));
  const seen = new Set();
  let found = { count: 0, symbols: [], tiles: 0 };
  for (const near of NEAR_PX) {
    const tiles = below(z, before, near).filter(([, x, y]) => !seen.has(`${x}/${y}`));
    for (const [, x, y] of tiles) seen.add(`${x}/${y}`);
    const more = together(await spread(tiles, tile));
    found = {
      count: found.count + more.count,
      symbols: found.symbols.concat(more.symbols),
      tiles: found.tiles + more.tiles,
    };
    if (found.count >= placed) break;
  }
  return found;
}

const together = (answers) => ({
  count: answers.reduce((sum, { count }) => sum + count, 0),
  symbols: answers.flatMap(({ symbols }) => symbols),
  tiles: answers.length,
});

test("every placed site counts exactly once at every zoom from 0 to 22, and no two symbols overlap", async (context) => {
  assert.ok(placed > SITES * 0.9, `${placed} of ${SITES} sites are placed`);
  assert.equal(placed + unplaced, SITES);
  let symbols = [];
  for (let z = 0; z <= ZOOM_MAX; z += 1) {
    const found = await level(z, symbols);
    symbols = found.symbols;
    context.diagnostic(`z${z}: ${found.count} sites in ${symbols.length} symbols, ${found.tiles} tiles`);
    assert.equal(found.count, placed, `zoom ${z}`);
    // Pins and clusters keep apart, and so do areas; discs lie below what stands on them.
    for (const kind of [false, true]) checkSpacing(z, symbols.filter(({ isArea }) => isArea === kind));
  }
});

test("the checks of a tile would notice a broken one", async () => {
  const bytes = Buffer.from(await (await server.get(tilePath(0, 0, 0), token)).arrayBuffer());
  checkTile(bytes, "as it is");
  assert.throws(() => checkTile(Buffer.concat([bytes, bytes]), "twice"), /names of layers/);
  assert.throws(() => checkTile(bytes.subarray(0, -1), "cut"), /ends in its message/);
  // A layer of a name, a version and an extent, and nothing in it.
  const empty = Buffer.from([0x1a, 9, 0x78, 2, 0x0a, 2, 0x68, 0x69, 0x28, 0x80, 0x20]);
  assert.throws(() => checkTile(empty, "empty"), /no empty layer/);
});

test("a tile that is known is not sent again", async () => {
  const first = await server.get(tilePath(0, 0, 0), token);
  assert.equal(first.status, 200);
  assert.equal(first.headers.get("content-type"), "application/vnd.mapbox-vector-tile");
  assert.match(first.headers.get("cache-control") ?? "", /private/);
  const etag = first.headers.get("etag");
  assert.match(etag, /^"[^"]+"$/, "a strong etag");
  await first.arrayBuffer();
  for (const known of [etag, `"other", ${etag}`, "*"]) {
    const again = await server.get(tilePath(0, 0, 0), token, { "if-none-match": known });
    assert.equal(again.status, 304, known);
    assert.equal((await again.arrayBuffer()).byteLength, 0);
  }
  const changed = await server.get(tilePath(0, 0, 0), token, { "if-none-match": '"other"' });
  assert.equal(changed.status, 200);
});

test("TileJSON says where the tiles are and who is to be thanked", async () => {
  const answer = await server.get(`/v1/accounts/${ACCOUNT}/tiles.json`, token);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("content-type"), /^application\/json/);
  const json = await answer.json();
  assert.match(json.tilejson, /^3\./);
  assert.deepEqual([json.minzoom, json.maxzoom], [0, 22]);
  assert.match(json.attribution, /db-ip\.com/);
  assert.deepEqual(json.vector_layers.map((layer) => layer.id).sort(), ["areas", "clusters", "pins"]);
  // A proxy stands before this server, and nobody said by which name it is reached.
  assert.deepEqual(json.tiles, ["tiles/{z}/{x}/{y}.mvt"]);
  const url = new URL(json.tiles[0].replace("{z}", "0").replace("{x}", "0").replace("{y}", "0"), answer.url);
  assert.equal((await server.get(url.pathname, token)).status, 200);
});

for (const [path, statuses] of [
  ["tiles/0/1/0.mvt", [400, 404]],
  ["tiles/23/0/0.mvt", [400, 404]],
  ["tiles/3/8/0.mvt", [400, 404]],
  ["tiles/3/0/-1.mvt", [400, 404]],
  ["tiles/a/b/c.mvt", [400, 404]],
  ["tiles/0/0/0.png", [400, 404]],
  ["tiles/99999999999999999999/0/0.mvt", [400, 404]],
]) {
  test(`an unknown tile is refused in JSON: ${path}`, async () => {
    const answer = await server.get(`/v1/accounts/${ACCOUNT}/${path}`, token);
    assert.ok(statuses.includes(answer.status), `${answer.status}`);
    assert.match(answer.headers.get("content-type") ?? "", /^application\/json/);
    const { error } = await answer.json();
    assert.equal(error.code, answer.status);
    assert.ok(error.message.length > 0);
  });
}

test("no tile without a good token", async () => {
  for (const headers of [{}, { authorization: "Bearer wmk_nonsense" }, { authorization: `Basic ${token}` }]) {
    const answer = await fetch(new URL(tilePath(0, 0, 0), server.url), { headers });
    assert.equal(answer.status, 401);
    assert.match(answer.headers.get("content-type") ?? "", /^application\/json/);
    assert.match(answer.headers.get("www-authenticate") ?? "", /^Bearer/);
    await answer.arrayBuffer();
  }
  const inUrl = await fetch(new URL(`${tilePath(0, 0, 0)}?token=${token}`, server.url));
  assert.equal(inUrl.status, 401, "a token in an address is not taken: addresses are logged");
  await inUrl.arrayBuffer();
});

test("health and readiness need no token", async () => {
  for (const path of ["/healthz", "/readyz"]) assert.equal((await fetch(new URL(path, server.url))).status, 200, path);
});
