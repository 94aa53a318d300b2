// Boxes of the map in degrees: the one in view, and the larger one that is watched so that small moves ask nothing. And how small
// the one in view may become.
/** A box in degrees; it crosses the antimeridian where `west > east`. */
export interface Box {
  west: number;
  south: number;
  east: number;
  north: number;
}

/** All there is. */
export const WORLD: Box = { west: -180, south: -90, east: 180, north: 90 };
/** Farthest in that the map goes: a house fills the screen. */
export const ZOOM_MAX = 20;
/** What is watched beyond each edge of the view, as a share of the view. */
const MARGIN = 0.25;

const wrap = (lng: number): number => ((((lng + 180) % 360) + 360) % 360) - 180;
const width = ({ west, east }: Box): number => (east - west + 360) % 360 || 360;

/** A box of unwrapped longitudes, as a map without end has them, on the one world. */
export function wrapped({ west, south, east, north }: Box): Box {
  const lats = { south: Math.max(-90, south), north: Math.min(90, north) };
  return east - west >= 360 ? { west: -180, east: 180, ...lats } : { west: wrap(west), east: wrap(east), ...lats };
}

/** The box with a margin on each side. */
export function widened(box: Box): Box {
  const [across, up] = [width(box) * MARGIN, (box.north - box.south) * MARGIN];
  const west = box.west - across;
  return wrapped({ west, east: west + width(box) + 2 * across, south: box.south - up, north: box.north + up });
}

/** Whether all of `inner` is inside of `outer`. */
export function covers(outer: Box, inner: Box): boolean {
  if (inner.south < outer.south || inner.north > outer.north) return false;
  const offset = (inner.west - outer.west + 360) % 360;
  return width(outer) >= 360 || offset + width(inner) <= width(outer);
}
