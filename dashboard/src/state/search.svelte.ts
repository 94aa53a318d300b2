// The best hits for what is being typed, out of all sites of the account.
import type { Api } from "../api/client.js";
import type { SearchHit, SearchMatch } from "../gen/waymark/v1/search_pb.js";
import { AsYouType } from "./as_you_type.svelte.js";

/** Pause in typing, in milliseconds, after which is asked: shorter than the time between two keys. */
const PAUSE_MS = 60;
/** Hits asked for: as many as are read at a glance, */
const HITS_FIRST = 8;
/** and as many as the server gives: beyond them more words lead on, or the filter. */
const HITS_MAX = 50;
/** Longest query that the server takes, in bytes, */
const QUERY_BYTES_MAX = 256;
/** and most words. */
const QUERY_WORDS_MAX = 8;

/** A part of a text; `found` where words of the query stand. */
export interface Part {
  text: string;
  found: boolean;
}

export class SiteSearch extends AsYouType<SearchHit> {
  /** All hits there are: at least so many where `exact` is false. Absent before the first answer to a text. */
  total = $state<bigint | undefined>();
  exact = $state(true);

  #api: Api;
  #account: string;
  /** What was asked for last. */
  #asked = { query: "", filter: "" };
  /** Whether as many hits are listed as the server gives. */
  #wide = $state(false);

  constructor(api: Api, account: string) {
    super();
    this.#api = api;
    this.#account = account;
  }

  /** Asks for what has the words of `typed`, among the sites of the filter, once typing rests. */
  ask(typed: string, filter: string): void {
    if (!isQuery(typed)) return this.close();
    this.#asked = { query: typed, filter };
    this.#list(PAUSE_MS, HITS_FIRST, -1);
  }

  /** Lists as many hits as the server gives, with the keys on the first that is new. */
  more(): void {
    this.#list(0, HITS_MAX, this.found.length);
  }

  /** Whether the server gives more hits than are listed, as far as it has told. */
  get hasMore(): boolean {
    return !this.#wide && this.total !== undefined && (!this.exact || this.total > BigInt(this.found.length));
  }

  /** Behind the hits is what leads to more of them, where there are more, and what lists and draws all. */
  override get rows(): number {
    return this.total === undefined ? 0 : this.found.length + Number(this.hasMore) + 1;
  }

  override close(): void {
    super.close();
    this.total = undefined;
  }

  #list(pause: number, pageSize: number, active: number): void {
    const request = { parent: this.#account, ...this.#asked, pageSize };
    const load = async (signal: AbortSignal): Promise<SearchHit[]> => {
      const { hits, totalSize, isTotalExact } = await this.#api.sites.searchSites(request, { signal });
      if (!signal.aborted) [this.total, this.exact, this.#wide] = [totalSize, isTotalExact, pageSize === HITS_MAX];
      return hits;
    };
    this.askAfter(pause, load, active);
  }
}

/** Whether the server can search for it. */
function isQuery(typed: string): boolean {
  const words = typed.split(/\s+/u).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const isShort = new TextEncoder().encode(typed).length <= QUERY_BYTES_MAX && words.length <= QUERY_WORDS_MAX;
  return isShort && words.length > 0;
}

/** A match cut at its ranges, which count bytes of UTF-8. */
export function partsOf({ text, ranges }: SearchMatch): Part[] {
  const [bytes, decoder] = [new TextEncoder().encode(text), new TextDecoder()];
  const cut = (from: number, to: number, found: boolean) => ({ text: decoder.decode(bytes.subarray(from, to)), found });
  const parts: Part[] = [];
  let at = 0;
  for (const { start, end } of ranges) {
    parts.push(cut(at, start, false), cut(start, end, true));
    at = end;
  }
  parts.push(cut(at, bytes.length, false));
  return parts.filter((part) => part.text !== "");
}
