// The operator's own base map in the place of the page's: a MapLibre style, or a PMTiles archive over the page's own base.
// Loaded only where one is configured. Their names are set apart from ours, so that nothing of theirs is taken for a site.
import type { LayerSpecification, SourceSpecification, StyleSpecification } from "maplibre-gl";
import type { Basemap } from "../api/basemap.js";
import { rasterLayer, vectorLayers } from "./archive_layers.js";
import { baseLayers, baseSources } from "./base_layers.js";
import { PALETTES, type Scheme } from "./palette.js";
import { Archive } from "./pmtiles.js";

/** Before each name of theirs. */
const OWN = "own-";
/** How addresses of archives begin, as styles have them. */
const PROTOCOL = "pmtiles";
/** A tile of an archive, as its description names it. */
const TILE = /^pmtiles:\/\/(.+)\/(\d+)\/(\d+)\/(\d+)$/;
/** Milliseconds in which a style comes, or an archive's header. */
const LOAD_MS_MAX = 8_000;

/** What stands below the sites, for one colour scheme. */
export interface BaseStyle {
  sources: Record<string, SourceSpecification>;
  layers: LayerSpecification[];
  glyphs?: string | undefined;
  sprite?: StyleSpecification["sprite"];
}

export interface OwnBase {
  light: BaseStyle;
  dark: BaseStyle;
  /** What to name on the map, beside what its sources say; empty for nothing. */
  attribution: string;
  /** Whether the page's own base map shows through. */
  overOurs: boolean;
  /** The servers that it may be loaded from. */
  origins: string[];
  /** How addresses of archives begin, */
  protocol: string;
  /** and what answers the map's questions to them: for the description of one, and for a tile. */
  answer: typeof answer;
}

const archives = new Map<string, Archive>();

/** Loads what is needed to draw it. Throws where that does not come, or is no style and no archive. */
export async function buildBase(basemap: Basemap): Promise<OwnBase> {
  const { style, styleDark, pmtiles, attribution = "", origins } = basemap;
  const common = { attribution, origins, protocol: PROTOCOL, answer };
  if (pmtiles) return { ...(await ofArchive(pmtiles)), overOurs: true, ...common };
  if (!style) throw new Error("there is neither a style nor an archive");
  const [light, dark] = await Promise.all([style, styleDark ?? style].map(ofStyle));
  return { light: light!, dark: dark!, overOurs: false, ...common };
}

async function ofStyle(address: string): Promise<BaseStyle> {
  const url = new URL(address, location.href).href;
  const reply = await fetch(url, { signal: AbortSignal.timeout(LOAD_MS_MAX) });
  if (!reply.ok) throw new Error(`the server of the style answers ${reply.status}`);
  const style: Partial<StyleSpecification> = await reply.json();
  if (!style.sources || !Array.isArray(style.layers)) throw new Error("this is no style");
  const sources = Object.entries(style.sources).map(([name, source]) => [OWN + name, located(source, url)]);
  const layers = style.layers.map((layer) => ({ ...layer, id: OWN + layer.id, ...("source" in layer ? { source: OWN + layer.source } : {}) }));
  const { sprite } = style;
  return {
    sources: Object.fromEntries(sources) as BaseStyle["sources"],
    layers: layers as LayerSpecification[],
    glyphs: style.glyphs && absolute(style.glyphs, url),
    sprite: Array.isArray(sprite) ? sprite.map((one) => ({ ...one, url: absolute(one.url, url) })) : sprite && absolute(sprite, url),
  };
}

/** A source whose addresses are whole. */
function located(source: SourceSpecification, base: string): SourceSpecification {
  const found: Record<string, unknown> = { ...source };
  for (const key of ["url", "data"]) if (typeof found[key] === "string") found[key] = absolute(found[key], base);
  if (Array.isArray(found.tiles)) found.tiles = found.tiles.map((tile) => absolute(sharp(String(tile)), base));
  return found as unknown as SourceSpecification;
}

/** As sharp as the screen is. By the map's own pixels, which are fewer while it moves, tiles of two kinds would stand side by side. */
function sharp(tile: string): string {
  return tile.replaceAll("{ratio}", devicePixelRatio > 1 ? "@2x" : "");
}

/**
 * An address seen from another one. Not by `URL` alone, which would write the braces of `{z}` in another way. An archive's
 * address that names no server, as `pmtiles:///basemap/…` does not, is of the page's own, wherever the style came from: a style
 * of another server says so of what lies beside the page.
 */
function absolute(address: string, base: string): string {
  const [, protocol = "", rest = address] = /^(pmtiles:\/\/)(.*)$/.exec(address) ?? [];
  if (/^[a-z][a-z+.-]*:/i.test(rest)) return address;
  if (protocol && rest.startsWith("/")) return protocol + location.origin + rest;
  const { protocol: scheme, origin, pathname } = new URL(base);
  if (rest.startsWith("//")) return scheme + rest;
  const folder = origin + pathname.slice(0, pathname.lastIndexOf("/") + 1);
  return protocol + (rest.startsWith("/") ? origin : folder) + rest;
}

async function ofArchive(address: string): Promise<Record<Scheme, BaseStyle>> {
  const url = new URL(address, location.href).href;
  const archive = archiveAt(url);
  const { kind } = await archive.header();
  const source = OWN + "archive";
  const named = kind === "vector" ? layerNames(await archive.metadata()) : new Set<string>();
  const of = (scheme: Scheme): BaseStyle => {
    const ours = baseLayers(PALETTES[scheme]);
    const theirs = kind === "vector" ? vectorLayers(source, scheme, named) : [rasterLayer(source, scheme)];
    // Names of countries stand over all; the fine outlines at once, which are seen around what the archive holds.
    const isName = (layer: LayerSpecification): boolean => layer.type === "symbol";
    return {
      sources: { ...baseSources("fine"), [source]: { type: kind === "vector" ? "vector" : "raster", url: `pmtiles://${url}` } },
      layers: [...ours.filter((layer) => !isName(layer)), ...theirs.map((layer) => ({ ...layer, id: OWN + layer.id })), ...ours.filter(isName)],
    };
  };
  return { light: of("light"), dark: of("dark") };
}

function archiveAt(url: string): Archive {
  const known = archives.get(url) ?? new Archive(url);
  archives.set(url, known);
  return known;
}

/** The names of the layers that an archive tells of. */
function layerNames({ vector_layers: told }: Record<string, unknown>): Set<string> {
  const names = Array.isArray(told) ? told.map((layer: { id?: unknown }) => layer.id) : [];
  return new Set(names.filter((name) => typeof name === "string"));
}

async function answer(url: string, asksDescription: boolean, signal: AbortSignal): Promise<{ data: object }> {
  if (asksDescription) return { data: await description(url) };
  const [, address, ...numbers] = TILE.exec(url) ?? [];
  if (!address) throw new Error("this names no tile of an archive");
  const [zoom, x, y] = numbers.map(Number) as [number, number, number];
  const bytes = await archiveAt(address).tile(zoom, x, y, signal);
  // MapLibre takes nothing for an empty tile, of shapes or of a picture, and its types do not say so.
  return { data: bytes as ArrayBuffer };
}

/** The archive as TileJSON. */
async function description(url: string): Promise<object> {
  const archive = archiveAt(url.slice(`${PROTOCOL}://`.length));
  const [{ zooms, bounds }, told] = await Promise.all([archive.header(), archive.metadata()]);
  const attribution = typeof told.attribution === "string" ? { attribution: told.attribution } : {};
  const layers = Array.isArray(told.vector_layers) ? { vector_layers: told.vector_layers } : {};
  return { tilejson: "3.0.0", tiles: [`${url}/{z}/{x}/{y}`], minzoom: zooms.min, maxzoom: zooms.max, bounds, ...attribution, ...layers };
}
