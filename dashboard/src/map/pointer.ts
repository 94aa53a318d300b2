// What the pointer is on, and what it clicks.
import type { Map as MapLibre, Point } from "maplibre-gl";
import type { Position } from "../position.js";
import { type Picked, pick } from "./pick.js";

export interface PointerEvents {
  /** A symbol was clicked. */
  onPick: (picked: Picked) => void;
  /** The pointer is on a site's own symbol; empty when it left. */
  onHover: (siteId: string) => void;
  /** The map was clicked where no symbol is, or while a pin is being placed. */
  onClick: (position: Position) => void;
}

export class Pointer {
  readonly #map: MapLibre;
  readonly #events: PointerEvents;
  readonly #isPlacing: () => boolean;
  /** Where it went while the map moved; absent where it was not, or has left. */
  #missed: Point | undefined;

  /** While `isPlacing` says so it is on no symbol, and clicks none. */
  constructor(map: MapLibre, events: PointerEvents, isPlacing: () => boolean) {
    this.#map = map;
    this.#events = events;
    this.#isPlacing = isPlacing;
    map.on("mousemove", ({ point }) => this.#hover(point));
    map.on("moveend", () => this.#missed && this.#hover(this.#missed));
    map.on("mouseout", () => {
      this.#missed = undefined;
      events.onHover("");
    });
    map.on("click", ({ point, lngLat }) => {
      const picked = this.#picked(point);
      if (picked) return events.onPick(picked);
      const { lat, lng } = lngLat.wrap();
      events.onClick({ lat, lng });
    });
  }

  /** Looks once the map stands: a map that is dragged takes what the pointer is on along, and each frame of it counts. */
  #hover(point: Point): void {
    this.#missed = this.#map.isMoving() ? point : undefined;
    if (this.#missed) return;
    const picked = this.#picked(point);
    this.#map.getCanvas().classList.toggle("is-pointing", picked !== undefined);
    this.#events.onHover(picked?.kind === "site" ? picked.id : "");
  }

  #picked(point: Point): Picked | undefined {
    return this.#isPlacing() ? undefined : pick(this.#map, point);
  }
}
