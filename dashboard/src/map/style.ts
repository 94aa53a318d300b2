// The whole style of the map, made anew for each colour scheme.
import type { FeatureCollection } from "geojson";
import type { StyleSpecification } from "maplibre-gl";
import { baseLayers, baseSources } from "./base_layers.js";
import { type Chosen, type Focus, FOCUS, focusData, focusLayers, SELECTION, selectionData } from "./focus_layers.js";
import { FONT_FACES } from "./fonts.js";
import type { BaseStyle } from "./own_base.js";
import { PALETTES, type Scheme } from "./palette.js";
import { SITES, siteLayers } from "./site_layers.js";

/** How finely symbols are placed: the deepest zoom at which they are cut. */
const SYMBOLS_ZOOM_MAX = 20;
/** Pixels beyond the edge of a cut in which a symbol is drawn on both sides: half of the widest. */
const SYMBOLS_BUFFER = 64;

/** What the map shows besides its base. */
export interface Shown {
  symbols: FeatureCollection;
  focus: Focus;
  chosen: Chosen[];
  globe: boolean;
  /** Whether nothing is ever in focus or chosen: then there are no sources and layers for that. */
  still: boolean;
}

function focusSources(focus: Focus, chosen: Chosen[]): StyleSpecification["sources"] {
  return {
    [FOCUS]: { type: "geojson", data: focusData(focus) },
    [SELECTION]: { type: "geojson", data: selectionData(chosen) },
  };
}

/** `own` is what stands below the sites in the place of the page's own base map. */
export function styleOf(scheme: Scheme, detail: "coarse" | "fine", shown: Shown, own?: BaseStyle): StyleSpecification {
  const { symbols, focus, chosen, globe, still } = shown;
  const palette = PALETTES[scheme];
  const { under, over } = still ? { under: [], over: [] } : focusLayers(palette);
  const base: BaseStyle = own ?? { sources: baseSources(detail), layers: baseLayers(palette) };
  return {
    version: 8,
    projection: { type: globe ? "globe" : "mercator" },
    "font-faces": FONT_FACES,
    sources: {
      ...base.sources,
      [SITES]: { type: "geojson", data: symbols, maxzoom: SYMBOLS_ZOOM_MAX, buffer: SYMBOLS_BUFFER },
      ...(still ? {} : focusSources(focus, chosen)),
    },
    layers: [...base.layers, ...under, ...siteLayers(scheme, palette), ...over],
    transition: { duration: 150, delay: 0 },
    ...(base.glyphs ? { glyphs: base.glyphs } : {}),
    ...(base.sprite ? { sprite: base.sprite } : {}),
  };
}
