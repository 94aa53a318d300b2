// Writes what the map shows into attributes of its element whenever it has come to rest, for tests and for the curious.
import type { Map as MapLibre } from "maplibre-gl";
import { SYMBOL_LAYERS } from "./site_layers.js";

/** Sets `data-center` ("lat,lng"), `data-zoom`, `data-idle` and the counts of symbols drawn. */
export function report(map: MapLibre, element: HTMLElement): void {
  const { lat, lng } = map.getCenter();
  element.dataset.center = `${lat.toFixed(6)},${lng.toFixed(6)}`;
  element.dataset.zoom = map.getZoom().toFixed(3);
  for (const [kind, layers] of Object.entries(SYMBOL_LAYERS)) {
    const features = map.queryRenderedFeatures({ layers: layers.filter((layer) => map.getLayer(layer)) });
    element.dataset[kind] = String(new Set(features.map((feature) => feature.properties.id)).size);
  }
  element.dataset.idle = "true";
}
