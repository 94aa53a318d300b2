// Writes small GeoIP files of IPv4 networks, after the specification of the format (MaxMind DB 2.0), for a server to read.

const MARKER = Buffer.from("\xab\xcd\xefMaxMind.com", "latin1");
/** Bytes of zero between tree and data, which data's offsets in the tree count too. */
const SEPARATOR = 16;
/** Bytes of one side of a node. */
const SIDE = 4;
const TYPES = { text: 2, double: 3, uint16: 5, uint32: 6, map: 7, uint64: 9, array: 11, bool: 14 };

/** A whole file: what it says it is, when it was built (a Date), and a record for each network (`192.0.2.0/24`). */
export function mmdb(type, built, networks) {
  const nodes = [[undefined, undefined]];
  const data = [];
  let bytes = 0;
  for (const [network, record] of Object.entries(networks)) {
    insert(nodes, network, bytes);
    data.push(encode(record));
    bytes += data.at(-1).length;
  }
  const metadata = {
    binary_format_major_version: { uint16: 2 }, binary_format_minor_version: { uint16: 0 }, ip_version: { uint16: 4 },
    build_epoch: BigInt(Math.floor(built / 1000)), database_type: type, description: {}, languages: [],
    node_count: nodes.length, record_size: { uint16: SIDE * 8 },
  };
  return Buffer.concat([tree(nodes), Buffer.alloc(SEPARATOR), ...data, MARKER, encode(metadata)]);
}

function insert(nodes, network, offset) {
  const [address, length] = network.split("/");
  const bits = address.split(".").map((part) => Number(part).toString(2).padStart(8, "0")).join("").slice(0, Number(length));
  let node = 0;
  for (const bit of bits.slice(0, -1)) {
    nodes[node][bit] ??= { node: nodes.push([undefined, undefined]) - 1 };
    node = nodes[node][bit].node;
  }
  nodes[node][bits.at(-1)] = { offset };
}

function tree(nodes) {
  const out = Buffer.alloc(nodes.length * SIDE * 2);
  nodes.flat().forEach((side, at) => {
    const value = side === undefined ? nodes.length : (side.node ?? nodes.length + SEPARATOR + side.offset);
    out.writeUInt32BE(value, at * SIDE);
  });
  return out;
}

/** A value with its type before it. A number is a whole one of 32 bits; others are given as `{ double }` and `{ uint16 }`. */
function encode(value) {
  if (typeof value === "string") return sized(TYPES.text, Buffer.from(value));
  if (typeof value === "boolean") return head(TYPES.bool, Number(value));
  if (typeof value === "bigint") {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    return sized(TYPES.uint64, bytes);
  }
  if (typeof value === "number") {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return sized(TYPES.uint32, bytes);
  }
  if (Array.isArray(value)) return Buffer.concat([head(TYPES.array, value.length), ...value.map(encode)]);
  if (typeof value.double === "number") {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value.double);
    return sized(TYPES.double, bytes);
  }
  if (typeof value.uint16 === "number") return sized(TYPES.uint16, Buffer.from([value.uint16 >> 8, value.uint16 & 255]));
  const entries = Object.entries(value);
  return Buffer.concat([head(TYPES.map, entries.length), ...entries.flatMap(([key, one]) => [encode(key), encode(one)])]);
}

function sized(type, bytes) {
  return Buffer.concat([head(type, bytes.length), bytes]);
}

/** Type and size; types above 7 stand in a byte of their own, sizes from 29 on in another one. */
function head(type, size) {
  const small = Math.min(size, 29);
  const first = type > 7 ? [small, type - 7] : [(type << 5) | small];
  return Buffer.from(size >= 29 ? [...first, size - 29] : first);
}
