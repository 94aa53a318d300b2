// The pictures that the map holds: each is drawn when the map first asks for it, and those drawn longest ago are let go of when there are
// many. A map that stands all day meets ever new mixes of statuses, and MapLibre by itself lets go of none. Knows no picture.
import type { Map as MapLibre } from "maplibre-gl";

/** Pictures that stay when the old ones go: about as many as a screen shows. One takes 40 to 120 kB, for MapLibre keeps it twice. */
export const PICTURES_KEPT = 256;
/** As many may come until old ones go again. */
export const PICTURES_MORE = 256;

type Shelving = Pick<MapLibre, "setMissingStyleImageResolver" | "hasImage" | "addImage" | "removeImage" | "on">;

export class IconShelf {
  readonly #map: Shelving;
  /** What was put on the map, the longest there first. */
  readonly #names = new Set<string>();
  #most = PICTURES_KEPT + PICTURES_MORE;
  #swept = false;

  /** `draw` gives the picture of a name, of so many pixels for each of the screen's; nothing for a name that it does not know. */
  constructor(map: Shelving, draw: (name: string) => ImageData | undefined, pixelRatio: number) {
    this.#map = map;
    map.setMissingStyleImageResolver((name) => {
      const image = draw(name);
      if (!image || map.hasImage(name)) return;
      map.addImage(name, image, { pixelRatio });
      this.#names.delete(name);
      this.#names.add(name);
    });
    // Not before: what is being drawn counts on the pictures that there are.
    map.on("idle", () => this.#sweep());
  }

  /** Lets go of old ones. What is on the screen of them is asked for again at once, and by then is new. */
  #sweep(): void {
    // A new style begins with none.
    for (const name of this.#names) if (!this.#map.hasImage(name)) this.#names.delete(name);
    // What came back behind a sweep is in use: a screen that shows more than are kept does not draw them anew at each rest.
    if (this.#swept) this.#most = this.#names.size + PICTURES_MORE;
    this.#swept = this.#names.size > this.#most;
    if (!this.#swept) return;
    for (const name of [...this.#names].slice(0, -PICTURES_KEPT)) {
      this.#map.removeImage(name);
      this.#names.delete(name);
    }
  }
}
