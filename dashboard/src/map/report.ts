// Writes what the map shows into attributes of its element whenever it has come to rest, for tests and for the curious.
import type { Map as MapLibre, MapGeoJSONFeature } from "maplibre-gl";
import { FOCUS_LAYERS, RINGS } from "./focus_layers.js";
import type { Scheme } from "./palette.js";
import { NAMES, SYMBOL_LAYERS } from "./site_layers.js";

/** Names that are told at most: a test looks at few sites. */
const NAMES_MAX = 50;

/** Layers that have texts: names of sites where there is room for them, counts always. */
const TEXT_LAYERS = [NAMES, "areas", "clusters"];

/** Sets `data-scheme` and `data-size`, the colours and the size ("WxH") that it is drawn in, `data-projection`, `data-revision` (of the
 *  symbols drawn), `data-center` ("lat,lng"), `data-zoom`, `data-idle`, the counts of
 *  symbols drawn, `data-sites`, of the sites that they stand for, `data-names`, those of lone sites as JSON, `data-texts`, what is
 *  written on the map of sites, as JSON, the counts of accuracy circles and of selected sites' rings, and `data-hovered`, where the
 *  ring of the pointer's site is. */
export function report(map: MapLibre, element: HTMLElement, scheme: Scheme, revision: bigint | undefined): void {
  const { lat, lng } = map.getCenter();
  const { clientWidth, clientHeight } = map.getCanvas();
  element.dataset.scheme = scheme;
  element.dataset.size = `${clientWidth}x${clientHeight}`;
  element.dataset.center = `${lat.toFixed(6)},${lng.toFixed(6)}`;
  element.dataset.zoom = map.getZoom().toFixed(3);
  element.dataset.projection = String(map.getProjection().type);
  let sites = 0;
  const names = new Set<string>();
  for (const [kind, layers] of Object.entries(SYMBOL_LAYERS)) {
    const features = map.queryRenderedFeatures({ layers: layers.filter((layer) => map.getLayer(layer)) });
    const counts = new Map(features.map(({ properties }) => [properties.id, Number(properties.count ?? 1)]));
    element.dataset[kind] = String(counts.size);
    for (const { properties } of features) if (properties.name) names.add(String(properties.name));
    sites += [...counts.values()].reduce((sum, count) => sum + count, 0);
  }
  element.dataset.sites = String(sites);
  element.dataset.names = JSON.stringify([...names].slice(0, NAMES_MAX));
  const texts = map.queryRenderedFeatures({ layers: TEXT_LAYERS.filter((layer) => map.getLayer(layer)) }).map(textOf);
  element.dataset.texts = JSON.stringify([...new Set(texts)].slice(0, NAMES_MAX));
  for (const [kind, layer] of Object.entries(FOCUS_LAYERS)) {
    const features = map.getLayer(layer) ? map.queryRenderedFeatures({ layers: [layer] }) : [];
    element.dataset[kind] = String(new Set(features.map(({ properties }) => properties.id)).size);
  }
  element.dataset.hovered = hovered(map);
  if (revision !== undefined) element.dataset.revision = String(revision);
  element.dataset.idle = "true";
}

/** What is written for a symbol, as its layer writes it. */
function textOf({ layer }: MapGeoJSONFeature): string {
  return layer.type === "symbol" ? String(layer.layout?.["text-field"] ?? "") : "";
}

/** Where the ring of the site that the pointer is on is drawn, "lat,lng" as finely as it is; empty for none. */
function hovered(map: MapLibre): string {
  const rings = map.getLayer(RINGS) ? map.queryRenderedFeatures({ layers: [RINGS] }) : [];
  const geometry = rings.find(({ properties }) => properties.kind === "hovered")?.geometry;
  if (geometry?.type !== "Point") return "";
  const [lng, lat] = geometry.coordinates as [number, number];
  return `${lat.toFixed(4)},${lng.toFixed(4)}`;
}
