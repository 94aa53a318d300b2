// Whether the server answers, how fast, and whether it is behind: one small question now and then, while the page is seen.
// A watch alone does not tell: a half-open connection is silent, and a replica that lags goes on answering.
import type { Api } from "../api/client.js";
import { type Fault, type FaultKind, faultOf } from "../api/fault.js";

/** Pause in milliseconds between two questions while all is well, and while it is not. */
const PAUSE_MS = 10_000;
const PAUSE_LOST_MS = 2_000;
/** An answer that takes so many milliseconds is slow. */
const SLOW_MS = 3_000;
/** An answer that has not come after so many milliseconds does not come. */
const ANSWER_MS_MAX = 8_000;
/** Tells how many seconds a replica is behind. */
const STALE_HEADER = "waymark-stale-s";

/** Faults of a question that no server answered. */
const UNANSWERED: FaultKind[] = ["unreachable", "cancelled"];

/** `slow`: the last answer took long, or the next one does. `failing`: the last answer was an error. `lost`: none came. */
export type Link = "sound" | "slow" | "failing" | "lost";

export class Pulse {
  link = $state<Link>("sound");
  /** What the error was that the server answered with; empty for none. */
  failure = $state("");
  /** Since when the server does not answer, in milliseconds since 1970. */
  lostAt = $state(0);
  /** For so many seconds the server does not know what others wrote; 0 for none. */
  staleS = $state(0);

  #api: Api;
  #onBack: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #turn = 0;

  /** `onBack` runs when the server answers again after it did not. */
  constructor(api: Api, onBack: () => void) {
    this.#api = api;
    this.#onBack = onBack;
  }

  start(): void {
    document.addEventListener("visibilitychange", this.#poke);
    window.addEventListener("online", this.#poke);
    window.addEventListener("offline", this.#poke);
    this.ask();
  }

  stop(): void {
    document.removeEventListener("visibilitychange", this.#poke);
    window.removeEventListener("online", this.#poke);
    window.removeEventListener("offline", this.#poke);
    clearTimeout(this.#timer);
    this.#turn += 1;
  }

  /** Asks now. */
  ask(): void {
    clearTimeout(this.#timer);
    void this.#ask((this.#turn += 1));
  }

  async #ask(turn: number): Promise<void> {
    const slow = setTimeout(() => this.link === "sound" && (this.link = "slow"), SLOW_MS);
    const begun = performance.now();
    let stale = 0;
    const onHeader = (headers: Headers): void => void (stale = Number(headers.get(STALE_HEADER) ?? 0));
    try {
      await this.#api.admin.whoAmI({}, { timeoutMs: ANSWER_MS_MAX, onHeader });
      if (turn === this.#turn) this.#answered(performance.now() - begun >= SLOW_MS, stale);
    } catch (error) {
      const fault = faultOf(error);
      // The session deals with a token that ended; it asks again when it goes on.
      if (turn === this.#turn && fault.kind === "signed-out") return;
      if (turn === this.#turn) this.#failed(fault);
    } finally {
      clearTimeout(slow);
    }
    if (turn !== this.#turn) return;
    this.#timer = setTimeout(() => this.ask(), this.#isDown() ? PAUSE_LOST_MS : PAUSE_MS);
  }

  #answered(isSlow: boolean, staleS: number): void {
    const wasDown = this.#isDown();
    this.link = isSlow ? "slow" : "sound";
    this.failure = "";
    this.staleS = staleS;
    if (wasDown) this.#onBack();
  }

  #failed({ kind, message }: Fault): void {
    const isLost = UNANSWERED.includes(kind);
    if (isLost && this.link !== "lost") this.lostAt = Date.now();
    this.link = isLost ? "lost" : "failing";
    this.failure = isLost ? "" : message;
  }

  #isDown(): boolean {
    return this.link === "lost" || this.link === "failing";
  }

  /** A page that nobody sees asks nothing. */
  #poke = (): void => {
    clearTimeout(this.#timer);
    this.#turn += 1;
    if (document.visibilityState === "visible") this.ask();
  };
}
