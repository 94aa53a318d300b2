// Which sites are looked at: some statuses, and words. One text in the server's language of filters, for whatever asks.
import { SiteStatus } from "../gen/waymark/v1/site_pb.js";

/** Longest words that are looked for: what the server takes, less what stands around them. */
const WORDS_LENGTH_MAX = 200;

export class SiteFilter {
  /** The statuses that are looked at; none for all. */
  statuses = $state.raw<ReadonlySet<SiteStatus>>(new Set());
  /** Words that all stand in the name, customer, contract, contact, address or a label of a site. */
  words = $state("");

  /** The statuses alone, as the server reads them. */
  readonly statusText = $derived(statusTerm(this.statuses));
  /** The filter as the server reads it; empty for all sites. */
  readonly text = $derived([this.statusText, ...wordTerms(this.words)].filter(Boolean).join(" "));

  toggle(status: SiteStatus): void {
    const statuses = new Set(this.statuses);
    if (!statuses.delete(status)) statuses.add(status);
    this.statuses = statuses;
  }

  clear(): void {
    this.statuses = new Set();
    this.words = "";
  }
}

function statusTerm(statuses: ReadonlySet<SiteStatus>): string {
  return [...statuses].map((status) => `status = ${SiteStatus[status]}`).join(" OR ");
}

/** Words in quotes, so that none reads as a sign or a keyword. */
function wordTerms(words: string): string[] {
  const parts = words.slice(0, WORDS_LENGTH_MAX).split(/\s+/).filter(Boolean);
  return parts.map((word) => `"${word.replace(/[\\"]/g, "\\$&")}"`);
}
