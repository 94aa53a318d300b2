// Which base map the operator has configured. What it says is theirs. That there is none is an answer; that the server does
// not tell is another thing, and is thrown.

/** Milliseconds in which the server tells it: it is asked beside the map's own code, and must not hold the map up. */
const ANSWER_MS_MAX = 3_000;
const NOT_FOUND = 404;

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

/** The configured base map; absent for none. Throws where the server does not answer, or answers something else. */
export async function loadBasemap(authorization: string): Promise<Basemap | undefined> {
  const signal = AbortSignal.timeout(ANSWER_MS_MAX);
  const answer = await fetch("/v1/basemap.json", { headers: { authorization }, signal });
  // A server that knows of no base maps has none.
  if (answer.status === NOT_FOUND) return undefined;
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  const told: unknown = await answer.json();
  if (typeof told !== "object" || told === null || Array.isArray(told)) throw new Error("the server tells of no base map and of none");
  const values = told as Record<string, unknown>;
  const [style, styleDark, pmtiles, attribution] = ["style", "style_dark", "pmtiles", "attribution"].map((key) => {
    const value = values[key];
    return typeof value === "string" ? value : undefined;
  });
  if (!style && !pmtiles) return undefined;
  const origins = Array.isArray(values.origins) ? values.origins.map(String) : [];
  return { style, styleDark, pmtiles, attribution, origins };
}
