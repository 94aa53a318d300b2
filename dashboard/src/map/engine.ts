// The map itself: MapLibre with the sites' symbols, and the few wishes and events that the page has with it. Everything
// that knows MapLibre is loaded with this file, after the page stands. Knows nothing of Svelte or of gRPC.
import "maplibre-gl/dist/maplibre-gl.css";
import type { FeatureCollection } from "geojson";
import { addProtocol, AJAXError, type GeoJSONSource, Map as MapLibre, ScaleControl, setWorkerUrl, type StyleSpecification } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import type { Position } from "../position.js";
import { FINE_FROM_ZOOM, OUTLINES, outlinesUrl } from "./base_layers.js";
import { Flights } from "./flights.js";
import { type Chosen, type Focus, FOCUS, focusData, SELECTION, selectionData } from "./focus_layers.js";
import { IconShelf } from "./icon_shelf.js";
import { drawIcon, PIXEL_RATIO } from "./icons.js";
import { type CandidateMark, type MarkerEvents, Markers } from "./markers.js";
import type { OwnBase } from "./own_base.js";
import type { Scheme } from "./palette.js";
import { Pointer, type PointerEvents } from "./pointer.js";
import { Rectangle } from "./rectangle.js";
import { report } from "./report.js";
import { Sharpening } from "./sharpening.js";
import { SITES } from "./site_layers.js";
import { type Shown, styleOf } from "./style.js";
import type { Drawn } from "./symbols.js";
import { type Box, WORLD, wrapped, ZOOM_MAX } from "./view_box.js";

/** Farthest out: the world fills a phone. */
const ZOOM_MIN = 0;
/** How long a flight takes, in milliseconds: long enough to see where it goes. */
const FLIGHT_MS = 1_400;
/** Room between a symbol that was clicked and the edge of the map, in pixels; with less the map comes along. */
const EDGE_PX = 60;
/** Where the map begins: most of the land in the middle. */
const START_CENTER: [number, number] = [10, 28];
/** Width of a map in pixels on which the world is seen whole at zoom 0. */
const WORLD_WIDTH_PX = 480;
/** Farthest in that the map begins, however wide it is. */
const START_ZOOM_MAX = 2;

/** Pause in milliseconds between two words of where a moving map is. */
const LOOK_PAUSE_MS = 120;
/** Room around what the map is fitted to, in pixels, */
const FIT_PADDING_PX = 70;
/** and the farthest in that it goes for it: sites on one spot have no extent. */
const FIT_ZOOM_MAX = 14;
/** A globe that is seen whole has no box; farther in than this zoom it fills the screen. */
const GLOBE_WHOLE_ZOOM = 3;
/** Where a globe fills a map of usual size. */
const GLOBE_ZOOM = 2;

/** Where the map stands. */
export interface Stand extends Position {
  zoom: number;
}

export interface EngineEvents extends MarkerEvents, PointerEvents {
  /** The map shows this, at rest or on its way. */
  onLook: (view: Box, zoom: number) => void;
  /** The map came to rest on this view. */
  onView: (view: Box, stand: Stand) => void;
  /** A rectangle was drawn. Without it none can be. */
  onRectangle?: (box: Box) => void;
  /** The operator's base map asks for this to be named, in HTML. */
  onCredits?: (credits: string[]) => void;
}

export interface EngineOptions {
  container: HTMLElement;
  scheme: Scheme;
  globe: boolean;
  /** Where to begin; absent for the whole world. */
  stand?: Stand | undefined;
  /** What is drawn below the sites; absent for the page's own base map. */
  base?: OwnBase | undefined;
  /** Whether no site is ever in hand or selected here, as on a wallboard: then nothing is drawn for that. */
  still?: boolean;
  /** The servers of the operator's base map, for the address of the map's worker, though it may come later; absent for none. */
  reaches?: string | undefined;
  events: EngineEvents;
}

export class Engine {
  readonly #map: MapLibre;
  readonly #flights: Flights;
  readonly #markers: Markers;
  readonly #sharpening: Sharpening;
  readonly #rectangle: Rectangle | undefined;
  readonly #options: EngineOptions;
  #scheme: Scheme;
  #base: OwnBase | undefined;
  #detail: "coarse" | "fine" = "coarse";
  #globe: boolean;
  #drawn: Drawn | undefined;
  /** What the style was made with that was set last, and whether it is loaded: one that is not takes nothing. */
  #styled: { shown: Shown; detail: string } | undefined;
  #isStyled = false;
  #focus: Focus = {};
  #chosen: Chosen[] = [];
  #placing = false;
  /** Whether the keys go to the unsaved pin once it is drawn. */
  #aiming = false;
  #lookedAt = 0;
  /** Whether a part of the map did not come for want of a connection. */
  #lacking = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#scheme = options.scheme;
    this.#globe = options.globe;
    setWorkerUrl(workerAddress(options.reaches));
    if (options.base) this.#take(options.base);
    this.#map = new MapLibre({
      container: options.container,
      style: this.#style(),
      ...this.#begin(),
      minZoom: ZOOM_MIN,
      maxZoom: ZOOM_MAX,
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      fadeDuration: 0,
    });
    this.#map.touchZoomRotate.disableRotation();
    this.#map.keyboard.disableRotation();
    this.#map.addControl(new ScaleControl({ maxWidth: 110 }), "bottom-left");
    this.#flights = new Flights(this.#map);
    new IconShelf(this.#map, drawIcon, PIXEL_RATIO);
    this.#markers = new Markers(this.#map, options.events, (position) => this.#keep(position));
    this.#sharpening = new Sharpening(this.#map);
    new Pointer(this.#map, options.events, () => this.#placing);
    const { onRectangle } = options.events;
    this.#rectangle = onRectangle && new Rectangle(this.#map, onRectangle);
    this.#listen();
  }

  /** Draws these symbols in place of those before. */
  draw(drawn: Drawn): void {
    this.#drawn = drawn;
    this.#put(SITES, drawn.collection);
  }

  #put(source: string, data: FeatureCollection | string): void {
    void this.#map.getSource<GeoJSONSource>(source)?.setData(data);
  }

  recolor(scheme: Scheme): void {
    if (scheme === this.#scheme) return;
    this.#scheme = scheme;
    this.#restyle();
  }

  /** Draws a base map that came late below the sites, in the place of what is there. */
  rebase(base: OwnBase): void {
    this.#take(base);
    this.#restyle();
  }

  #take(base: OwnBase): void {
    this.#base = base;
    addProtocol(base.protocol, ({ url, type }, { signal }) => base.answer(url, type === "json", signal));
  }

  #restyle(): void {
    this.#map.setStyle(this.#style(), { diff: false });
  }

  /** Shows the world as a globe, or flat. */
  roundOff(globe: boolean): void {
    if (globe === this.#globe) return;
    this.#globe = globe;
    if (this.#isStyled) this.#map.setProjection({ type: globe ? "globe" : "mercator" });
    if (globe && this.#map.getZoom() < GLOBE_ZOOM) this.#map.easeTo({ zoom: GLOBE_ZOOM, ...this.#pace(), duration: 400 });
    this.#look();
  }

  focus(focus: Focus): void {
    this.#focus = focus;
    this.#put(FOCUS, focusData(focus));
  }

  /** Rings these sites, and no others. */
  select(chosen: Chosen[]): void {
    if (chosen.length === 0 && this.#chosen.length === 0) return;
    this.#chosen = chosen;
    this.#put(SELECTION, selectionData(chosen));
  }

  candidates(marks: CandidateMark[]): void {
    this.#markers.candidates(marks);
    if (marks.length === 0) return;
    const lats = marks.map((mark) => mark.position.lat);
    const lngs = marks.map((mark) => mark.position.lng);
    const box: [number, number, number, number] = [
      Math.min(...lngs),
      Math.min(...lats),
      Math.max(...lngs),
      Math.max(...lats),
    ];
    this.#map.resize();
    this.#flights.go(() => this.#map.fitBounds(box, { padding: 90, maxZoom: 14, ...this.#pace() }));
  }

  highlightCandidate(index: number): void {
    this.#markers.highlight(index);
  }

  /** Whether clicks place a pin, and where the unsaved one is. */
  place(placing: boolean, draft: Position | undefined): void {
    this.#placing = placing;
    this.#map.getCanvas().classList.toggle("is-placing", placing);
    this.#markers.draft(draft);
    if (!draft || !this.#aiming) return;
    this.#aiming = false;
    this.#markers.focusDraft();
  }

  /** Puts the pin that is being placed at the middle of the map, and the keys on it. */
  aim(): void {
    if (!this.#placing) return;
    this.#aiming = true;
    const { lat, lng } = this.#map.getCenter().wrap();
    this.#options.events.onClick({ lat, lng });
  }

  /** Whether drags draw a rectangle, rather than move the map. */
  frame(framing: boolean): void {
    this.#rectangle?.arm(framing);
  }

  /** Flies to a position at a zoom. */
  fly({ lat, lng }: Position, zoom: number): void {
    this.#flights.go(() => this.#map.flyTo({ center: [lng, lat], zoom: Math.min(zoom, ZOOM_MAX), ...this.#pace() }));
  }

  /** Flies to a position, and comes closer where the map is farther out than `least`. */
  visit(position: Position, least: number): void {
    this.#map.resize();
    this.fly(position, Math.max(this.#map.getZoom(), least));
  }

  /** Moves the map only as far as a position near its edge, or beyond it, needs. */
  reveal(position: Position): void {
    this.#map.resize();
    this.#keep(position);
  }

  #keep({ lat, lng }: Position): void {
    const { x, y } = this.#map.project([lng, lat]);
    const { clientWidth, clientHeight } = this.#options.container;
    const seen = x > EDGE_PX && y > EDGE_PX && x < clientWidth - EDGE_PX && y < clientHeight - EDGE_PX;
    if (!seen) this.#flights.go(() => this.#map.easeTo({ center: [lng, lat], ...this.#pace(), duration: 400 }));
  }

  /** Flies to where all of a box is in view. */
  fit({ west, south, east, north }: Box): void {
    const bounds: [number, number, number, number] = [west, south, west > east ? east + 360 : east, north];
    this.#map.resize();
    this.#flights.go(() => this.#map.fitBounds(bounds, { padding: FIT_PADDING_PX, maxZoom: FIT_ZOOM_MAX, ...this.#pace() }));
  }

  /** Goes back to where the map stood once, at once. */
  jump(stand: Stand | undefined): void {
    this.#map.jumpTo(stand ? { center: [stand.lng, stand.lat], zoom: stand.zoom } : this.#start());
  }

  zoomBy(levels: number): void {
    this.#map.easeTo({ zoom: this.#map.getZoom() + levels, ...this.#pace(), duration: 250 });
  }

  home(): void {
    this.#flights.go(() => this.#map.flyTo({ ...this.#start(), ...this.#pace() }));
  }

  destroy(): void {
    window.removeEventListener("online", this.#onOnline);
    this.#sharpening.destroy();
    this.#rectangle?.destroy();
    this.#map.remove();
  }

  /** MapLibre leaves flights out for those who want less motion, unless they are called essential. */
  #pace(): { duration: number; essential: boolean } {
    return { duration: FLIGHT_MS, essential: false };
  }

  #start(): { center: [number, number]; zoom: number } {
    const zoom = Math.log2(this.#options.container.clientWidth / WORLD_WIDTH_PX);
    return { center: START_CENTER, zoom: Math.max(ZOOM_MIN, Math.min(START_ZOOM_MAX, zoom)) };
  }

  #begin(): { center: [number, number]; zoom: number } {
    const { stand } = this.#options;
    return stand ? { center: [stand.lng, stand.lat], zoom: Math.min(stand.zoom, ZOOM_MAX) } : this.#start();
  }

  #style(): StyleSpecification {
    const symbols = this.#drawn?.collection ?? { type: "FeatureCollection", features: [] };
    const { still = false } = this.#options;
    const shown = { symbols, focus: this.#focus, chosen: this.#chosen, globe: this.#globe, still };
    [this.#styled, this.#isStyled] = [{ shown, detail: this.#detail }, false];
    return styleOf(this.#scheme, this.#detail, shown, this.#base?.[this.#scheme]);
  }

  #listen(): void {
    const map = this.#map;
    const { container } = this.#options;
    // Before anything is loaded, so that the symbols come meanwhile.
    this.#rest();
    map.on("moveend", () => this.#rest());
    map.on("move", () => performance.now() - this.#lookedAt > LOOK_PAUSE_MS && this.#look());
    map.on("movestart", () => (container.dataset.idle = "false"));
    map.on("dataloading", () => (container.dataset.idle = "false"));
    // One that is drawn with fewer pixels is not done yet.
    map.on("idle", () => this.#sharpening.isSharp && report(map, container, this.#scheme, this.#drawn?.revision));
    map.on("style.load", () => this.#catchUp());
    map.on("zoom", () => this.#refine());
    map.on("error", ({ error }) => this.#failed(error));
    window.addEventListener("online", this.#onOnline);
    map.on("sourcedata", ({ sourceDataType }) => sourceDataType === "metadata" && this.#credit());
    map.getCanvas().addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !this.#placing) return;
      event.preventDefault();
      this.aim();
    });
  }

  /** A style loads until the next frame: what changed meanwhile is not in it. */
  #catchUp(): void {
    this.#isStyled = true;
    if (!this.#styled) return;
    const { shown, detail } = this.#styled;
    if (this.#drawn && this.#drawn.collection !== shown.symbols) this.#put(SITES, this.#drawn.collection);
    if (this.#focus !== shown.focus) this.#put(FOCUS, focusData(this.#focus));
    if (this.#chosen !== shown.chosen) this.#put(SELECTION, selectionData(this.#chosen));
    if (this.#detail !== detail) this.#put(OUTLINES, outlinesUrl(this.#detail));
    if (this.#globe !== shown.globe) this.#map.setProjection({ type: this.#globe ? "globe" : "mercator" });
  }

  /** Takes the fine outlines once the map is near enough to show them. */
  #refine(): void {
    if (this.#detail === "fine" || this.#map.getZoom() < FINE_FROM_ZOOM) return;
    this.#detail = "fine";
    this.#put(OUTLINES, outlinesUrl("fine"));
  }

  /** Where a connection lacks, the page says so elsewhere; what else goes wrong is a fault of ours or of a style. */
  #failed(error: { message: string }): void {
    if (!(error instanceof AJAXError)) return console.error(error);
    this.#lacking = true;
    console.warn("a part of the map did not come:", error.message);
  }

  /** The device has a network again: what did not come is asked for once more. */
  #onOnline = (): void => {
    if (!this.#lacking) return;
    this.#lacking = false;
    this.#restyle();
  };

  /** Tells whom the operator's base map wants to be named, as far as its sources are loaded. */
  #credit(): void {
    const base = this.#base;
    if (!base) return;
    const told = Object.keys(base[this.#scheme].sources).map((name) => this.#map.getSource(name)?.attribution);
    // The operator's is plain text, and stands among what sources say as HTML.
    const plain = base.attribution?.replace(/[&<>]/g, (letter) => `&#${letter.charCodeAt(0)};`);
    this.#options.events.onCredits?.([...new Set([plain, ...told])].filter((text) => text !== undefined && text !== "") as string[]);
  }

  #rest(): void {
    this.#look();
    const { lat, lng } = this.#map.getCenter().wrap();
    this.#options.events.onView(this.#view(), { lat, lng, zoom: this.#map.getZoom() });
  }

  #look(): void {
    this.#lookedAt = performance.now();
    this.#options.events.onLook(this.#view(), this.#map.getZoom());
  }

  #view(): Box {
    if (this.#globe && this.#map.getZoom() < GLOBE_WHOLE_ZOOM) return WORLD;
    const bounds = this.#map.getBounds();
    const [west, east] = [bounds.getWest(), bounds.getEast()];
    return wrapped({ west, south: bounds.getSouth(), east, north: bounds.getNorth() });
  }
}

/**
 * Where the map's worker is. What it may load says the policy that its file came with, and browsers keep that file: another
 * base map is another address.
 */
function workerAddress(reaches: string | undefined): string {
  const address = new URL(workerUrl, location.href);
  if (reaches !== undefined) address.search = new URLSearchParams({ reaches }).toString();
  return address.href;
}
