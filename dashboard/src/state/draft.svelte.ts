// Part of a site while it is edited: what is typed outlives faults, and what others wrote is never overwritten unseen.
import type { Fault } from "../api/fault.js";

export class Draft<T> {
  /** What is typed; absent while nothing is edited. */
  value = $state<T | undefined>();
  busy = $state(false);
  /** Why the last save did not go; empty for no fault. */
  message = $state("");

  /** The version that the editing began with, or that a conflict has shown since. */
  #etag = "";

  begin(value: T, etag: string): void {
    this.value = value;
    this.#etag = etag;
    this.message = "";
  }

  end(): void {
    this.value = undefined;
  }

  /**
   * Saves by `call` over the version that was begun with; says whether it went. After a conflict the next save goes over what is
   * shown by then, `present`, and over nothing else: any other fault says nothing of what others wrote meanwhile.
   */
  async save(
    call: (etag: string) => Promise<Fault | undefined>,
    present: () => string | undefined,
    conflict: string,
  ): Promise<boolean> {
    this.busy = true;
    this.message = "";
    const fault = await call(this.#etag);
    this.busy = false;
    if (!fault) {
      this.end();
      return true;
    }
    const isConflict = fault.kind === "conflict";
    if (isConflict) this.#etag = present() ?? this.#etag;
    this.message = isConflict ? conflict : fault.message;
    return false;
  }
}
