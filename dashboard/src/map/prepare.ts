// All that the map needs before it begins, loaded side by side behind the page: its own code, and the operator's base map
// where there is one. A base map that does not come is no reason to have no map.
import { loadBasemap } from "../api/basemap.js";
import type { Engine } from "./engine.js";
import type { OwnBase } from "./own_base.js";

export interface Prepared {
  Engine: typeof Engine;
  /** Absent for the page's own base map. */
  base?: OwnBase;
  /** Whether there should be one, and it could not be loaded. */
  baseFailed: boolean;
}

/** Throws where the map's own code cannot be loaded. */
export async function prepareMap(authorization: string): Promise<Prepared> {
  const [{ Engine }, own] = await Promise.all([import("./engine.js"), ownBase(authorization)]);
  return { Engine, ...own };
}

async function ownBase(authorization: string): Promise<Omit<Prepared, "Engine">> {
  const basemap = await loadBasemap(authorization);
  if (!basemap) return { baseFailed: false };
  try {
    const { buildBase } = await import("./own_base.js");
    return { base: await buildBase(basemap), baseFailed: false };
  } catch (error) {
    console.warn("the configured base map cannot be loaded:", error);
    return { baseFailed: true };
  }
}
