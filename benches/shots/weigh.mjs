// Weighs a page: all bytes that go to it until its first map, by a gate before the server. What workers and fonts take goes by there too.
import http from "node:http";
import { Gate } from "../../tests/e2e/node/gate.mjs";

/** Files that are named, the heaviest. */
const PARTS = 6;
/** Longest wait for a file, in milliseconds. */
const FILE_MS_MAX = 20_000;

/** `firstMap` opens a page at an address, and ends with its first map. Bytes: `bodies` and `gzip` of files alone, `all` with heads and calls. */
export async function weigh(url, firstMap) {
  const gate = await Gate.before({ url });
  try {
    await firstMap(gate.url);
    const weights = gate.weights();
    const files = weights.filter(({ path }) => path === "/" || path.startsWith("/assets/") || path.endsWith(".svg"));
    const heads = weights.reduce((bytes, weight) => bytes + weight.heads, 0);
    const gzip = await Promise.all(files.map(({ path }) => inGzip(url, path)));
    const heaviest = [...files].sort((a, b) => b.bodies - a.bodies).slice(0, PARTS);
    return {
      all: heads + sum(weights),
      files: files.length,
      bodies: sum(files),
      calls: sum(weights) - sum(files),
      coding: [...new Set(files.map(({ coding }) => coding ?? "as they are"))].join(", "),
      gzip: gzip.reduce((bytes, more) => bytes + more, 0),
      heaviest: Object.fromEntries(heaviest.map(({ path, bodies }) => [path, bodies])),
    };
  } finally {
    await gate.stop();
  }
}

function sum(weights) {
  return weights.reduce((bytes, { bodies }) => bytes + bodies, 0);
}

/** Bytes of a file's body in gzip, as it comes. */
function inGzip(url, path) {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const headers = { "accept-encoding": "gzip" };
    const request = http.get({ hostname, port, path, headers, timeout: FILE_MS_MAX }, (answer) => {
      let bytes = 0;
      answer.on("data", (chunk) => (bytes += chunk.length));
      answer.on("end", () => resolve(bytes));
      answer.on("error", reject);
    });
    request.on("timeout", () => request.destroy(new Error(`waited for ${path}`)));
    request.on("error", reject);
  });
}
