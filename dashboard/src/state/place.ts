// The address of the page behind its `#`, which no server sees: where the map stands, the filter, what is listed, the open site
// and page. A new entry of the browser's history for each of these; moves of the map change the present one. Holds no token.
import type { Position } from "../position.js";

/** Pause in milliseconds between two changes of the present entry: browsers refuse too many. */
const REPLACE_PAUSE_MS = 300;
/** Decimals of a degree, about a metre, and of a zoom. */
const DEGREE_DECIMALS = 5;
const ZOOM_DECIMALS = 2;
const ZOOM_MAX = 22;

/** Where a map stands. */
export interface Stand extends Position {
  zoom: number;
}

export class Place {
  #account: string;
  #stand: Stand | undefined;
  #rest = new URLSearchParams();
  #replacing: ReturnType<typeof setTimeout> | undefined;

  constructor(account: string) {
    this.#account = account;
    this.read();
  }

  /** Where the map stands, as the address says. */
  get stand(): Stand | undefined {
    return this.#stand;
  }

  /** What the address says besides the map. */
  get rest(): URLSearchParams {
    return this.#rest;
  }

  /** Reads the address; what it says besides the map. An address of another account's says nothing. */
  read(): URLSearchParams {
    clearTimeout(this.#replacing);
    const read = new URLSearchParams(location.hash.slice(1));
    const ours = read.get("account") === this.#account;
    this.#rest = ours ? read : new URLSearchParams();
    this.#stand = ours ? standOf(read.get("map")) : undefined;
    this.#rest.delete("map");
    this.#rest.delete("account");
    return this.#rest;
  }

  /** The map came to rest elsewhere. */
  moved(stand: Stand): void {
    this.#stand = stand;
    clearTimeout(this.#replacing);
    this.#replacing = setTimeout(() => history.replaceState(null, "", this.#text()), REPLACE_PAUSE_MS);
  }

  /** What is shown besides the map is what the address says, in whatever words. */
  adopt(rest: URLSearchParams): void {
    this.#rest = rest;
  }

  /** Writes what is shown besides the map, as a new entry of the history where it differs; in the present one where it is no step. */
  show(rest: URLSearchParams, isStep: boolean): void {
    if (rest.toString() === this.#rest.toString()) return;
    clearTimeout(this.#replacing);
    history.replaceState(null, "", this.#text());
    this.#rest = rest;
    if (isStep) history.pushState(null, "", this.#text());
    else history.replaceState(null, "", this.#text());
  }

  stop(): void {
    clearTimeout(this.#replacing);
  }

  #text(): string {
    const all = new URLSearchParams({ account: this.#account });
    if (this.#stand) {
      const { lat, lng, zoom } = this.#stand;
      all.set("map", [zoom.toFixed(ZOOM_DECIMALS), lat.toFixed(DEGREE_DECIMALS), lng.toFixed(DEGREE_DECIMALS)].join("/"));
    }
    for (const [key, value] of this.#rest) all.append(key, value);
    return `#${all.toString().replaceAll("%2F", "/").replaceAll("%2C", ",")}`;
  }
}

/** `zoom/lat/lng`, as far as it is one. */
function standOf(text: string | null): Stand | undefined {
  const [zoom, lat, lng] = (text ?? "").split("/").map((part) => (part.trim() ? Number(part) : NaN));
  if (zoom === undefined || lat === undefined || lng === undefined) return undefined;
  const sound = zoom >= 0 && zoom <= ZOOM_MAX && Math.abs(lat) <= 90 && Math.abs(lng) <= 180;
  return sound ? { zoom, lat, lng } : undefined;
}
