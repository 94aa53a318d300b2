// What a watch of sites has told its program: so that cuts, snapshots and repeats tell each change once, and lose none. Knows messages
// alone. The clients in Rust and Python have the same, and all three are held to clients/cases.json.
import type { Site } from "./gen/waymark/v1/site_pb.js";
import { WatchMark, type WatchSitesResponse } from "./gen/waymark/v1/watch_pb.js";

/** What became of a site, or of the watch. */
type Change =
  /** A site that matches, new or changed: as it is now. */
  | { kind: "changed"; name: string; site: Site }
  /** A site that is deleted, or does not match any more. */
  | { kind: "removed"; name: string }
  /** All that is there has been told: what follows is live. Comes again behind each cut, once what was missed is told. */
  | { kind: "current" }
  /** Drop all that you hold: all sites follow. Only where a resume revision was given that is not remembered any more. */
  | { kind: "resync" };

/** A change, and how far the watch is with it. */
export type SiteEvent = Change & {
  /** Once this event is dealt with, a later watch of the same account and filter may begin from here and misses nothing; 0 while
   * the first sites are on their way. */
  revision: bigint;
};

/** A version of a site: its revision, and when it was last changed, as seconds and nanoseconds. */
interface Version {
  revision: bigint;
  changed: string;
}

/** What was told. */
export class Ledger {
  /** All changes up to this revision were told; 0 for nothing. */
  position: bigint;
  /** The sites that the program holds, as far as this watch told of them. */
  readonly #held = new Map<string, Version>();
  /** Sites that were told to be gone, of a watch that does not know all that the program holds. */
  readonly #gone = new Set<string>();
  /** Whether `#held` is all that the program holds: it is not where the program brought its own revision. */
  #isWhole: boolean;
  /** Sites that were told since `position`, while more of the same write, or of what was missed, is on its way. */
  readonly #toldSince = new Set<string>();
  /** While all sites are on their way: those that came. */
  #snapshot: Set<string> | undefined;

  constructor(resumeRevision: bigint) {
    this.position = resumeRevision;
    this.#isWhole = resumeRevision === 0n;
  }

  /** The revision to resume from. To be called when a stream begins. */
  begin(): bigint {
    this.#snapshot = this.position === 0n ? new Set<string>() : undefined;
    return this.position;
  }

  /** What is new in a message. */
  take(message: WatchSitesResponse): SiteEvent[] {
    const { mark, revision } = message;
    const news: Change[] = [];
    if (mark === WatchMark.RESYNC) news.push(...this.#forget());
    for (const site of message.changedSites) news.push(...this.#change(site));
    for (const name of message.removedSites) news.push(...this.#remove(name));
    if (mark === WatchMark.CURRENT) news.push(...this.#endSnapshot(), { kind: "current" });
    const before = this.position;
    if (revision !== before || mark === WatchMark.CURRENT || mark === WatchMark.PROGRESS) {
      this.position = revision;
      this.#toldSince.clear();
    }
    return news.map((change, at) => ({ ...change, revision: at === news.length - 1 ? this.position : before }));
  }

  /** Makes ready for all sites anew. A program that brought its own revision has to forget what it holds, too. */
  #forget(): Change[] {
    this.#snapshot = new Set<string>();
    this.position = 0n;
    this.#toldSince.clear();
    if (this.#isWhole) return [];
    this.#isWhole = true;
    this.#held.clear();
    this.#gone.clear();
    return [{ kind: "resync" }];
  }

  #change(site: Site): Change[] {
    const version = versionOf(site);
    this.#snapshot?.add(site.name);
    const told = this.#held.get(site.name);
    const mayBeTold = this.#snapshot !== undefined || this.#toldSince.has(site.name);
    if (told && mayBeTold && !isNews(version, told)) return [];
    this.#held.set(site.name, version);
    this.#gone.delete(site.name);
    this.#toldSince.add(site.name);
    return [{ kind: "changed", name: site.name, site }];
  }

  #remove(name: string): Change[] {
    this.#snapshot?.delete(name);
    const wasHeld = this.#held.delete(name);
    const isNew = this.#isWhole ? wasHeld : !this.#gone.has(name);
    if (!this.#isWhole) this.#gone.add(name);
    return isNew ? [{ kind: "removed", name }] : [];
  }

  /** Removes what did not come with all sites. */
  #endSnapshot(): Change[] {
    const came = this.#snapshot;
    this.#snapshot = undefined;
    if (!came) return [];
    const missing = [...this.#held.keys()].filter((name) => !came.has(name)).sort();
    for (const name of missing) this.#held.delete(name);
    return missing.map((name): Change => ({ kind: "removed", name }));
  }
}

function versionOf(site: Site): Version {
  const { seconds, nanos } = site.updateTime ?? { seconds: 0n, nanos: 0 };
  return { revision: site.revision, changed: `${seconds}.${nanos}` };
}

/** Whether a version is news to who was told of another one. Where a store lost writes, a revision may come again at another time;
 * what a crowd of sites brought came with the revision of a neighbour's write, so the record itself may have a lower one. */
function isNews(version: Version, told: Version): boolean {
  return version.changed !== told.changed || version.revision > told.revision;
}
