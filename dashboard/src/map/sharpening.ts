// Draws the map with fewer pixels while it moves, where frames are slow, and with all of them when it has come to rest:
// measures frames, and does what sharpness.ts decides. Where frames are fast it measures, and nothing else happens.
import type { Map as MapLibre } from "maplibre-gl";
import { Sharpness } from "./sharpness.js";

/** What is kept for the session of this tab, so that the first move behind a reload is as smooth as the last one before. */
const MEMORY_KEY = "waymark.sharpness";
/** Milliseconds for which a map rests, with all that it draws there, before it is drawn sharp: the next turn of a wheel comes sooner. */
const REST_MS = 300;
/** The same where something does not come. */
const REST_MS_MAX = 1_500;
/** Names of what draws in software. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

export class Sharpening {
  readonly #map: MapLibre;
  readonly #sharpness: Sharpness;
  /** Pixels of the canvas for each of the screen's, along a side, while they are fewer than the screen has. */
  #ratio: number | undefined;
  #moving = false;
  /** Pictures that were drawn since the canvas has this size. */
  #drawn = 0;
  /** Whether one was drawn since the last look, and when that was, in the time of animation frames; 0 for never. */
  #drew = false;
  #lookedAt = 0;
  /** The next look. */
  #frame = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether the timer runs already that is the last one. */
  #resting = false;

  constructor(map: MapLibre) {
    this.#map = map;
    this.#sharpness = new Sharpness(sessionStorage.getItem(MEMORY_KEY), isSoftware(map));
    this.#tell();
    map.on("movestart", () => this.#stay());
    map.on("move", () => this.#move());
    map.on("moveend", () => this.#rest());
    map.on("render", () => {
      this.#drew = true;
      this.#drawn += 1;
    });
    map.on("idle", () => this.#settle());
    document.addEventListener("visibilitychange", this.#onVisible);
  }

  /** Whether the map is drawn with all pixels. */
  get isSharp(): boolean {
    return this.#ratio === undefined;
  }

  destroy(): void {
    this.#moving = false;
    this.#stay();
    document.removeEventListener("visibilitychange", this.#onVisible);
  }

  /** A frame moves the map, and is about to be drawn: the one moment at which another size is not seen as an empty canvas. */
  #move(): void {
    // What is put elsewhere at once, or has another size, does not move.
    if (!this.#map.isMoving()) return;
    this.#stay();
    if (!this.#moving) this.#begin();
    const { ratio } = this.#sharpness;
    if (ratio !== (this.#ratio ?? devicePixelRatio)) this.#size(ratio < devicePixelRatio ? ratio : undefined);
  }

  #begin(): void {
    this.#moving = true;
    [this.#drew, this.#lookedAt] = [false, 0];
    this.#sharpness.begin(devicePixelRatio);
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(this.#look);
  }

  /**
   * Times frames: each that was drawn, from one frame of the page to the next. Not from picture to picture, for a pointer that
   * stands still asks for none.
   */
  #look = (at: number): void => {
    if (!this.#moving) return;
    if (this.#drew && this.#lookedAt > 0) this.#sharpness.frame(at - this.#lookedAt);
    [this.#drew, this.#lookedAt] = [false, at];
    this.#frame = requestAnimationFrame(this.#look);
  };

  #rest(): void {
    if (this.#map.isMoving()) return;
    if (this.#moving) {
      this.#moving = false;
      this.#sharpness.end();
      sessionStorage.setItem(MEMORY_KEY, this.#sharpness.memory);
    }
    if (this.isSharp) return;
    // A move of a single step, as for those who want less motion: it is drawn once, and sharp.
    if (this.#drawn === 0) {
      this.#size(undefined);
      this.#map.triggerRepaint();
      return;
    }
    this.#stay();
    this.#timer = setTimeout(this.#sharpen, REST_MS_MAX);
  }

  /** All is drawn that there is to draw, and nothing moves. */
  #settle(): void {
    if (this.#moving) this.#rest();
    if (this.isSharp || this.#resting) return;
    this.#stay();
    this.#resting = true;
    this.#timer = setTimeout(this.#sharpen, REST_MS);
  }

  /** The map is not drawn sharp for now. */
  #stay(): void {
    clearTimeout(this.#timer);
    this.#resting = false;
  }

  #sharpen = (): void => {
    this.#resting = false;
    // What nobody sees is drawn when it is seen again.
    if (this.isSharp || this.#map.isMoving() || document.visibilityState === "hidden") return;
    this.#size(undefined);
    // At once: a canvas of another size is empty.
    this.#map.redraw();
  };

  /** The time for which nobody saw the page is that of no frame. */
  #onVisible = (): void => {
    this.#lookedAt = 0;
    if (document.visibilityState === "visible" && !this.#map.isMoving()) this.#settle();
  };

  /**
   * Gives the canvas so many pixels; all for none. Does what `setPixelRatio` does but for the events of a move that was none,
   * and for ending the drag in whose midst it is called.
   */
  #size(ratio: number | undefined): void {
    this.#ratio = ratio;
    this.#drawn = 0;
    this.#map._overridePixelRatio = ratio ?? null;
    this.#map._resizeInternal();
    this.#tell();
  }

  /** For tests, measurements and the curious. */
  #tell(): void {
    this.#map.getContainer().dataset.pixelRatio = String(this.#ratio ?? devicePixelRatio);
  }
}

/** Whether the browser says that it draws without a GPU. One that does not say so is learnt by its frames. */
function isSoftware(map: MapLibre): boolean {
  const gl = map.getCanvas().getContext("webgl2");
  const naming = gl?.getExtension("WEBGL_debug_renderer_info");
  return naming ? SOFTWARE.test(String(gl?.getParameter(naming.UNMASKED_RENDERER_WEBGL))) : false;
}
