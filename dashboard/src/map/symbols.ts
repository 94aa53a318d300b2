// The symbols of a view as the map draws them: what a watch told so far, each as a feature with the properties that
// vector tiles have too. Knows nothing of MapLibre.
import type { Feature, FeatureCollection } from "geojson";
import { FixSource, Granularity } from "../gen/waymark/v1/location_pb.js";
import type { Area, Cluster, SiteSummary, SiteTally } from "../gen/waymark/v1/map_pb.js";
import { SiteStatus } from "../gen/waymark/v1/site_pb.js";
import { type MapChanges, WatchMark } from "../gen/waymark/v1/watch_pb.js";
import type { Position } from "../position.js";
import { setAside } from "./asides.js";
import type { StatusKey } from "./palette.js";

const STATUS_KEYS: Record<SiteStatus, StatusKey> = {
  [SiteStatus.UNSPECIFIED]: "unknown",
  [SiteStatus.UNKNOWN]: "unknown",
  [SiteStatus.ONLINE]: "online",
  [SiteStatus.OFFLINE]: "offline",
  [SiteStatus.MAINTENANCE]: "maintenance",
};

/** How much narrower a parallel is than the equator, at least: Mercator stretches a disc by so much, without end at a pole. */
const NARROWING_MIN = 0.05;

/** All symbols of one answer. Each change makes a new one. */
export interface Drawn {
  revision: bigint;
  collection: FeatureCollection;
}

export class SymbolSet {
  #features = new Map<string, Feature>();

  /** Takes a message of a watch of `zoom` in; `fresh` for the first of a view, which tells all there is. Nothing if none changed. */
  take(changes: MapChanges, fresh: boolean, zoom: number): Drawn | undefined {
    const { revision, changed, removedIds, mark } = changes;
    if (fresh) this.#features.clear();
    else if (mark === WatchMark.PROGRESS) return undefined;
    for (const id of removedIds) this.#features.delete(id);
    for (const pin of changed?.pins ?? []) this.#put(pinFeature(pin));
    for (const cluster of changed?.clusters ?? []) this.#put(clusterFeature(cluster));
    for (const area of changed?.areas ?? []) this.#put(areaFeature(area));
    const features = setAside([...this.#features.values()], zoom);
    return { revision, collection: { type: "FeatureCollection", features } };
  }

  /** Where the site's own symbol is; absent where it has none in view. */
  positionOf(site: string): Position | undefined {
    const geometry = this.#features.get(pinId(site))?.geometry;
    if (geometry?.type !== "Point") return undefined;
    const [lng, lat] = geometry.coordinates as [number, number];
    return { lat, lng };
  }

  #put(feature: Feature | undefined): void {
    if (feature) this.#features.set(String(feature.id), feature);
  }
}

/** The id of a site's pin, as the watch names it when it vanishes. */
function pinId(site: string): string {
  return `p-${site.split("/").at(-1)}`;
}

function feature(id: string, position: Position | undefined, properties: object): Feature | undefined {
  if (!position) return undefined;
  const { lat, lng } = position;
  return { type: "Feature", id, properties, geometry: { type: "Point", coordinates: [lng, lat] } };
}

function pinFeature({ name, displayName, status, source, position }: SiteSummary): Feature | undefined {
  const confirmed = source === FixSource.ADDRESS || source === FixSource.PIN;
  const properties = { kind: "pins", id: name, name: displayName, status: STATUS_KEYS[status], confirmed };
  return feature(pinId(name), position, properties);
}

function clusterFeature({ id, tally, position, stack, expansionZoom }: Cluster): Feature | undefined {
  const zoom = expansionZoom === undefined ? {} : { expansion_zoom: expansionZoom };
  return feature(id, position, { kind: "clusters", id, ...counts(tally), stack, ...zoom });
}

function areaFeature({ id, tally, position, radiusM, extentM, granularity, site }: Area): Feature | undefined {
  const radius = radiusM === undefined ? {} : { radius_m: radiusM };
  const narrowing = Math.max(NARROWING_MIN, Math.cos(((position?.lat ?? 0) * Math.PI) / 180));
  // Of what is known to a country or a region alone, no shape says "here".
  const vague = granularity === Granularity.COUNTRY || granularity === Granularity.REGION;
  const alone = site ? { site: site.name, name: site.displayName, vague } : {};
  return feature(id, position, { kind: "areas", id, ...counts(tally), extent_m: extentM, narrowing, ...radius, ...alone });
}

function counts(tally: SiteTally | undefined): object {
  const { total = 0n, online = 0n, offline = 0n, unknown = 0n, maintenance = 0n } = tally ?? {};
  const [count, up, down, unsure, worked] = [total, online, offline, unknown, maintenance].map(Number);
  return { count, online: up, offline: down, unknown: unsure, maintenance: worked };
}
