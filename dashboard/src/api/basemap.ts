// Which base map the operator has configured. What it says is theirs; a server that tells of none has none.

/** Milliseconds in which the server tells it: it is asked beside the map's own code, and must not hold the map up. */
const ANSWER_MS_MAX = 3_000;

export interface Basemap {
  /** Addresses of MapLibre styles, for light and for dark screens. */
  style?: string;
  styleDark?: string;
  /** Address of a PMTiles archive. */
  pmtiles?: string;
  /** What to name on the map, as plain text. */
  attribution?: string;
  /** The servers that the page may reach for it. */
  origins: string[];
}

/** The configured base map; absent for none, and where it cannot be learnt now. */
export async function loadBasemap(authorization: string): Promise<Basemap | undefined> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS_MAX);
    const answer = await fetch("/v1/basemap.json", { headers: { authorization }, signal });
    if (!answer.ok) return undefined;
    const told: Record<string, unknown> = await answer.json();
    const [style, styleDark, pmtiles, attribution] = ["style", "style_dark", "pmtiles", "attribution"].map((key) => {
      const value = told[key];
      return typeof value === "string" ? value : undefined;
    });
    if (!style && !pmtiles) return undefined;
    const origins = Array.isArray(told.origins) ? told.origins.map(String) : [];
    return { style, styleDark, pmtiles, attribution, origins };
  } catch {
    return undefined;
  }
}
