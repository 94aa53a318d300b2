// The sites' layers: discs and rings for areas, donuts for clusters, shapes for pins, and names. Each symbol's picture is
// named by what it shows; icons.ts draws it.
import type { ExpressionSpecification, LayerSpecification } from "maplibre-gl";
import * as strings from "../strings.js";
import { ASIDES } from "./asides.js";
import { FONT } from "./fonts.js";
import { DONUT_SHARES } from "./icons.js";
import { type Palette, type Scheme, STATUSES } from "./palette.js";

/** Name of the source of the sites' symbols. */
export const SITES = "sites";
/** Zoom from which pins have their names below them. */
const NAMES_FROM_ZOOM = 7;
/** How far below its middle a site's name begins, in the name's own size: below the ring of the site in hand, and below the
 *  picture of the site itself, which the name would have to give way to. */
const BELOW_PIN: [number, number] = [0, 1.7];
const BELOW_RING: [number, number] = [0, 2.1];
/** Deepest zoom that a disc is sized for. */
const ZOOM_MAX = 22;
/** Counts from which a donut is of the next size class. */
const SIZE_STEPS = [10, 100, 1_000];
/** Pixels around the equator at zoom 0, of tiles of 512 pixels, and metres around it. */
const WORLD_PX = 512;
const EQUATOR_M = 40_075_016.7;
/** The size of names and of the counts of areas, in pixels. */
const TEXT_PX = 11.5;
/** Radii of a disc in pixels: below the least it hides behind its ring, above the most it fills the screen anyway. */
const DISC_PX_MIN = 18;
const DISC_PX_MAX = 600;
/** The features of each kind of symbol. */
const OF_KIND = { pins: ofKind("pins"), clusters: ofKind("clusters"), areas: ofKind("areas") };
/** The areas of a single site. */
const LONE: ExpressionSpecification = ["all", OF_KIND.areas, ["==", ["get", "count"], 1]];

/** Layers of symbols, by what they show, and that of names. They answer to the pointer. */
export const SYMBOL_LAYERS = { pins: ["pins"], clusters: ["clusters"], areas: ["lone-areas", "areas"] };
export const NAMES = "names";

/** From the lowest to the highest. MapLibre gives room in the other order: names take what all the symbols leave of it. */
export function siteLayers(scheme: Scheme, palette: Palette): LayerSpecification[] {
  return [
    discs(palette),
    names(palette),
    areas(scheme, palette),
    loneAreas(scheme),
    clusters(scheme, palette),
    pins(scheme),
  ];
}

function ofKind(kind: string): ExpressionSpecification {
  return ["==", ["get", "kind"], kind];
}

function discs(palette: Palette): LayerSpecification {
  return {
    id: "discs",
    type: "circle",
    source: SITES,
    filter: OF_KIND.areas,
    paint: {
      "circle-radius": byDiscSize((radius) => radius, "exponential"),
      "circle-color": palette.area,
      "circle-opacity": byDiscSize((radius) => ["max", 0.05, ["min", 0.16, ["/", 7, radius]]], "linear"),
      "circle-stroke-color": palette.area,
      "circle-stroke-width": 1,
      "circle-stroke-opacity": byDiscSize((radius) => ["max", 0.12, ["min", 0.35, ["/", 20, radius]]], "linear"),
      "circle-pitch-alignment": "map",
    },
  };
}

/**
 * A property by the radius of a disc in pixels, which depends on its metres, the zoom and the latitude. Large discs
 * fade, or many of them on each other would hide the land.
 */
function byDiscSize(
  value: (radius: ExpressionSpecification) => ExpressionSpecification,
  curve: "linear" | "exponential",
): ExpressionSpecification {
  const metres: ExpressionSpecification = ["coalesce", ["get", "radius_m"], ["/", ["get", "extent_m"], 2]];
  const narrowing: ExpressionSpecification = ["get", "narrowing"];
  const stops = Array.from({ length: ZOOM_MAX + 1 }, (_, zoom) => {
    const pixelsPerMetre = (WORLD_PX * 2 ** zoom) / EQUATOR_M;
    const radius: ExpressionSpecification = ["/", ["*", metres, pixelsPerMetre], narrowing];
    return [zoom, value(["max", DISC_PX_MIN, ["min", DISC_PX_MAX, radius]])];
  });
  const by = curve === "linear" ? ["linear"] : ["exponential", 2];
  return ["interpolate", by, ["zoom"], ...stops.flat()] as unknown as ExpressionSpecification;
}

/** Names of single sites. A layer of their own: together with their shapes they would come before the donuts. */
function names(palette: Palette): LayerSpecification {
  return {
    id: NAMES,
    type: "symbol",
    source: SITES,
    minzoom: NAMES_FROM_ZOOM,
    filter: ["any", OF_KIND.pins, LONE],
    layout: {
      "text-field": ["coalesce", ["get", "name"], ""],
      "text-font": [FONT],
      "text-size": TEXT_PX,
      "text-anchor": "top",
      "text-offset": ["case", isVague(), ["literal", BELOW_RING], ["literal", BELOW_PIN]],
      "text-max-width": 12,
      // The worst have room first.
      "symbol-sort-key": ["index-of", ["case", OF_KIND.pins, ["get", "status"], soleStatus()], ["literal", STATUSES]],
    },
    paint: textPaint(palette),
  };
}

function areas(scheme: Scheme, palette: Palette): LayerSpecification {
  return {
    id: "areas",
    type: "symbol",
    source: SITES,
    filter: ["all", OF_KIND.areas, [">", ["get", "count"], 1]],
    layout: {
      "icon-image": ["concat", `ring|${scheme}|`, sizeClass(), ...shares()],
      "icon-offset": aside(([east, south]) => [east, south]),
      "icon-allow-overlap": true,
      // "~14 sites": somewhere around here, and not on this spot.
      "text-field": [
        "format",
        ["concat", "~", shortCount(), "\n"],
        {},
        strings.map.sitesBelowCount,
        { "font-scale": 0.74 },
      ],
      "text-font": [FONT],
      "text-size": TEXT_PX,
      "text-offset": aside(([east, south]) => [east / TEXT_PX, south / TEXT_PX]),
      "text-line-height": 1,
      "text-allow-overlap": true,
      "symbol-sort-key": ["get", "count"],
    },
    paint: textPaint(palette),
  };
}

/** A single site whose place is not well known. */
function loneAreas(scheme: Scheme): LayerSpecification {
  return {
    id: "lone-areas",
    type: "symbol",
    source: SITES,
    filter: LONE,
    layout: {
      "icon-allow-overlap": true,
      "icon-image": [
        "case",
        isVague(),
        ["concat", `ring|${scheme}|0`, ...shares()],
        ["concat", `pin|${scheme}|`, soleStatus(), "|false"],
      ],
    },
  };
}

function clusters(scheme: Scheme, palette: Palette): LayerSpecification {
  return {
    id: "clusters",
    type: "symbol",
    source: SITES,
    filter: OF_KIND.clusters,
    layout: {
      "icon-image": ["concat", ["case", ["get", "stack"], "stack", "donut"], `|${scheme}|`, sizeClass(), ...shares()],
      "icon-allow-overlap": true,
      "text-field": shortCount(),
      "text-font": [FONT],
      "text-size": ["step", ["get", "count"], 11.5, 100, 12.5, 1_000, 13.5],
      "text-allow-overlap": true,
      "symbol-sort-key": ["get", "count"],
    },
    paint: { "text-color": palette.ink },
  };
}

function pins(scheme: Scheme): LayerSpecification {
  return {
    id: "pins",
    type: "symbol",
    source: SITES,
    filter: OF_KIND.pins,
    layout: {
      "icon-allow-overlap": true,
      "icon-image": ["concat", `pin|${scheme}|`, ["get", "status"], "|", ["to-string", ["get", "confirmed"]]],
      // The worst lie on top.
      "symbol-sort-key": ["-", ["index-of", ["get", "status"], ["literal", STATUSES]]],
    },
  };
}

/** Something of where an area's mark stands beside its middle. */
function aside(value: (offset: [number, number]) => [number, number]): ExpressionSpecification {
  const [middle, ...others] = ASIDES.map((offset) => ["literal", value(offset)]);
  const cases = others.flatMap((offset, number) => [number + 1, offset]);
  return ["match", ["coalesce", ["get", "aside"], 0], ...cases, middle] as unknown as ExpressionSpecification;
}

function textPaint(palette: Palette) {
  return { "text-color": palette.ink, "text-halo-color": palette.labelHalo, "text-halo-width": 1.4 };
}

/** The size class of a symbol, by its count, as its picture's name has it. */
function sizeClass(): ExpressionSpecification {
  const steps = SIZE_STEPS.flatMap((from, index) => [from, String(index + 1)]);
  return ["step", ["get", "count"], "0", ...steps] as unknown as ExpressionSpecification;
}

/** Each status' share of the donut, as the end of a picture's name. */
function shares(): ExpressionSpecification[] {
  return STATUSES.map((status) => {
    const sites: ExpressionSpecification = ["coalesce", ["get", status], 0];
    const share: ExpressionSpecification = ["ceil", ["/", ["*", sites, DONUT_SHARES], ["max", 1, ["get", "count"]]]];
    return ["concat", "|", ["to-string", share]];
  });
}

/** Whether a site is known to a country or a region alone, and drawn as a ring. */
function isVague(): ExpressionSpecification {
  return ["to-boolean", ["get", "vague"]];
}

/** The status of an area's only site. */
function soleStatus(): ExpressionSpecification {
  const has = (status: string): ExpressionSpecification => [">", ["coalesce", ["get", status], 0], 0];
  return ["case", has("online"), "online", has("offline"), "offline", has("maintenance"), "maintenance", "unknown"];
}

/** A count in at most four characters: 950, 1.2k, 35k, 2.4M. */
function shortCount(): ExpressionSpecification {
  const count: ExpressionSpecification = ["get", "count"];
  const tenths = (unit: number, sign: string): ExpressionSpecification => [
    "concat",
    ["to-string", ["/", ["round", ["/", count, unit / 10]], 10]],
    sign,
  ];
  const wholes = (unit: number, sign: string): ExpressionSpecification => [
    "concat",
    ["to-string", ["round", ["/", count, unit]]],
    sign,
  ];
  const text = ["step", count, ["to-string", count], 1_000, tenths(1_000, "k"), 10_000, wholes(1_000, "k")];
  return [...text, 1_000_000, tenths(1_000_000, "M")] as unknown as ExpressionSpecification;
}
