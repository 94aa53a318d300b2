// The markers that are elements of the page: numbered candidates, and the pin that is being placed. Text is set as text.
import { type Map as MapLibre, Marker } from "maplibre-gl";
import type { Position } from "../position.js";
import * as strings from "../strings.js";

export interface CandidateMark {
  position: Position;
  address: string;
}

export class Markers {
  #map: MapLibre;
  #candidates: Marker[] = [];
  #draft: Marker | undefined;
  #onPick: (index: number) => void;
  #onDrag: (position: Position) => void;

  constructor(map: MapLibre, onPick: (index: number) => void, onDrag: (position: Position) => void) {
    this.#map = map;
    this.#onPick = onPick;
    this.#onDrag = onDrag;
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
        this.#onPick(index);
      });
      return new Marker({ element, anchor: "bottom" }).setLngLat([position.lng, position.lat]).addTo(this.#map);
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
  }

  #newDraft(position: Position): Marker {
    const element = document.createElement("div");
    element.className = "draft-mark";
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", strings.map.draft);
    const marker = new Marker({ element, anchor: "bottom", draggable: true });
    marker.on("dragend", () => {
      const { lat, lng } = marker.getLngLat().wrap();
      this.#onDrag({ lat, lng });
    });
    return marker.setLngLat([position.lng, position.lat]).addTo(this.#map);
  }
}
