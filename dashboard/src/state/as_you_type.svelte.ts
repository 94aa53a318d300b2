// What a text may mean while it is typed: the list under a field. Only the answer to the newest text is ever shown.
import { faultOf } from "../api/fault.js";
import { Choosing } from "./choosing.svelte.js";

/** Milliseconds after which a server that is away is asked again. */
const AWAY_MS = 1_000;

export class AsYouType<Found> extends Choosing<Found> {
  /** What a combobox does with keys while its list is open. `choose` takes the active one. */
  onKey(event: KeyboardEvent, choose: (index: number) => void): void {
    if (this.rows === 0 || event.isComposing) return;
    if (event.key === "ArrowDown") this.step(1);
    else if (event.key === "ArrowUp") this.step(-1);
    else if (event.key === "Escape") this.close();
    else if (event.key === "Enter" && this.active >= 0) choose(this.active);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /**
   * Asks with `load` once typing rested so many milliseconds, in the place of what was asked before. `active` is the row that
   * the keys are on then, as far as there is one.
   */
  protected askAfter(pause: number, load: (signal: AbortSignal) => Promise<Found[]>, active = -1): void {
    this.after(pause, async (signal) => {
      try {
        const found = await load(signal);
        if (signal.aborted) return;
        this.found = found;
        this.active = Math.min(active, found.length - 1);
      } catch (error) {
        // A list is a help: the list beside the map and the search for an address tell what is wrong.
        if (signal.aborted) return;
        this.close();
        if (faultOf(error).kind === "unreachable") this.askAfter(AWAY_MS, load, active);
      }
    });
  }
}
