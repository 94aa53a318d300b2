// The whole style of the map, made anew for each colour scheme.
import type { StyleSpecification } from "maplibre-gl";
import { baseLayers, baseSources } from "./base_layers.js";
import { type Focus, FOCUS, focusData, focusLayers } from "./focus_layers.js";
import { FONT_FACES } from "./fonts.js";
import { PALETTES, type Scheme } from "./palette.js";
import { SITES, siteLayers } from "./site_layers.js";

/** Zoom of the deepest tiles; the map shows these further in. */
const TILES_ZOOM_MAX = 22;

export function styleOf(scheme: Scheme, detail: "coarse" | "fine", tiles: string, focus: Focus): StyleSpecification {
  const palette = PALETTES[scheme];
  const { under, over } = focusLayers(palette);
  return {
    version: 8,
    "font-faces": FONT_FACES,
    sources: {
      ...baseSources(detail),
      [SITES]: { type: "vector", tiles: [tiles], minzoom: 0, maxzoom: TILES_ZOOM_MAX },
      [FOCUS]: { type: "geojson", data: focusData(focus) },
    },
    layers: [...baseLayers(palette), ...under, ...siteLayers(scheme, palette), ...over],
    transition: { duration: 150, delay: 0 },
  };
}
