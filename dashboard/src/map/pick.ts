// Which symbol is under the pointer.
import type { Map as MapLibre, MapGeoJSONFeature, Point } from "maplibre-gl";
import type { Position } from "../position.js";
import { ASIDES } from "./asides.js";
import { NAMES, SYMBOL_LAYERS } from "./site_layers.js";

/** How far beside a symbol a click still counts, in pixels. */
const TOLERANCE_PX = 3;

export type Picked =
  | { kind: "site"; id: string; position: Position }
  | Expandable
  | { kind: "list"; id: string; zoom: number; stack: boolean };

/** A cluster that is drawn at `zoom`, and does not fall apart before `least`: where it does is to be asked. */
export interface Expandable {
  kind: "expand";
  id: string;
  zoom: number;
  least: number;
  position: Position;
}

/** The symbol at a point of the screen; of several, the one whose middle is nearest. */
export function pick(map: MapLibre, { x, y }: Point): Picked | undefined {
  const box: [[number, number], [number, number]] = [
    [x - TOLERANCE_PX, y - TOLERANCE_PX],
    [x + TOLERANCE_PX, y + TOLERANCE_PX],
  ];
  const layers = [...Object.values(SYMBOL_LAYERS).flat(), NAMES].filter((layer) => map.getLayer(layer));
  const away = ({ geometry, properties }: MapGeoJSONFeature): number => {
    if (geometry.type !== "Point") return Infinity;
    const middle = map.project(geometry.coordinates as [number, number]);
    const [east, south] = ASIDES[Number(properties.aside ?? 0)] ?? [0, 0];
    return Math.hypot(middle.x + east - x, middle.y + south - y);
  };
  const [nearest] = map
    .queryRenderedFeatures(box, { layers })
    .map((feature) => ({ feature, distance: away(feature) }))
    .sort((a, b) => a.distance - b.distance);
  return nearest && pickedOf(nearest.feature, Math.floor(map.getZoom()));
}

function pickedOf(feature: MapGeoJSONFeature, zoom: number): Picked | undefined {
  if (feature.geometry.type !== "Point") return undefined;
  const [lng, lat] = feature.geometry.coordinates as [number, number];
  const position = { lat, lng };
  const { kind, id, site, stack, expansion_zoom: expansion } = feature.properties;
  if (kind === "pins") return { kind: "site", id: String(id), position };
  if (site) return { kind: "site", id: String(site), position };
  if (typeof expansion === "number" && !stack) {
    return { kind: "expand", id: String(id), zoom, least: Math.max(expansion, zoom + 1), position };
  }
  return { kind: "list", id: String(id), zoom, stack: Boolean(stack) };
}
