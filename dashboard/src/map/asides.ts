// Where the marks of areas stand: in the middle, or beside what stands there. An area says "somewhere around here", so its
// count may move; its disc does not, and no shape of a single site. Knows nothing of MapLibre.
import type { Feature } from "geojson";

/** Pixels around the world at zoom 0, and the latitude at which Mercator's map ends. */
const WORLD_PX = 512;
const LAT_MAX = 85.0511;
/** Pixels between the middles of two marks from which they are apart, and by which a mark is moved. */
const APART_PX = 46;
const ASIDE_PX = 56;

/** Offsets of a mark in pixels, east and south, by the number that its feature has as `aside`: the middle, then below it and round. */
export const ASIDES: [number, number][] = [[0, 0], ...[2, 6, 0, 4, 1, 3, 5, 7].map(eighth)];

function eighth(turn: number): [number, number] {
  const angle = (turn * Math.PI) / 4;
  return [Math.round(ASIDE_PX * Math.cos(angle)), Math.round(ASIDE_PX * Math.sin(angle))];
}

/** The features, each area of several sites with the first place for its mark at `zoom` where no other one is, or the roomiest of all. */
export function setAside(features: Feature[], zoom: number): Feature[] {
  const marks = new Marks();
  const areas = features.filter(isCount);
  if (areas.length === 0) return features;
  for (const feature of features) {
    if (!isCount(feature)) marks.add(pixel(feature, zoom));
  }
  const asides = new Map<Feature, number>();
  // The greatest first, so that it is moved least.
  for (const area of areas.sort(greater)) {
    const [x, y] = pixel(area, zoom);
    const places = ASIDES.map(([east, south]): [number, number] => [x + east, y + south]);
    const rooms = places.map((place) => marks.room(place));
    const best = rooms.indexOf(Math.max(...rooms));
    marks.add(places[best] ?? [x, y]);
    if (best > 0) asides.set(area, best);
  }
  return features.map((feature) => {
    const aside = asides.get(feature);
    return aside === undefined ? feature : { ...feature, properties: { ...feature.properties, aside } };
  });
}

function isCount({ properties }: Feature): boolean {
  return properties?.kind === "areas" && properties.count > 1;
}

function greater(one: Feature, other: Feature): number {
  const [a, b] = [one, other].map(({ properties }) => Number(properties?.count ?? 0)) as [number, number];
  return b - a || (String(one.id) < String(other.id) ? -1 : 1);
}

/** Where a feature is on the map of the world, in pixels. */
function pixel({ geometry }: Feature, zoom: number): [number, number] {
  const [lng, lat] = (geometry.type === "Point" ? geometry.coordinates : [0, 0]) as [number, number];
  const side = WORLD_PX * 2 ** zoom;
  const bounded = (Math.max(-LAT_MAX, Math.min(LAT_MAX, lat)) * Math.PI) / 180;
  return [((lng + 180) / 360) * side, (0.5 - Math.asinh(Math.tan(bounded)) / (2 * Math.PI)) * side];
}

/** Marks by squares, so that few are looked at for a place. */
class Marks {
  #squares = new Map<string, [number, number][]>();

  add(mark: [number, number]): void {
    const key = this.#key(mark);
    this.#squares.set(key, [...(this.#squares.get(key) ?? []), mark]);
  }

  /** Pixels to the nearest mark; from where marks are apart, however far it is. */
  room([x, y]: [number, number]): number {
    const steps = [-APART_PX, 0, APART_PX];
    const near = steps.flatMap((east) => steps.flatMap((south) => this.#squares.get(this.#key([x + east, y + south])) ?? []));
    return Math.min(APART_PX, ...near.map(([left, top]) => Math.hypot(left - x, top - y)));
  }

  #key([x, y]: [number, number]): string {
    return `${Math.floor(x / APART_PX)},${Math.floor(y / APART_PX)}`;
  }
}
