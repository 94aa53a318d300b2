// A job that is asked for often: run at once after a quiet while, never twice at the same time, and with a pause between.
export class Paced {
  #job: () => Promise<void>;
  #pauseMs: number;
  #running = false;
  #asked = false;
  #stopped = false;

  constructor(job: () => Promise<void>, pauseMs: number) {
    this.#job = job;
    this.#pauseMs = pauseMs;
  }

  /** Asks for a run that begins after now. */
  ask(): void {
    this.#asked = true;
    if (!this.#running) void this.#run();
  }

  stop(): void {
    this.#stopped = true;
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#asked && !this.#stopped) {
      this.#asked = false;
      await this.#job();
      await new Promise((resume) => setTimeout(resume, this.#pauseMs));
    }
    this.#running = false;
  }
}
