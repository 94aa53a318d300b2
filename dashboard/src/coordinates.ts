// Coordinates as people write and copy them: "64.1466, -21.9426", or as the page itself writes them. Knows nothing of the page.
import type { Position } from "./position.js";

const LAT_MAX = 90;
const LNG_MAX = 180;
/** Decimal degrees, latitude first: with a sign, or with a letter behind. */
const DEGREES = String.raw`([+-]?\d{1,3}(?:\.\d+)?)\s*°?`;
const PAIR = new RegExp(String.raw`^${DEGREES}\s*([NS])?\s*[,;\s]\s*${DEGREES}\s*([EW])?$`, "i");

/** The position that a text says; absent where it says none. */
export function positionOf(text: string): Position | undefined {
  const [, north = "", northSouth = "", east = "", eastWest = ""] = PAIR.exec(text.trim().replaceAll("−", "-")) ?? [];
  const [lat, lng] = [signed(north, northSouth, "S"), signed(east, eastWest, "W")];
  const isOnEarth = Math.abs(lat) <= LAT_MAX && Math.abs(lng) <= LNG_MAX;
  return isOnEarth ? { lat, lng } : undefined;
}

/** A number of degrees. A sign and a letter at once are none. */
function signed(degrees: string, letter: string, negative: string): number {
  if (degrees === "" || (letter !== "" && /^[+-]/.test(degrees))) return NaN;
  return letter.toUpperCase() === negative ? -Number(degrees) : Number(degrees);
}
