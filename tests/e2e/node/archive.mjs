// Writes small PMTiles archives, version 3, and tiles of one shape, by the words of their specifications and with none of the
// page's code.
import { gzipSync } from "node:zlib";
import { PbfWriter } from "pbf";

const HEADER_BYTES = 127;
const KINDS = { vector: 1, png: 2 };
const UNCOMPRESSED = 1;
const GZIP = 2;
const EXTENT = 4096;
const [POINT, POLYGON] = [1, 3];

/**
 * An archive of tiles `{ z, x, y, bytes }`. With `leafEntries` its root directory names leaves of so many entries each.
 */
export function archiveOf(tiles, { kind, metadata, leafEntries = Infinity }) {
  const packed = kind === "vector";
  const sorted = tiles.map((tile) => ({ ...tile, id: idOf(tile) })).sort((a, b) => a.id - b.id);
  const data = [];
  let behind = 0;
  const entries = sorted.map(({ id, bytes }) => {
    const stored = packed ? gzipSync(bytes) : Buffer.from(bytes);
    data.push(stored);
    const entry = { id, run: 1, offset: behind, length: stored.length };
    behind += stored.length;
    return entry;
  });
  const leaves = [];
  let root = entries;
  if (entries.length > leafEntries) {
    root = [];
    let offset = 0;
    for (let at = 0; at < entries.length; at += leafEntries) {
      const leaf = directory(entries.slice(at, at + leafEntries));
      root.push({ id: entries[at].id, run: 0, offset, length: leaf.length });
      leaves.push(leaf);
      offset += leaf.length;
    }
  }
  const zooms = sorted.map(({ z }) => z);
  const parts = [directory(root), gzipSync(JSON.stringify(metadata)), Buffer.concat(leaves), Buffer.concat(data)];
  const header = Buffer.alloc(HEADER_BYTES);
  header.write("PMTiles");
  header[7] = 3;
  let at = HEADER_BYTES;
  [8, 24, 40, 56].forEach((field, index) => {
    header.writeBigUInt64LE(BigInt(at), field);
    header.writeBigUInt64LE(BigInt(parts[index].length), field + 8);
    at += parts[index].length;
  });
  for (const field of [72, 80, 88]) header.writeBigUInt64LE(BigInt(entries.length), field);
  [header[96], header[97], header[98], header[99]] = [1, GZIP, packed ? GZIP : UNCOMPRESSED, KINDS[kind]];
  [header[100], header[101]] = [Math.min(...zooms), Math.max(...zooms)];
  [-180, -85, 180, 85].forEach((degrees, index) => header.writeInt32LE(degrees * 1e7, 102 + 4 * index));
  return Buffer.concat([header, ...parts]);
}

/** A vector tile with a rectangle in one layer and a named point in another, in degrees of the world's one tile. */
export function worldTile({ box: [west, south, east, north], areaLayer, pointLayer, name, at: [lng, lat] }) {
  const corners = [[west, north], [east, north], [east, south], [west, south]].map(pixel);
  const writer = new PbfWriter();
  writer.writeMessage(3, layer, { name: areaLayer, kind: POLYGON, geometry: ring(corners), properties: { kind: "lake" } });
  const point = [9, ...delta([[0, 0], pixel([lng, lat])])];
  const properties = { kind: "locality", name };
  writer.writeMessage(3, layer, { name: pointLayer, kind: POINT, geometry: point, properties });
  return writer.finish();
}

function layer({ name, kind, geometry, properties }, writer) {
  writer.writeVarintField(15, 2);
  writer.writeStringField(1, name);
  const tags = Object.keys(properties).flatMap((_, at) => [at, at]);
  writer.writeMessage(2, (_, feature) => {
    feature.writePackedVarint(2, tags);
    feature.writeVarintField(3, kind);
    feature.writePackedVarint(4, geometry);
  }, {});
  for (const key of Object.keys(properties)) writer.writeStringField(3, key);
  for (const value of Object.values(properties)) writer.writeMessage(4, (text, told) => told.writeStringField(1, text), value);
  writer.writeVarintField(5, EXTENT);
}

/** Commands of a closed ring: move to the first corner, a line through the others, close. */
function ring(corners) {
  const [first, ...others] = delta([[0, 0], ...corners]).reduce((pairs, number, at, all) => (at % 2 ? pairs : [...pairs, [number, all[at + 1]]]), []);
  return [9, ...first, (others.length << 3) | 2, ...others.flat(), 15];
}

/** Zigzag differences from each point to the next. */
function delta(points) {
  return points.slice(1).flatMap(([x, y], at) => [x - points[at][0], y - points[at][1]].map((by) => (by << 1) ^ (by >> 31)));
}

function pixel([lng, lat]) {
  const sin = Math.sin((lat * Math.PI) / 180);
  const y = 0.5 - Math.log((1 + sin) / (1 - sin)) / (4 * Math.PI);
  return [Math.round((lng / 360 + 0.5) * EXTENT), Math.round(y * EXTENT)];
}

/** The number of a tile: the tiles of all smaller zooms, and its way along the Hilbert curve of its own. */
function idOf({ z, x, y }) {
  const side = 2 ** z;
  let [id, distance] = [0, 0];
  for (let zoom = 0; zoom < z; zoom += 1) id += 4 ** zoom;
  for (let step = side / 2; step >= 1; step /= 2) {
    const right = x & step ? 1 : 0;
    const low = y & step ? 1 : 0;
    distance += step * step * ((3 * right) ^ low);
    if (low === 0 && right === 1) [x, y] = [side - 1 - x, side - 1 - y];
    if (low === 0) [x, y] = [y, x];
  }
  return id + distance;
}

function directory(entries) {
  const numbers = [entries.length];
  entries.forEach(({ id }, at) => numbers.push(id - (at > 0 ? entries[at - 1].id : 0)));
  for (const { run } of entries) numbers.push(run);
  for (const { length } of entries) numbers.push(length);
  entries.forEach(({ offset }, at) => {
    const before = entries[at - 1];
    numbers.push(before && offset === before.offset + before.length ? 0 : offset + 1);
  });
  return gzipSync(Buffer.from(numbers.flatMap(varint)));
}

function varint(number) {
  const bytes = [];
  for (let rest = number; ; rest = Math.floor(rest / 128)) {
    bytes.push((rest % 128) | (rest >= 128 ? 128 : 0));
    if (rest < 128) return bytes;
  }
}
