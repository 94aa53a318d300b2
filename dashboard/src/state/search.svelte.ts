// The best hits for what is being typed, out of all sites of the account.
import type { Api } from "../api/client.js";
import type { SearchHit, SearchMatch } from "../gen/waymark/v1/search_pb.js";
import { AsYouType } from "./as_you_type.svelte.js";

/** Pause in typing, in milliseconds, after which is asked: shorter than the time between two keys. */
const PAUSE_MS = 60;
/** Hits asked for: as many as are read at a glance. */
const HITS_MAX = 8;
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

  constructor(api: Api, account: string) {
    super();
    this.#api = api;
    this.#account = account;
  }

  /** Asks for what has the words of `typed`, among the sites of the filter, once typing rests. */
  ask(typed: string, filter: string): void {
    if (!isQuery(typed)) return this.close();
    const request = { parent: this.#account, query: typed, filter, pageSize: HITS_MAX };
    this.askAfter(PAUSE_MS, async (signal) => {
      const { hits, totalSize, isTotalExact } = await this.#api.sites.searchSites(request, { signal });
      if (!signal.aborted) [this.total, this.exact] = [totalSize, isTotalExact];
      return hits;
    });
  }

  override close(): void {
    super.close();
    this.total = undefined;
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
