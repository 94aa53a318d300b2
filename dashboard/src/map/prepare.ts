// All that the map needs before it begins, loaded side by side behind the page: its own code, and the operator's base map
// where there is one. A base map that does not come is no reason to have no map: it is asked for again beside it.
import { type Basemap, loadBasemap } from "../api/basemap.js";
import type { Engine } from "./engine.js";
import type { OwnBase } from "./own_base.js";

/** Pauses in milliseconds before a base map that did not come is asked for again; the last one repeats. */
const PAUSES_MS = [5_000, 15_000, 60_000];

/** `failed`: there is a base map, and it could not be loaded. `unknown`: the server does not tell whether there is one. */
export type BaseTrouble = "failed" | "unknown";

/** What is known of the operator's base map. */
export interface BaseTold {
  /** Absent for the page's own base map. */
  base?: OwnBase;
  /** Why the page's own is drawn though it may not be what is wished for; absent where all is well. */
  trouble?: BaseTrouble;
  /** The servers that it may be loaded from, for the address of the map's worker; absent for none. */
  reaches?: string;
}

export interface Prepared extends BaseTold {
  Engine: typeof Engine;
}

/** Throws where the map's own code cannot be loaded. */
export async function prepareMap(authorization: string): Promise<Prepared> {
  const [{ Engine }, told] = await Promise.all([import("./engine.js"), askBase(authorization)]);
  return { Engine, ...told };
}

async function askBase(authorization: string): Promise<BaseTold> {
  let basemap: Basemap | undefined;
  try {
    basemap = await loadBasemap(authorization);
  } catch (error) {
    console.warn("the server does not tell of a base map:", error);
    // Whatever its servers will be: a worker of now has the policy of now, which names them, and no older one.
    return { trouble: "unknown", reaches: `later ${Date.now()}` };
  }
  if (!basemap) return {};
  const reaches = basemap.origins.join(" ");
  try {
    const { buildBase } = await import("./own_base.js");
    return { base: await buildBase(basemap), reaches };
  } catch (error) {
    console.warn("the configured base map cannot be loaded:", error);
    return { trouble: "failed", reaches };
  }
}

/** Asks for the base map again until it comes, or there is none: after a while, and when the device has a network again. */
export class BaseRetry {
  readonly #authorization: () => string;
  readonly #onTold: (told: BaseTold) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tries = 0;
  #asking = false;
  #stopped = true;

  /** `onTold` hears of each answer, the last of which has no trouble. */
  constructor(authorization: () => string, onTold: (told: BaseTold) => void) {
    this.#authorization = authorization;
    this.#onTold = onTold;
  }

  start(): void {
    this.#stopped = false;
    window.addEventListener("online", this.#ask);
    this.#wait();
  }

  stop(): void {
    this.#stopped = true;
    window.removeEventListener("online", this.#ask);
    clearTimeout(this.#timer);
  }

  #wait(): void {
    const pause = PAUSES_MS[Math.min(this.#tries, PAUSES_MS.length - 1)];
    this.#tries += 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#ask, pause);
  }

  #ask = async (): Promise<void> => {
    if (this.#asking) return;
    // A page that nobody sees asks nothing.
    if (document.visibilityState === "hidden") return this.#wait();
    this.#asking = true;
    const told = await askBase(this.#authorization());
    this.#asking = false;
    if (this.#stopped) return;
    if (told.trouble) this.#wait();
    else this.stop();
    this.#onTold(told);
  };
}
