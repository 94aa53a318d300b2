// The basemap: land, inner borders and the names of countries, from Natural Earth. Knows nothing of sites.
import type { LayerSpecification, SourceSpecification } from "maplibre-gl";
import labels from "../gen/basemap/labels.json?url";
import coarse from "../gen/basemap/outlines-110m.json?url";
import fine from "../gen/basemap/outlines-50m.json?url";
import { FONT } from "./fonts.js";
import type { Palette } from "./palette.js";

/** Zoom from which the coarse outlines look coarse, and the fine ones are worth their 350 kB. */
export const FINE_FROM_ZOOM = 3;
/** Name of the source of the outlines. */
export const OUTLINES = "outlines";
/** Zoom beyond which the outlines are not cut any finer: they have no more detail. */
const OUTLINES_ZOOM_MAX = 7;

/** Where the outlines are, in one detail or the other. */
export function outlinesUrl(detail: "coarse" | "fine"): string {
  return new URL(detail === "fine" ? fine : coarse, location.href).href;
}

export function baseSources(detail: "coarse" | "fine"): Record<string, SourceSpecification> {
  return {
    [OUTLINES]: { type: "geojson", data: outlinesUrl(detail), maxzoom: OUTLINES_ZOOM_MAX, tolerance: 0.3 },
    countries: { type: "geojson", data: new URL(labels, location.href).href, maxzoom: OUTLINES_ZOOM_MAX },
  };
}

export function baseLayers(palette: Palette): LayerSpecification[] {
  return [
    { id: "water", type: "background", paint: { "background-color": palette.water } },
    {
      id: "land",
      type: "fill",
      source: OUTLINES,
      filter: ["==", ["get", "kind"], "land"],
      paint: { "fill-color": palette.land },
    },
    {
      id: "coast",
      type: "line",
      source: OUTLINES,
      filter: ["==", ["get", "kind"], "land"],
      paint: { "line-color": palette.coast, "line-width": ["interpolate", ["linear"], ["zoom"], 1, 0.5, 6, 1.2] },
    },
    {
      id: "borders",
      type: "line",
      source: OUTLINES,
      filter: ["==", ["get", "kind"], "border"],
      layout: { "line-join": "round" },
      paint: { "line-color": palette.border, "line-width": ["interpolate", ["linear"], ["zoom"], 1, 0.6, 6, 1.8] },
    },
    {
      id: "country-names",
      type: "symbol",
      source: "countries",
      filter: [">=", ["zoom"], ["get", "zoom"]],
      layout: {
        "text-field": ["get", "name"],
        "text-font": [FONT],
        "text-size": ["interpolate", ["linear"], ["zoom"], 1, 10, 6, 15],
        "text-letter-spacing": 0.06,
        "text-max-width": 7,
        "symbol-sort-key": ["-", ["get", "size"]],
      },
      paint: { "text-color": palette.label, "text-halo-color": palette.labelHalo, "text-halo-width": 1.2 },
    },
  ];
}
