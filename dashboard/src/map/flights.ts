// The map's flights: each ends where it goes, whatever size the map gets on its way. MapLibre keeps to the middle of the size that
// it began in, so that it would end beside that by half of what the map grew or shrank.
import type { Map as MapLibre } from "maplibre-gl";

export class Flights {
  readonly #map: MapLibre;
  /** What begins the flight that is beginning now; absent while anybody else moves the map. */
  #beginning: (() => void) | undefined;
  /** What begins the flight that is under way, and the size of the map that it goes by. */
  #flight: { begin: () => void; size: string } | undefined;

  constructor(map: MapLibre) {
    this.#map = map;
    // A move that somebody else begins is theirs, and nothing takes it back.
    map.on("movestart", () => (this.#flight = this.#beginning && { begin: this.#beginning, size: this.#size() }));
    map.on("moveend", () => (this.#flight = undefined));
    map.on("resize", () => this.#resized());
  }

  /** Flies: `begin` tells MapLibre where to, by the size that the map has when it is called. It is called again for another size. */
  go(begin: () => void): void {
    this.#beginning = begin;
    try {
      begin();
    } finally {
      this.#beginning = undefined;
    }
  }

  /** MapLibre says so of each look at the size, also where it is what it was. */
  #resized(): void {
    const flight = this.#flight;
    if (flight && flight.size !== this.#size()) this.go(flight.begin);
  }

  /** The size that MapLibre reckons with, which may be behind that of its element. Nothing public tells it: an update of MapLibre may move it. */
  #size(): string {
    const { width, height } = this.#map._camera.transform;
    return `${width}x${height}`;
  }
}
