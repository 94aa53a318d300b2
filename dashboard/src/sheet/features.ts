// Features of a GeoJSON file: one FeatureCollection, a feature alone, or a feature a line.
import { importing as words } from "../admin_strings.js";

/** A feature, as far as it is looked at; nothing of it is believed. */
export interface Feature {
  type?: unknown;
  geometry?: { type?: unknown; coordinates?: unknown } | null;
  properties?: Record<string, unknown> | null;
}

/** What stands before each text of a sequence (RFC 8142). */
const RECORD_SEPARATOR = "\u001e";

/** The features of a text. An error is one of the file. */
export function featuresIn(text: string): unknown[] {
  const whole = parsed(text);
  if (whole !== undefined) return collected(whole);
  return text
    .split("\n")
    .map((line) => line.replace(RECORD_SEPARATOR, "").trim())
    .filter(Boolean)
    .flatMap((line, at) => {
      const feature = parsed(line);
      if (feature === undefined) throw new Error(words.noFeature(at + 1));
      return collected(feature);
    });
}

/** Longitude and latitude of a feature's point; absent where it is none. A third number is an altitude. */
export function pointOf({ geometry }: Feature): [number, number] | undefined {
  const coordinates: unknown[] = Array.isArray(geometry?.coordinates) ? geometry.coordinates : [];
  const [lng, lat] = coordinates;
  const isPoint = geometry?.type === "Point" && (coordinates.length === 2 || coordinates.length === 3);
  return isPoint && typeof lng === "number" && typeof lat === "number" ? [lng, lat] : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function collected(value: unknown): unknown[] {
  const { features } = Object(value) as { features?: unknown };
  return Array.isArray(features) ? features : [value];
}
