// How many pixels the map is drawn with while it moves: fewer where frames are slow, as on machines without a GPU (remote
// desktops, thin clients, small boxes behind a screen), which draw in software and wait for each picture. Only decides, from the
// times that frames took: sharpening.ts measures them and does it. Knows nothing of a page and of MapLibre.
//
// A level halves the pixels of the one before. While the map moves the level only rises, so that nothing flickers; between
// two moves it falls by one where the next sharper level will do by what was measured. One that has proved too slow twice
// is not tried again: the page remembers for its session.

/** Fewest pixels for each of the screen's, along a side: below it nobody can tell what is what. */
export const RATIO_MIN = 0.5;
/** Levels of the densest screens, four pixels along a side, down to the fewest. */
const LEVEL_MAX = 6;

/** So many frames in a row are judged together, and so many of them have to be slow: one hiccup is none. */
const FRAMES = 4;
const SLOW_FRAMES = 3;
/** A frame that takes longer than so many milliseconds is slow: fewer than 20 a second are seen as steps. */
const SLOW_MS = 50;
/** What a level is chosen for, in milliseconds a frame. */
const WANTED_MS = 33;
/** A sharper level is tried where its frames would take less than this: well below what counts as slow. */
const CALM_MS = 40;
/** So many frames of a move say whether a sharper level will do; the last ones of it are kept. */
const CALM_FRAMES = 8;
const FRAMES_KEPT = 60;
/** Longer between two frames the page was not seen, or the machine slept. */
const FRAME_MS_MAX = 2_000;
/** How often a level may prove too slow before it is left alone. */
const FALLS_MAX = 2;

export class Sharpness {
  /** Pixels for each of the screen's at rest, along a side. */
  #full = 1;
  #level: number;
  /** How often each level proved too slow. */
  readonly #falls: number[];
  /** Milliseconds of the frames of this move at this level. */
  #frames: number[] = [];

  /**
   * `memory` is what another one said of itself in this session, or nothing. Who draws in software begins with the fewest
   * pixels, and comes to more where that is fast.
   */
  constructor(memory: string | null, isSoftware: boolean) {
    const known = (memory ?? "").split(" ").map(Number);
    const isSound = known.length === LEVEL_MAX + 2 && known.every((number) => Number.isInteger(number) && number >= 0);
    const [level = 0, ...falls] = isSound ? known : [isSoftware ? LEVEL_MAX : 0];
    this.#level = Math.min(level, LEVEL_MAX);
    this.#falls = Array.from({ length: LEVEL_MAX + 1 }, (_, at) => falls[at] ?? 0);
  }

  /** What to give the next one of this session. */
  get memory(): string {
    return [this.#level, ...this.#falls].join(" ");
  }

  /** Pixels for each of the screen's along a side, while the map moves. */
  get ratio(): number {
    return this.#ratioAt(this.#level);
  }

  /** A move begins, on a screen that has so many pixels along a side where it is sharp. */
  begin(full: number): void {
    this.#full = full;
    this.#level = Math.min(this.#level, this.#lowest());
    this.#frames = [];
  }

  /** A frame of the move was drawn, and it took so long. */
  frame(ms: number): void {
    if (ms > FRAME_MS_MAX) {
      this.#frames = [];
      return;
    }
    this.#frames = [...this.#frames, ms].slice(-FRAMES_KEPT);
    const last = this.#frames.slice(-FRAMES);
    if (last.filter((took) => took > SLOW_MS).length < SLOW_FRAMES || this.#level >= this.#lowest()) return;
    this.#falls[this.#level] = this.#fallsOf(this.#level) + 1;
    // As many halvings as the time asks for: who draws in software has no time to go step by step.
    const halvings = Math.ceil(Math.log2(quantile(last, 0.5) / WANTED_MS));
    this.#level = Math.min(this.#level + Math.max(1, halvings), this.#lowest());
    this.#frames = [];
  }

  /** The move is over. */
  end(): void {
    const frames = this.#frames;
    this.#frames = [];
    const sharper = this.#level - 1;
    if (sharper < 0 || frames.length < CALM_FRAMES || this.#fallsOf(sharper) >= FALLS_MAX) return;
    const pixels = (this.#ratioAt(sharper) / this.ratio) ** 2;
    if (quantile(frames, 0.75) * pixels < CALM_MS) this.#level = sharper;
  }

  #fallsOf(level: number): number {
    return this.#falls[level] ?? 0;
  }

  #ratioAt(level: number): number {
    return Math.max(Math.min(RATIO_MIN, this.#full), this.#full * 2 ** (-level / 2));
  }

  /** The level from which on there is nothing left to take away. */
  #lowest(): number {
    if (this.#full <= RATIO_MIN) return 0;
    return Math.min(LEVEL_MAX, Math.ceil(2 * Math.log2(this.#full / RATIO_MIN) - 1e-6));
  }
}

/** The time that such a share of frames stayed within. */
function quantile(frames: number[], share: number): number {
  const sorted = [...frames].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
