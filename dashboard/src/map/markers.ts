// The markers that are elements of the page: numbered candidates, and the pin that is being placed, by the pointer or by
// keys. Text is set as text.
import { type Map as MapLibre, Marker } from "maplibre-gl";
import { position as words } from "../format.js";
import type { Position } from "../position.js";
import * as strings from "../strings.js";

/** Pixels that an arrow key moves the pin by: a step that is seen. With Shift: a few steps cross the map. */
const STEP_PX = 8;
const FAR_STEP_PX = 80;
/** Which way the arrow keys go on a screen: to the right, and down. */
const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export interface CandidateMark {
  position: Position;
  address: string;
}

export interface MarkerEvents {
  /** A candidate was clicked. */
  onCandidate: (index: number) => void;
  /** The unsaved pin was dragged, or moved by keys. */
  onDraft: (position: Position) => void;
  /** Whoever moves it by keys says that it is right. A map on which nobody places one has none. */
  onSettle?: () => void;
}

export class Markers {
  #map: MapLibre;
  #events: MarkerEvents;
  #candidates: Marker[] = [];
  #draft: Marker | undefined;
  #keep: (position: Position) => void;

  /** `keep` moves the map where keys move the pin out of it. */
  constructor(map: MapLibre, events: MarkerEvents, keep: (position: Position) => void) {
    this.#map = map;
    this.#events = events;
    this.#keep = keep;
  }

  /** Shows these candidates, numbered from 1, and no others. */
  candidates(marks: CandidateMark[]): void {
    for (const marker of this.#candidates) marker.remove();
    this.#candidates = marks.map(({ position, address }, index) => {
      const element = document.createElement("button");
      element.type = "button";
      element.className = "candidate-mark";
      element.textContent = String(index + 1);
      element.setAttribute("aria-label", strings.map.candidate(index + 1, address));
      element.addEventListener("click", (event) => {
        event.stopPropagation();
        this.#events.onCandidate(index);
      });
      // Its pointed corner stands at the place.
      return new Marker({ element, anchor: "bottom-left" }).setLngLat([position.lng, position.lat]).addTo(this.#map);
    });
  }

  /** Raises one candidate above the others; -1 for none. */
  highlight(index: number): void {
    this.#candidates.forEach((marker, at) => marker.getElement().classList.toggle("is-highlighted", at === index));
  }

  /** Shows the unsaved pin, or none. */
  draft(position: Position | undefined): void {
    if (!position) {
      this.#draft?.remove();
      this.#draft = undefined;
      return;
    }
    this.#draft ??= this.#newDraft(position);
    this.#draft.setLngLat([position.lng, position.lat]);
    this.#draft.getElement().setAttribute("aria-label", strings.map.draft(words(position)));
  }

  /** Puts the keys on the unsaved pin. */
  focusDraft(): void {
    this.#draft?.getElement().focus({ preventScroll: true });
  }

  #newDraft(position: Position): Marker {
    const element = document.createElement("button");
    element.type = "button";
    element.className = "draft-mark";
    const marker = new Marker({ element, anchor: "bottom", draggable: true });
    marker.on("dragend", () => {
      const { lat, lng } = marker.getLngLat().wrap();
      this.#events.onDraft({ lat, lng });
    });
    element.addEventListener("keydown", (event) => this.#onKey(event, marker));
    // The map would put the pin where it is pressed.
    element.addEventListener("click", (event) => event.stopPropagation());
    return marker.setLngLat([position.lng, position.lat]).addTo(this.#map);
  }

  #onKey(event: KeyboardEvent, marker: Marker): void {
    const way = ARROWS[event.key];
    if (way) {
      const step = event.shiftKey ? FAR_STEP_PX : STEP_PX;
      const { x, y } = this.#map.project(marker.getLngLat());
      const { lat, lng } = this.#map.unproject([x + way[0] * step, y + way[1] * step]).wrap();
      this.#events.onDraft({ lat, lng });
      this.#keep({ lat, lng });
    } else if (event.key === "Enter" || event.key === " ") this.#events.onSettle?.();
    else return;
    // Neither the map nor the page moves by them.
    event.preventDefault();
    event.stopPropagation();
  }
}
