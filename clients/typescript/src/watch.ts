// A watch of sites that goes on after cuts, from where it stood, for as long as its program wants it.
import type { Client } from "@connectrpc/connect";
import { WaymarkError } from "./errors.js";
import type { SiteService } from "./gen/waymark/v1/site_service_pb.js";
import { Ledger, type SiteEvent } from "./ledger.js";
import { resumes, SILENCE_MS, watchWaitMs } from "./policy.js";
import { sleep } from "./sleep.js";

export interface WatchOptions {
  /** Which sites, in the language of ListSites; all if not given. */
  filter?: string;
  /** The `revision` of an event of an earlier watch of the same account and filter; 0 begins with all sites. */
  resumeRevision?: bigint;
  /** Ends the watch, also while it waits. */
  signal?: AbortSignal;
  /** Hears of each cut, and in how many milliseconds the watch goes on. */
  onCut?: (error: WaymarkError, waitMs: number) => void;
}

/** See `WaymarkClient.watchSites`. */
export async function* watchSites(
  sites: Client<typeof SiteService>,
  parent: string,
  options: WatchOptions,
): AsyncGenerator<SiteEvent, void, undefined> {
  const { filter = "", resumeRevision = 0n, signal, onCut } = options;
  const ledger = new Ledger(resumeRevision);
  let failures = 0;
  while (!signal?.aborted) {
    const stream = new AbortController();
    const end = (): void => stream.abort();
    signal?.addEventListener("abort", end, { once: true });
    let waitMs = 0;
    try {
      const request = { parent, filter, resumeRevision: ledger.begin() };
      const messages = sites.watchSites(request, { signal: stream.signal })[Symbol.asyncIterator]();
      for (;;) {
        const next = await heard(messages.next());
        if (next.done) throw WaymarkError.lost("the watch ended");
        failures = 0;
        for (const event of ledger.take(next.value)) {
          if (signal?.aborted) return;
          yield event;
        }
      }
    } catch (cause) {
      if (signal?.aborted) return;
      const error = WaymarkError.from(cause);
      if (!resumes(error)) throw error;
      failures += 1;
      waitMs = watchWaitMs(error, failures);
      onCut?.(error, waitMs);
    } finally {
      signal?.removeEventListener("abort", end);
      // The iterator of a stream cannot be closed otherwise.
      stream.abort();
    }
    await sleep(waitMs, signal);
  }
}

/** What comes next; an error where nothing comes for too long. */
async function heard<T>(next: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    const giveUp = (): void => reject(WaymarkError.lost(`nothing was heard of the watch for ${SILENCE_MS} ms`));
    timer = setTimeout(giveUp, SILENCE_MS);
  });
  try {
    return await Promise.race([next, silence]);
  } finally {
    clearTimeout(timer);
  }
}
