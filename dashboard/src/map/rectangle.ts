// A rectangle that is drawn on the map with the pointer: by a drag while it is asked for, or with the Shift key at any time.
import type { Map as MapLibre, MapMouseEvent, Point } from "maplibre-gl";
import { type Box, wrapped } from "./view_box.js";

/** A drag shorter than this is a click, in pixels. */
const DRAG_PX_MIN = 5;

export class Rectangle {
  readonly #map: MapLibre;
  readonly #onDrawn: (box: Box) => void;
  readonly #shape = document.createElement("div");
  #armed = false;
  #from: Point | undefined;

  /** `onDrawn` gets what was drawn. */
  constructor(map: MapLibre, onDrawn: (box: Box) => void) {
    this.#map = map;
    this.#onDrawn = onDrawn;
    this.#shape.className = "drawn-rectangle";
    this.#shape.hidden = true;
    map.getCanvasContainer().append(this.#shape);
    // Its own box would zoom.
    map.boxZoom.disable();
    map.on("mousedown", (event) => this.#begin(event));
    map.on("mousemove", (event) => this.#go(event));
    map.on("mouseup", (event) => this.#end(event));
    // A button that is let go elsewhere ends it as well.
    window.addEventListener("mouseup", this.#drop);
    window.addEventListener("keydown", this.#onKey);
  }

  /** Whether drags draw a rectangle, rather than move the map. */
  arm(armed: boolean): void {
    this.#armed = armed;
    this.#map.getCanvas().classList.toggle("is-framing", armed);
    if (armed) this.#map.dragPan.disable();
    else if (!this.#from) this.#map.dragPan.enable();
  }

  destroy(): void {
    window.removeEventListener("mouseup", this.#drop);
    window.removeEventListener("keydown", this.#onKey);
  }

  #begin({ originalEvent, point }: MapMouseEvent): void {
    if (originalEvent.button !== 0 || !(this.#armed || originalEvent.shiftKey)) return;
    this.#map.dragPan.disable();
    this.#from = point;
  }

  #go({ point }: MapMouseEvent): void {
    if (!this.#from) return;
    const { x, y } = this.#from;
    const { style } = this.#shape;
    style.transform = `translate(${Math.min(x, point.x)}px, ${Math.min(y, point.y)}px)`;
    style.width = `${Math.abs(x - point.x)}px`;
    style.height = `${Math.abs(y - point.y)}px`;
    this.#shape.hidden = false;
  }

  #end({ point }: MapMouseEvent): void {
    const from = this.#from;
    this.#drop();
    if (!from || Math.hypot(from.x - point.x, from.y - point.y) < DRAG_PX_MIN) return;
    const [one, other] = [this.#map.unproject(from), this.#map.unproject(point)];
    const [west, east] = [Math.min(one.lng, other.lng), Math.max(one.lng, other.lng)];
    this.#onDrawn(wrapped({ west, east, south: Math.min(one.lat, other.lat), north: Math.max(one.lat, other.lat) }));
  }

  #drop = (): void => {
    if (!this.#from) return;
    this.#from = undefined;
    this.#shape.hidden = true;
    if (!this.#armed) this.#map.dragPan.enable();
  };

  #onKey = (event: KeyboardEvent): void => {
    if (event.key === "Escape") this.#drop();
  };
}
