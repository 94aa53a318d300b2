// What a text may mean while it is typed: the list under a field. Only the answer to the newest text is ever shown.
import { faultOf } from "../api/fault.js";

/** Milliseconds after which a server that is away is asked again. */
const AWAY_MS = 1_000;

export class AsYouType<Found> {
  /** Best first; empty for none to show. */
  found = $state.raw<Found[]>([]);
  /** Index of the one that the keys are on; -1 for none. */
  active = $state(-1);

  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking: AbortController | undefined;

  /** Moves along the list with the keys, round its ends; past an end none is active. */
  step(by: 1 | -1): void {
    const places = this.found.length + 1;
    this.active = ((this.active + 1 + by + places) % places) - 1;
  }

  close(): void {
    this.#cancel();
    this.found = [];
    this.active = -1;
  }

  /** What a combobox does with keys while its list is open. `choose` takes the active one. */
  onKey(event: KeyboardEvent, choose: (index: number) => void): void {
    if (this.found.length === 0 || event.isComposing) return;
    if (event.key === "ArrowDown") this.step(1);
    else if (event.key === "ArrowUp") this.step(-1);
    else if (event.key === "Escape") this.close();
    else if (event.key === "Enter" && this.active >= 0) choose(this.active);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Asks with `load` once typing rested so many milliseconds, in the place of what was asked before. */
  protected askAfter(pause: number, load: (signal: AbortSignal) => Promise<Found[]>): void {
    this.#cancel();
    this.#timer = setTimeout(() => void this.#ask(load), pause);
  }

  async #ask(load: (signal: AbortSignal) => Promise<Found[]>): Promise<void> {
    const asking = new AbortController();
    this.#asking = asking;
    try {
      const found = await load(asking.signal);
      if (asking.signal.aborted) return;
      this.found = found;
      this.active = -1;
    } catch (error) {
      // A list is a help: the list beside the map and the search for an address tell what is wrong.
      if (asking.signal.aborted) return;
      this.close();
      if (faultOf(error).kind === "unreachable") this.askAfter(AWAY_MS, load);
    }
  }

  #cancel(): void {
    clearTimeout(this.#timer);
    this.#asking?.abort();
  }
}
