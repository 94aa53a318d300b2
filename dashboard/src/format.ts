// Numbers, distances, times and positions as people read them. Knows nothing of the page.
import { timestampDate, type Timestamp } from "@bufbuild/protobuf/wkt";
import type { Position } from "./position.js";

/** Radius of the mean sphere in metres, as the server measures with. */
const EARTH_RADIUS_M = 6_371_008.8;
const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

const whole = new Intl.NumberFormat("en");
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });
const all = new Intl.ListFormat("en-GB");
const timeOfDay = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });
const ago = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** A count with separators, such as "12,345". */
export function count(value: number | bigint): string {
  return whole.format(value);
}

/** A distance in metres as "80 m", "1.2 km" or "340 km". No line breaks between the number and its unit. */
export function distance(metres: number): string {
  if (metres < 1_000) return `${whole.format(Math.round(metres))}\u00a0m`;
  if (metres < 20_000) return `${tenths.format(metres / 1_000)}\u00a0km`;
  return `${whole.format(Math.round(metres / 1_000))}\u00a0km`;
}

/** A position as "64.14660° N, 21.94260° W": five decimals are about a metre. */
export function position({ lat, lng }: Position): string {
  return `${Math.abs(lat).toFixed(5)}° ${lat < 0 ? "S" : "N"}, ${Math.abs(lng).toFixed(5)}° ${lng < 0 ? "W" : "E"}`;
}

/** Things one after the other, as "one, two and three". */
export function list(things: string[]): string {
  return all.format(things);
}

/** A share in [0, 1] as "87 %", on one line. */
export function percent(share: number): string {
  return `${Math.round(share * 100)}\u00a0%`;
}

/** A moment as "23 Nov 2026, 14:05", in the reader's time zone. */
export function time(stamp: Timestamp): string {
  return moment.format(timestampDate(stamp));
}

/** A day as "23 Nov 2026". */
export function date(stamp: Timestamp): string {
  return day.format(timestampDate(stamp));
}

/** The time of day in a time zone at `now` (milliseconds since 1970), as "14:05"; empty for a zone that the browser lacks. */
export function clock(timeZone: string, now: number): string {
  try {
    return new Intl.DateTimeFormat("en-GB", { timeStyle: "short", timeZone }).format(now);
  } catch {
    return "";
  }
}

/** A moment (milliseconds since 1970) as the time of day here, "14:05". */
export function clockNow(at: number): string {
  return timeOfDay.format(at);
}

/** A moment seen from `now` (milliseconds since 1970) as "3 minutes ago". */
export function since(stamp: Timestamp, now: number): string {
  const seconds = (timestampDate(stamp).getTime() - now) / 1_000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return ago.format(Math.round(seconds / size), unit);
}

/** Great-circle distance between two positions in metres. */
export function metresBetween(a: Position, b: Position): number {
  const rad = Math.PI / 180;
  const lat = Math.sin(((b.lat - a.lat) * rad) / 2) ** 2;
  const lng = Math.sin(((b.lng - a.lng) * rad) / 2) ** 2;
  const half = lat + Math.cos(a.lat * rad) * Math.cos(b.lat * rad) * lng;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(half)));
}
