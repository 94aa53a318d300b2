// The best hits for what is being typed, out of all sites of the account. Only the answer to the newest text is shown.
import type { Api } from "../api/client.js";
import type { SearchHit, SearchMatch } from "../gen/waymark/v1/search_pb.js";

/** Pause in typing, in milliseconds, after which is asked: shorter than the time between two keys. */
const PAUSE_MS = 60;
/** Hits asked for: as many as are read at a glance. */
const HITS_MAX = 8;
/** Longest query that the server takes, in bytes. */
const QUERY_BYTES_MAX = 256;

/** A part of a text; `found` where words of the query stand. */
export interface Part {
  text: string;
  found: boolean;
}

export class SiteSearch {
  /** Best first; empty for none to show. */
  hits = $state.raw<SearchHit[]>([]);
  /** All hits there are: at least so many where `exact` is false. Absent before the first answer to a text. */
  total = $state<bigint | undefined>();
  exact = $state(true);
  /** Index of the hit that the keys are on; -1 for none. */
  active = $state(-1);

  #api: Api;
  #account: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking: AbortController | undefined;

  constructor(api: Api, account: string) {
    this.#api = api;
    this.#account = account;
  }

  /** Asks for what has the words of `typed`, among the sites of the filter, once typing rests. */
  ask(typed: string, filter: string): void {
    this.#cancel();
    if (!isQuery(typed)) return this.close();
    this.#timer = setTimeout(() => void this.#load(typed, filter), PAUSE_MS);
  }

  /** Moves along the hits with the keys, round their ends; past an end none is active. */
  step(by: 1 | -1): void {
    const places = this.hits.length + 1;
    this.active = ((this.active + 1 + by + places) % places) - 1;
  }

  close(): void {
    this.#cancel();
    this.hits = [];
    this.total = undefined;
    this.active = -1;
  }

  async #load(query: string, filter: string): Promise<void> {
    const asking = new AbortController();
    this.#asking = asking;
    const request = { parent: this.#account, query, filter, pageSize: HITS_MAX };
    try {
      const { hits, totalSize, isTotalExact } = await this.#api.sites.searchSites(request, { signal: asking.signal });
      if (asking.signal.aborted) return;
      this.hits = hits;
      this.total = totalSize;
      this.exact = isTotalExact;
      this.active = -1;
    } catch {
      // The list beside the map is filtered by the same words, and tells what keeps the server from answering.
      if (!asking.signal.aborted) this.close();
    }
  }

  #cancel(): void {
    clearTimeout(this.#timer);
    this.#asking?.abort();
  }
}

/** Whether the server can search for it. */
function isQuery(typed: string): boolean {
  return /[\p{L}\p{N}]/u.test(typed) && new TextEncoder().encode(typed).length <= QUERY_BYTES_MAX;
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
