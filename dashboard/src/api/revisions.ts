// What the page knows of an account already: its own writes, and what its watch told. Servers of one store may be behind one another, so
// each question says how much who answers it has to know, and nobody is shown again what was true before.

/** What an answer's call wrote: the account's name, and the revision. */
const WRITTEN = "waymark-revision";
/** What who answers has to know, in the same form. */
const LEAST = "waymark-min-revision";
const REVISION = /^(accounts\/[a-z0-9-]+)=(\d+)$/;
const ACCOUNT = /^accounts\/[a-z0-9-]+/;
/**
 * For so many milliseconds a revision is asked for. A server that is behind for longer says so itself, and one whose store was set back
 * will never have it.
 */
const HELD_MS = 60_000;

interface Known {
  revision: bigint;
  /** When it was heard of, by the page's own clock. */
  at: number;
}

export class Revisions {
  readonly #known = new Map<string, Known>();

  /** Takes note of what the headers of an answer say. */
  heed(headers: Headers): void {
    // A fetch joins headers of one name.
    for (const told of (headers.get(WRITTEN) ?? "").split(",")) {
      const [, account, revision] = REVISION.exec(told.trim()) ?? [];
      if (account && revision) this.note(account, BigInt(revision));
    }
  }

  /** Takes note of a revision of `accounts/{account}`. */
  note(account: string, revision: bigint): void {
    const held = this.#held(account);
    if (!held || held.revision < revision) this.#known.set(account, { revision, at: performance.now() });
  }

  /** Lets go of what was known of an account whose store lost writes. */
  forget(account: string): void {
    this.#known.delete(account);
  }

  /** The headers of a question about an account; none where nothing is known of it. */
  asked(account: string | undefined): Record<string, string> {
    const held = account && this.#held(account);
    return held ? { [LEAST]: `${account}=${held.revision}` } : {};
  }

  #held(account: string): Known | undefined {
    const known = this.#known.get(account);
    return known && performance.now() - known.at < HELD_MS ? known : undefined;
  }
}

/** The account that a request is about: of the first resource that it names. Absent for none. */
export function accountOf(request: object): string | undefined {
  for (const value of Object.values(request)) {
    const [account] = ACCOUNT.exec(nameIn(value)) ?? [];
    if (account) return account;
  }
  return undefined;
}

function nameIn(value: unknown): string {
  if (typeof value === "string") return value;
  const named = typeof value === "object" && value !== null && "name" in value ? value.name : "";
  return typeof named === "string" ? named : "";
}
