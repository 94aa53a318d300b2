// Writes what the map shows into attributes of its element whenever it has come to rest, for tests and for the curious.
import type { Map as MapLibre } from "maplibre-gl";
import { SYMBOL_LAYERS } from "./site_layers.js";

/** Sets `data-revision` (of the symbols drawn), `data-center` ("lat,lng"), `data-zoom`, `data-idle`, the counts of
 *  symbols drawn, and `data-sites`, of the sites that they stand for. */
export function report(map: MapLibre, element: HTMLElement, revision: bigint | undefined): void {
  const { lat, lng } = map.getCenter();
  element.dataset.center = `${lat.toFixed(6)},${lng.toFixed(6)}`;
  element.dataset.zoom = map.getZoom().toFixed(3);
  let sites = 0;
  for (const [kind, layers] of Object.entries(SYMBOL_LAYERS)) {
    const features = map.queryRenderedFeatures({ layers: layers.filter((layer) => map.getLayer(layer)) });
    const counts = new Map(features.map(({ properties }) => [properties.id, Number(properties.count ?? 1)]));
    element.dataset[kind] = String(counts.size);
    sites += [...counts.values()].reduce((sum, count) => sum + count, 0);
  }
  element.dataset.sites = String(sites);
  if (revision !== undefined) element.dataset.revision = String(revision);
  element.dataset.idle = "true";
}
