// What the page's address says of a wallboard. Apart from the wallboard itself, whose code other pages do without.

/** Seconds that a region is shown, where the address does not say. */
const SECONDS_DEFAULT = 20;
const SECONDS_MIN = 5;
const SECONDS_MAX = 3_600;

/** How a wallboard is wished for in the page's address: `?wallboard`, `?wallboard&seconds=30`, `?wallboard&names`. */
export interface WallboardWish {
  seconds: number;
  /** Whether names of sites are told. */
  names: boolean;
}

/** What an address wishes for; absent for no wallboard. */
export function wallboardWish(search: string): WallboardWish | undefined {
  const wishes = new URLSearchParams(search);
  if (!wishes.has("wallboard")) return undefined;
  const asked = Number(wishes.get("seconds") ?? SECONDS_DEFAULT);
  const seconds = Number.isFinite(asked) ? Math.min(SECONDS_MAX, Math.max(SECONDS_MIN, asked)) : SECONDS_DEFAULT;
  return { seconds, names: wishes.has("names") };
}

/** What is shown to a wallboard's own token, whatever the address wishes for: it reads no names. */
export function namelessWish(search: string): WallboardWish {
  return { seconds: SECONDS_DEFAULT, ...wallboardWish(search), names: false };
}

/** The address of a wallboard. */
export function wallboardUrl(): string {
  return "/?wallboard";
}
