// Three versions of the same thing, part by part: what an editing began with, what is typed, and what others wrote meanwhile.

/** The parts of a value that are told apart, and how one of them is replaced. */
export interface Parts<T> {
  of: (value: T) => Map<string, unknown>;
  set: (value: T, key: string, part: unknown) => void;
}

/** A part that both sides changed, each to something else. */
export interface Clash {
  key: string;
  theirs: unknown;
}

/** What others wrote, as far as it bears on what is typed. */
export interface Merge {
  /** Parts that nobody typed in: they follow the others. */
  followed: Clash[];
  clashes: Clash[];
}

/** The properties of a record. */
export function fieldsOf<T extends object>(): Parts<T> {
  return {
    of: (value) => new Map(Object.entries(value)),
    set: (value, key, part) => Object.assign(value, { [key]: part }),
  };
}

/** A list as one part. `counts` leaves out what says nothing yet, such as a form that nobody has filled in. */
export function wholeOf<T>(key: string, counts: (item: T) => boolean): Parts<T[]> {
  return {
    of: (value) => new Map([[key, value.filter(counts)]]),
    set: (value, _key, part) => value.splice(0, value.length, ...(part as T[])),
  };
}

/** Compares three versions. `open` are the clashes of before that nobody has settled yet. */
export function merge<T>(parts: Parts<T>, base: T, mine: T, theirs: T, open: Clash[]): Merge {
  const [before, typed, now] = [parts.of(base), parts.of(mine), parts.of(theirs)];
  const found: Merge = { followed: [], clashes: [] };
  for (const key of new Set([...before.keys(), ...typed.keys(), ...now.keys()])) {
    const [was, is, other] = [before, typed, now].map((version) => JSON.stringify(version.get(key)));
    const change = { key, theirs: now.get(key) };
    const wasOpen = open.some((clash) => clash.key === key);
    if (is === other || (was === other && !wasOpen)) continue;
    if (is === was && !wasOpen) found.followed.push(change);
    else found.clashes.push(change);
  }
  return found;
}
