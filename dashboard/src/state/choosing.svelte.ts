// A list that is chosen from while one types: what is in it, where the keys are, and that the newest question alone counts.

export class Choosing<Found> {
  /** Best first; empty for none to show. */
  found = $state.raw<Found[]>([]);
  /** Index of the one that the keys are on; -1 for none. */
  active = $state(-1);

  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking: AbortController | undefined;

  /** Rows of the list: what was found, and what else can be chosen behind it. */
  get rows(): number {
    return this.found.length;
  }

  /** Moves along the list with the keys, round its ends; past an end none is active. */
  step(by: 1 | -1): void {
    const places = this.rows + 1;
    this.active = ((this.active + 1 + by + places) % places) - 1;
  }

  close(): void {
    this.cancel();
    this.found = [];
    this.active = -1;
  }

  /** Ends what is asked, and what was to be. */
  protected cancel(): void {
    clearTimeout(this.#timer);
    this.#asking?.abort();
  }

  /** The signal of a new question, which ends what is asked; it aborts when the next one begins. */
  protected turn(): AbortSignal {
    this.cancel();
    this.#asking = new AbortController();
    return this.#asking.signal;
  }

  /** Asks after a pause of so many milliseconds, in the place of what is asked. */
  protected after(pause: number, ask: (signal: AbortSignal) => Promise<void>): void {
    const signal = this.turn();
    this.#timer = setTimeout(() => void ask(signal), pause);
  }
}
