// The rules of the Mapbox Vector Tile specification 2.1 for tiles of points, held on the bytes themselves: the usual
// decoders forgive most faults.
import assert from "node:assert/strict";
import { PbfReader } from "pbf";

const EXTENT = 4096;
// Points, and the command "move to" with a count of one.
const POINT = 1;
const ONE_MOVE_TO = 9;
// Field numbers of vector_tile.proto that hold a value, by its type.
const VALUE_TYPES = new Map([
  [1, "string"],
  [2, "float"],
  [3, "double"],
  [4, "int"],
  [5, "uint"],
  [6, "sint"],
  [7, "bool"],
]);

/** Fails where a tile breaks a rule. `where` names the tile. */
export function checkTile(bytes, where) {
  const layers = message(bytes).map(([field, value]) => {
    assert.equal(field, 3, `${where}: a tile holds layers alone`);
    return layerOf(value, where);
  });
  distinct(
    layers.map(({ name }) => name),
    `${where}: names of layers`,
  );
}

function layerOf(bytes, where) {
  const layer = { features: [], keys: [], values: [], versions: [], names: [], extents: [] };
  const places = { 1: "names", 2: "features", 3: "keys", 4: "values", 5: "extents", 15: "versions" };
  for (const [field, value] of message(bytes)) {
    assert.ok(field in places, `${where}: field ${field} of a layer`);
    layer[places[field]].push(value);
  }
  assert.equal(layer.names.length, 1, `${where}: one name`);
  const name = text(layer.names[0]);
  const at = `${where} ${name}`;
  assert.ok(name.length > 0, at);
  assert.deepEqual([layer.versions, layer.extents], [[2n], [BigInt(EXTENT)]], `${at}: version and extent, once each`);
  assert.ok(layer.features.length > 0, `${at}: no empty layer`);
  const keys = layer.keys.map(text);
  const values = layer.values.map((value) => valueOf(value, at));
  distinct(keys, `${at}: keys`);
  distinct(values, `${at}: values`);
  const used = { keys: new Set(), values: new Set(), ids: [] };
  for (const feature of layer.features) checkFeature(feature, { keys, values, used, at });
  distinct(used.ids, `${at}: feature ids`);
  assert.equal(used.keys.size, keys.length, `${at}: every key is used`);
  assert.equal(used.values.size, values.length, `${at}: every value is used`);
  return { name };
}

function checkFeature(bytes, { keys, values, used, at }) {
  const fields = new Map();
  for (const [field, value] of message(bytes)) {
    assert.ok(field >= 1 && field <= 4 && !fields.has(field), `${at}: field ${field} of a feature`);
    fields.set(field, value);
  }
  assert.ok(fields.has(1), `${at}: an id`);
  assert.ok(fields.get(1) <= BigInt(Number.MAX_SAFE_INTEGER), `${at}: an id that JavaScript keeps`);
  used.ids.push(fields.get(1));
  assert.equal(fields.get(3), BigInt(POINT), `${at}: a point`);
  const geometry = packed(fields.get(4));
  assert.equal(geometry.length, 3, `${at}: one point, got ${geometry}`);
  assert.equal(geometry[0], ONE_MOVE_TO, `${at}: ${geometry}`);
  for (const coordinate of geometry.slice(1)) {
    const value = (coordinate >>> 1) ^ -(coordinate & 1);
    assert.ok(value >= 0 && value < EXTENT, `${at}: ${value} lies in [0, ${EXTENT})`);
  }
  const tags = packed(fields.get(2));
  assert.equal(tags.length % 2, 0, `${at}: tags are pairs`);
  const own = tags.filter((_, index) => index % 2 === 0);
  distinct(own, `${at}: a feature's keys`);
  for (let index = 0; index < tags.length; index += 2) {
    assert.ok(tags[index] < keys.length && tags[index + 1] < values.length, `${at}: tags in range`);
    used.keys.add(tags[index]);
    used.values.add(tags[index + 1]);
  }
}

/** Type and bytes of a value, as text. */
function valueOf(bytes, at) {
  const fields = message(bytes);
  assert.equal(fields.length, 1, `${at}: a value has one type`);
  const [[field, value]] = fields;
  assert.ok(VALUE_TYPES.has(field), `${at}: field ${field} of a value`);
  return `${VALUE_TYPES.get(field)} ${typeof value === "bigint" ? value : Buffer.from(value).toString("hex")}`;
}

function distinct(items, what) {
  assert.equal(new Set(items).size, items.length, `${what} differ from one another`);
}

function text(bytes) {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}

function packed(bytes) {
  const reader = new PbfReader(bytes ?? new Uint8Array());
  const numbers = [];
  while (reader.pos < reader.length) numbers.push(reader.readVarint());
  return numbers;
}

/** The fields of a message in their order: [number, a BigInt or bytes]. */
function message(bytes) {
  const fields = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      assert.ok(at < bytes.length && shift < 70n, "a varint ends in its message");
      const byte = bytes[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length) => {
    assert.ok(at + length <= bytes.length, "a field ends in its message");
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const [field, wire] = [tag >> 3, tag & 7];
    assert.ok([0, 1, 2, 5].includes(wire), `wire type ${wire}`);
    if (wire === 0) fields.push([field, varint()]);
    else fields.push([field, take(wire === 2 ? Number(varint()) : wire === 1 ? 8 : 4)]);
  }
  return fields;
}
