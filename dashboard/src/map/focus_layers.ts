// What is drawn over the sites for the site in hand: a ring around it, its accuracy circle, and the way it moved. And the
// rings of those that are selected in the list.
import type { Feature, FeatureCollection } from "geojson";
import type { LayerSpecification } from "maplibre-gl";
import type { Position } from "../position.js";
import type { Palette } from "./palette.js";

/** Names of the sources: selected sites may be many, and do not change with each site that the pointer is on. */
export const FOCUS = "focus";
export const SELECTION = "selection";
/** Layers that are counted for tests, by what they show. */
export const FOCUS_LAYERS = { circles: "accuracy", selected: "selection-rings" };
/** The layer of the ring that moves with the pointer and the one of the open site. */
export const RINGS = "focus-rings";
/** Corners of an accuracy circle: round to the eye at any size on a screen. */
const CIRCLE_CORNERS = 96;
/** Metres in a degree of latitude. */
const DEGREE_M = 111_195;

/** What to draw. `accuracyM` is absent where the source states none: then there is no circle. */
export interface Focus {
  selected?: { position: Position; accuracyM?: number | undefined } | undefined;
  hovered?: Position | undefined;
  /** What other sources say of the site. */
  fixes?: { position: Position; accuracyM?: number | undefined }[];
  move?: { before: Position; after: Position } | undefined;
}

/** A site that is selected, by its name. */
export interface Chosen {
  name: string;
  position: Position;
}

export function selectionData(chosen: Chosen[]): FeatureCollection {
  return { type: "FeatureCollection", features: chosen.map(({ name, position }) => point("chosen", position, name)) };
}

export function focusData({ selected, hovered, move, fixes = [] }: Focus): FeatureCollection {
  const features: Feature[] = [];
  if (selected?.accuracyM) features.push(circle(selected.position, selected.accuracyM, "selected"));
  for (const [at, { position, accuracyM }] of fixes.entries()) {
    if (accuracyM) features.push(circle(position, accuracyM, `fix ${at}`));
    features.push(point("fix", position));
  }
  if (move) features.push(line(move.before, move.after));
  if (hovered) features.push(point("hovered", hovered));
  if (selected) features.push(point("selected", selected.position));
  return { type: "FeatureCollection", features };
}

/** `under` lie beneath the sites, `over` above them. */
export function focusLayers(palette: Palette): { under: LayerSpecification[]; over: LayerSpecification[] } {
  const color = palette.focus;
  return {
    under: [
      {
        id: FOCUS_LAYERS.circles,
        type: "fill",
        source: FOCUS,
        filter: ["==", ["get", "kind"], "accuracy"],
        paint: { "fill-color": color, "fill-opacity": 0.14 },
      },
      {
        // A fill's own outline is as faint as the fill.
        id: "accuracy-edges",
        type: "line",
        source: FOCUS,
        filter: ["==", ["get", "kind"], "accuracy"],
        paint: { "line-color": color, "line-width": 1 },
      },
      {
        // Around pins, and below the numbers of clusters: there may be thousands.
        id: FOCUS_LAYERS.selected,
        type: "circle",
        source: SELECTION,
        paint: {
          "circle-radius": 14,
          "circle-color": color,
          "circle-opacity": ["interpolate", ["linear"], ["zoom"], 3, 0.04, 8, 0.16],
          "circle-stroke-color": color,
          "circle-stroke-width": ["interpolate", ["linear"], ["zoom"], 3, 1, 8, 2.5],
        },
      },
      {
        id: "move",
        type: "line",
        source: FOCUS,
        filter: ["==", ["get", "kind"], "move"],
        layout: { "line-cap": "round" },
        paint: { "line-color": color, "line-width": 2, "line-dasharray": [1.5, 2.5] },
      },
      {
        id: "focus-fixes",
        type: "circle",
        source: FOCUS,
        filter: ["==", ["get", "kind"], "fix"],
        paint: {
          "circle-radius": 4,
          "circle-color": palette.paper,
          "circle-stroke-color": color,
          "circle-stroke-width": 2,
        },
      },
      {
        // Seen where the site is inside a cluster that is drawn elsewhere; a pin or an area of its own covers it.
        id: "focus-dot",
        type: "circle",
        source: FOCUS,
        filter: ["==", ["get", "kind"], "selected"],
        paint: { "circle-radius": 5, "circle-color": color },
      },
    ],
    over: [
      {
        id: RINGS,
        type: "circle",
        source: FOCUS,
        filter: ["in", ["get", "kind"], ["literal", ["hovered", "selected"]]],
        paint: {
          // With its stroke no wider than names of sites are away from their pins.
          "circle-radius": ["match", ["get", "kind"], "selected", 15, 13],
          "circle-color": "rgba(0, 0, 0, 0)",
          "circle-stroke-color": color,
          "circle-stroke-width": ["match", ["get", "kind"], "selected", 3, 2],
        },
      },
    ],
  };
}

function point(kind: string, { lat, lng }: Position, id = kind): Feature {
  return { type: "Feature", properties: { kind, id }, geometry: { type: "Point", coordinates: [lng, lat] } };
}

/** The shorter way round the world. */
function line(before: Position, after: Position): Feature {
  const turns = Math.round((before.lng - after.lng) / 360);
  const coordinates = [
    [before.lng, before.lat],
    [after.lng + 360 * turns, after.lat],
  ];
  return { type: "Feature", properties: { kind: "move" }, geometry: { type: "LineString", coordinates } };
}

function circle({ lat, lng }: Position, radiusM: number, id: string): Feature {
  const tall = radiusM / DEGREE_M;
  const wide = tall / Math.max(0.05, Math.cos((lat * Math.PI) / 180));
  const ring = Array.from({ length: CIRCLE_CORNERS + 1 }, (_, corner) => {
    const angle = (2 * Math.PI * corner) / CIRCLE_CORNERS;
    return [lng + wide * Math.cos(angle), Math.max(-89.9, Math.min(89.9, lat + tall * Math.sin(angle)))];
  });
  return { type: "Feature", properties: { kind: "accuracy", id }, geometry: { type: "Polygon", coordinates: [ring] } };
}
