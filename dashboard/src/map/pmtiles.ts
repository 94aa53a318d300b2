// Reads PMTiles archives, version 3, by ranges: a header, directories of tiles, and the tiles. An archive that is replaced
// under the page is read anew. Knows nothing of MapLibre.

/** Bytes of the header, and of the beginning in which header and root directory lie. */
const HEADER_BYTES = 127;
const BEGINNING_BYTES = 16_384;
/** Longest piece in bytes that is read at once, above any directory and tile of a sound archive. */
const PIECE_BYTES_MAX = 8 << 20;
/** Directories that are kept, read or being read: more than one looks at in an hour. */
const DIRECTORIES_MAX = 64;
/** Deepest zoom: the ids of its tiles are exact as numbers. */
const ZOOM_MAX = 24;
/** Directories below each other that are followed: the format has two below the root at most. */
const DEPTH_MAX = 4;
/** A piece that has not come after so many milliseconds does not come. */
const PIECE_MS_MAX = 30_000;

const MAGIC = "PMTiles";
const VERSION = 3;
const UNCOMPRESSED = 1;
const GZIP = 2;
const KINDS = ["unknown", "vector", "png", "jpeg", "webp", "avif"] as const;

interface Header {
  root: Extent;
  metadata: Extent;
  leaves: Extent;
  tiles: Extent;
  compression: { directories: number; tiles: number };
  kind: (typeof KINDS)[number];
  zooms: { min: number; max: number };
  /** West, south, east, north in degrees. */
  bounds: [number, number, number, number];
}

interface Extent {
  from: number;
  length: number;
}

/** Tiles in a row with the same bytes; with none, a directory of finer entries. */
interface Entry extends Extent {
  tile: number;
  run: number;
}

/** The archive is not what it was when it was opened. */
class Replaced extends Error {}

export class Archive {
  readonly #url: string;
  #opened: Promise<Opened> | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  /** What the archive is. */
  async header(): Promise<Header> {
    return (await this.#open()).header;
  }

  /** What the archive says of itself, in JSON. */
  metadata(): Promise<Record<string, unknown>> {
    return this.#with(async (opened) => {
      const { metadata, compression } = opened.header;
      const bytes = await decompressed(await opened.read(metadata), compression.directories);
      return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    });
  }

  /** The bytes of a tile, not compressed; absent where the archive has none. */
  tile(zoom: number, x: number, y: number, signal?: AbortSignal): Promise<ArrayBuffer | undefined> {
    return this.#with((opened) => opened.tile(tileId(zoom, x, y), signal));
  }

  /** Does something with the archive; once more with the new one where it was replaced meanwhile. */
  async #with<T>(work: (opened: Opened) => Promise<T>): Promise<T> {
    try {
      return await work(await this.#open());
    } catch (error) {
      if (!(error instanceof Replaced)) throw error;
      this.#opened = undefined;
      return work(await this.#open());
    }
  }

  #open(): Promise<Opened> {
    const opening = (this.#opened ??= Opened.at(this.#url));
    // What failed is tried again by the next who asks.
    opening.catch(() => this.#opened === opening && (this.#opened = undefined));
    return opening;
  }
}

/** An archive as it was when its header was read. */
class Opened {
  readonly header: Header;
  readonly #url: string;
  readonly #tag: string | null;
  readonly #directories = new Map<number, Promise<Entry[]>>();

  private constructor(url: string, header: Header, tag: string | null, root: Promise<Entry[]>) {
    this.#url = url;
    this.header = header;
    this.#tag = tag;
    this.#directories.set(header.root.from, root);
  }

  static async at(url: string): Promise<Opened> {
    const { bytes, tag } = await piece(url, { from: 0, length: BEGINNING_BYTES });
    const header = headerOf(bytes);
    const { from, length } = header.root;
    if (from + length > bytes.byteLength) throw new Error("the archive's root directory is not at its beginning");
    const root = entriesOf(bytes.slice(from, from + length), header.compression.directories);
    await root;
    return new Opened(url, header, tag, root);
  }

  async read(extent: Extent, signal?: AbortSignal): Promise<ArrayBuffer> {
    const { bytes, tag } = await piece(this.#url, extent, signal);
    if (tag !== this.#tag) throw new Replaced();
    if (bytes.byteLength !== extent.length) throw new Error("the archive is shorter than its directories say");
    return bytes;
  }

  async tile(id: number, signal?: AbortSignal): Promise<ArrayBuffer | undefined> {
    const { root, leaves, tiles, compression } = this.header;
    let directory = root;
    for (let depth = 0; depth < DEPTH_MAX; depth += 1) {
      const entry = entryOf(await this.#directory(directory), id);
      if (!entry) return undefined;
      const { from, length, run } = entry;
      if (run > 0) {
        const bytes = await this.read({ from: tiles.from + from, length }, signal);
        return decompressed(bytes, compression.tiles);
      }
      directory = { from: leaves.from + from, length };
    }
    throw new Error("the archive's directories lie too deep");
  }

  #directory({ from, length }: Extent): Promise<Entry[]> {
    const known = this.#directories.get(from);
    // Used last, dropped last.
    this.#directories.delete(from);
    // Without anybody's signal: others may wait for it.
    const read = known ?? this.read({ from, length }).then((bytes) => entriesOf(bytes, this.header.compression.directories));
    this.#directories.set(from, read);
    if (!known) read.catch(() => this.#directories.delete(from));
    const [oldest] = this.#directories.keys();
    if (this.#directories.size > DIRECTORIES_MAX && oldest !== undefined) this.#directories.delete(oldest);
    return read;
  }
}

/** A range of a file, and which version of it that is. */
async function piece(url: string, { from, length }: Extent, signal?: AbortSignal): Promise<{ bytes: ArrayBuffer; tag: string | null }> {
  if (length > PIECE_BYTES_MAX) throw new Error(`the archive has a piece of ${length} bytes`);
  const range = `bytes=${from}-${from + length - 1}`;
  const ends = [AbortSignal.timeout(PIECE_MS_MAX), ...(signal ? [signal] : [])];
  const answer = await fetch(url, { headers: { range }, signal: AbortSignal.any(ends) });
  // Who answers with the whole file does not know ranges, and the file may be that of a planet.
  if (answer.status !== 206) {
    await answer.body?.cancel();
    throw new Error(answer.ok ? "the archive's server knows no ranges" : `the archive's server answers ${answer.status}`);
  }
  return { bytes: await answer.arrayBuffer(), tag: answer.headers.get("etag") };
}

function headerOf(bytes: ArrayBuffer): Header {
  const magic = new TextDecoder().decode(bytes.slice(0, MAGIC.length));
  const view = new DataView(bytes);
  if (bytes.byteLength < HEADER_BYTES || magic !== MAGIC) throw new Error("this is no PMTiles archive");
  if (view.getUint8(7) !== VERSION) throw new Error("the archive is not of version 3 of PMTiles");
  const extent = (at: number): Extent => ({ from: whole(view, at), length: whole(view, at + 8) });
  const degrees = (at: number): number => view.getInt32(at, true) / 1e7;
  return {
    root: extent(8),
    metadata: extent(24),
    leaves: extent(40),
    tiles: extent(56),
    compression: { directories: view.getUint8(97), tiles: view.getUint8(98) },
    kind: KINDS[view.getUint8(99)] ?? "unknown",
    zooms: { min: view.getUint8(100), max: Math.min(ZOOM_MAX, view.getUint8(101)) },
    bounds: [degrees(102), degrees(106), degrees(110), degrees(114)],
  };
}

function whole(view: DataView, at: number): number {
  const number = Number(view.getBigUint64(at, true));
  if (!Number.isSafeInteger(number)) throw new Error("the archive's header is damaged");
  return number;
}

/** The entries of a directory: columns of variable-length numbers, tiles as differences, offsets as 0 for "right behind". */
async function entriesOf(stored: ArrayBuffer, compression: number): Promise<Entry[]> {
  const bytes = new Uint8Array(await decompressed(stored, compression));
  let at = 0;
  const next = (): number => {
    let [number, factor] = [0, 1];
    for (;;) {
      const byte = bytes[at++];
      if (byte === undefined || factor > Number.MAX_SAFE_INTEGER) throw new Error("a directory of the archive is damaged");
      number += (byte & 0x7f) * factor;
      if (byte < 0x80) return number;
      factor *= 0x80;
    }
  };
  const count = next();
  if (count > bytes.length) throw new Error("a directory of the archive is damaged");
  const column = (): number[] => Array.from({ length: count }, next);
  const [steps, runs, lengths, offsets] = [column(), column(), column(), column()];
  let [tile, behind] = [0, 0];
  return steps.map((step, index) => {
    tile += step;
    const length = lengths[index]!;
    const from = offsets[index] === 0 ? behind : offsets[index]! - 1;
    behind = from + length;
    return { tile, run: runs[index]!, from, length };
  });
}

/** The entry that a tile is in, or below; entries ascend. */
function entryOf(entries: Entry[], id: number): Entry | undefined {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (entries[middle]!.tile <= id) low = middle + 1;
    else high = middle;
  }
  const entry = entries[low - 1];
  return entry && (entry.run === 0 || id - entry.tile < entry.run) ? entry : undefined;
}

/** The number of a tile: those of smaller zooms come first, those of one zoom along a Hilbert curve. */
export function tileId(zoom: number, x: number, y: number): number {
  const side = 2 ** zoom;
  if (zoom > ZOOM_MAX || x >= side || y >= side) throw new Error(`there is no tile ${zoom}/${x}/${y}`);
  let id = (4 ** zoom - 1) / 3;
  for (let half = side / 2; half >= 1; half /= 2) {
    const [right, low] = [(x & half) > 0 ? 1 : 0, (y & half) > 0 ? 1 : 0];
    id += half * half * ((3 * right) ^ low);
    // Each quarter is the curve again, turned so that its ends meet those of its neighbours.
    if (low === 0) [x, y] = right ? [half - 1 - (y & (half - 1)), half - 1 - (x & (half - 1))] : [y, x];
  }
  return id;
}

async function decompressed(bytes: ArrayBuffer, compression: number): Promise<ArrayBuffer> {
  if (compression === UNCOMPRESSED) return bytes;
  if (compression !== GZIP) throw new Error("the archive is compressed neither with gzip nor not at all");
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}
