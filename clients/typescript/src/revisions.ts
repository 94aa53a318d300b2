// Revisions that calls wrote, so that a client finds its own writes at any server over the same store.

/** What a call wrote: the account's name, or `operator`, and the revision. */
const WRITTEN = "waymark-revision";
const REVISION = /^(accounts\/[a-z0-9-]+|operator)=(\d+)$/;

/** The highest revisions that were written, by what they are of. */
export class Revisions {
  readonly #written = new Map<string, bigint>();

  /** Takes note of what the headers of an answer say. */
  note(headers: Headers): void {
    // A fetch joins headers of one name.
    for (const told of (headers.get(WRITTEN) ?? "").split(",")) {
      const [, of, revision] = REVISION.exec(told.trim()) ?? [];
      if (!of || !revision) continue;
      const known = this.#written.get(of) ?? 0n;
      this.#written.set(of, BigInt(revision) > known ? BigInt(revision) : known);
    }
  }

  /** The highest one of `accounts/ACCOUNT`, as `waymark-min-revision` takes it; undefined for none. */
  written(account: string): string | undefined {
    const revision = this.#written.get(account);
    return revision === undefined ? undefined : `${account}=${revision}`;
  }
}

/** The text of a revision, if it is one. */
export function checked(revision: string): string {
  if (REVISION.test(revision)) return revision;
  throw new TypeError(`a revision is accounts/ACCOUNT=NUMBER or operator=NUMBER, got ${JSON.stringify(revision)}`);
}
