// Tiles of npm's supercluster, encoded by vt-pbf: reads "ZOOM MILLISECONDS" a line, answers with tiles a second.
//
//   node supercluster.mjs SITES.csv TILES.csv

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import Supercluster from 'supercluster';
import vtpbf from 'vt-pbf';

// Waymark's own size of tiles in pixels, so that a radius means the same; the radius is supercluster's default.
const OPTIONS = { extent: 512, radius: 40, minZoom: 0, maxZoom: 14 };
// Between two looks at the clock.
const BATCH = 16;

async function rows(path) {
  const lines = createInterface({ input: createReadStream(path) });
  const all = [];
  for await (const line of lines) all.push(line.split(','));
  return all;
}

function feature([id, name, status, lng, lat]) {
  const geometry = { type: 'Point', coordinates: [Number(lng), Number(lat)] };
  return { type: 'Feature', properties: { id, name, status: Number(status) }, geometry };
}

function encode(index, [z, x, y]) {
  const tile = index.getTile(z, x, y);
  return tile ? vtpbf.fromGeojsonVt({ sites: tile }, { version: 2, extent: OPTIONS.extent }).length : 0;
}

function rate(index, tiles, milliseconds) {
  const start = performance.now();
  let made = 0;
  while (performance.now() - start < milliseconds) {
    for (let i = 0; i < BATCH; i += 1) encode(index, tiles[made++ % tiles.length]);
  }
  return (made / (performance.now() - start)) * 1000;
}

const [sitesPath, tilesPath] = process.argv.slice(2);
const sites = (await rows(sitesPath)).map(feature);
const byZoom = new Map();
for (const tile of (await rows(tilesPath)).map((row) => row.map(Number))) {
  if (!byZoom.has(tile[0])) byZoom.set(tile[0], []);
  byZoom.get(tile[0]).push(tile);
}
const start = performance.now();
const index = new Supercluster(OPTIONS).load(sites);
// The first tiles are slow until they are compiled.
for (const pool of byZoom.values()) rate(index, pool, 200);
console.log(`ready: ${sites.length} sites loaded in ${((performance.now() - start) / 1000).toFixed(1)} s`);

for await (const line of createInterface({ input: process.stdin })) {
  const [zoom, milliseconds] = line.split(' ').map(Number);
  console.log(rate(index, byZoom.get(zoom), milliseconds));
}
