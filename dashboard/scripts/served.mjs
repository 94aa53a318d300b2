// Lays the built page out as the server sends it, in dist/served: `br` and `gzip` hold each file that a coding makes smaller, at its best
// level, and `plain` the others as they are. Only these are built into the program (src/api/http/dashboard.rs). Runs behind vite.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

/** Below so many bytes a file is sent as it is: with its headers it fits one packet of the network. */
const COMPRESSED_BYTES_MIN = 1_024;
/** What keeps more than this share of its bytes is compressed already, as fonts and pictures are. */
const SHARE_MAX = 0.95;

const dist = fileURLToPath(new URL("../dist", import.meta.url));
const served = path.join(dist, "served");
rmSync(served, { recursive: true, force: true });
const entries = readdirSync(dist, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
const names = entries.map((entry) => path.relative(dist, path.join(entry.parentPath, entry.name)));
await Promise.all(names.map(lay));

async function lay(name) {
  const bytes = readFileSync(path.join(dist, name));
  const packed = await promisify(gzip)(bytes, { level: constants.Z_BEST_COMPRESSION, memLevel: constants.Z_MAX_MEMLEVEL });
  if (bytes.length < COMPRESSED_BYTES_MIN || packed.length > SHARE_MAX * bytes.length) return put("plain", name, bytes);
  put("gzip", name, packed);
  const params = {
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  put("br", name, await promisify(brotliCompress)(bytes, { params }));
}

function put(coding, name, bytes) {
  const file = path.join(served, coding, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, bytes);
}
