// Which sites are looked at: conditions that chips stand for, and words. One text in the server's language of filters,
// for whatever asks; and the same as parameters of an address, for deep links.
import { FixSource } from "../gen/waymark/v1/location_pb.js";
import { SiteStatus } from "../gen/waymark/v1/site_pb.js";

/** Longest words that are looked for: what the server takes, less what stands around them. */
const WORDS_LENGTH_MAX = 200;
/** A phone as people write it, with something between its digits, */
const PHONE = /^\+?[\d()./-]+$/;
/** and fewest digits of what is looked for as a phone. */
const PHONE_DIGITS_MIN = 3;
/** Most labels asked for at once, */
const LABELS_MAX = 8;
/** and the longest of them. */
const LABEL_LENGTH_MAX = 120;
/** Keys that the filters' language takes without quotes. */
const LABEL_KEY = /^[A-Za-z0-9_][A-Za-z0-9_-]*$/;

/** Whether a person or a machine located the site. */
export type Certainty = "confirmed" | "approximate";
/** Whether the site is tied to a ticketing system. */
export type Linked = "linked" | "unlinked";

const LINKED: Record<Linked, string> = {
  linked: 'ticketing_links.system != ""',
  unlinked: 'ticketing_links.system = ""',
};

export class SiteFilter {
  /** The statuses that are looked at; none for all. */
  statuses = $state.raw<ReadonlySet<SiteStatus>>(new Set());
  /** The sources of the position that are looked at; none for all. */
  sources = $state.raw<ReadonlySet<FixSource>>(new Set());
  certainty = $state<Certainty | undefined>();
  linked = $state<Linked | undefined>();
  /** Labels that a site has all of: `key=value`, or a key alone. */
  labels = $state.raw<readonly string[]>([]);
  /** Words that all stand in the name, customer, contract, contact with its phones, address, a label or a link of a site. */
  words = $state("");
  /** Whether the worst statuses are listed first. */
  problemsFirst = $state(false);

  /** All conditions but the words, as the server reads them. */
  readonly conditions = $derived(this.#conditionsWith(this.linked).join(" "));
  /** The filter as the server reads it; empty for all sites. */
  readonly text = $derived(this.textWith(this.linked));
  /** Conditions set, words aside. */
  readonly chips = $derived(
    this.statuses.size + this.sources.size + this.labels.length + Number(!!this.certainty) + Number(!!this.linked),
  );

  /** The filter with another condition on ticketing systems. */
  textWith(linked: Linked | undefined): string {
    return [...this.#conditionsWith(linked), ...wordTerms(this.words)].join(" ");
  }

  #conditionsWith(linked: Linked | undefined): string[] {
    const terms = [
      statusTerm(this.statuses),
      [...this.sources].map((source) => `location.source = ${FixSource[source]}`).join(" OR "),
      this.certainty ? `location.confirmed = ${this.certainty === "confirmed"}` : "",
      linked ? LINKED[linked] : "",
      ...this.labels.map(labelTerm),
    ];
    return terms.filter(Boolean);
  }

  toggle(status: SiteStatus): void {
    this.statuses = toggled(this.statuses, status);
  }

  toggleSource(source: FixSource): void {
    this.sources = toggled(this.sources, source);
  }

  /** Whether it took the label: it must have a key that the server knows as one. */
  addLabel(typed: string): boolean {
    const label = typed.trim();
    const known = LABEL_KEY.test(keyOf(label)) && label.length <= LABEL_LENGTH_MAX;
    if (!known || this.labels.length >= LABELS_MAX) return false;
    this.labels = [...this.labels.filter((other) => other !== label), label];
    return true;
  }

  removeLabel(label: string): void {
    this.labels = this.labels.filter((other) => other !== label);
  }

  clear(): void {
    this.restore(new URLSearchParams());
  }

  /** Writes what is set into the parameters of an address. */
  store(to: URLSearchParams): void {
    const names = (set: Iterable<number>, of: Record<number, string>) => [...set].map((key) => of[key]!.toLowerCase());
    if (this.statuses.size > 0) to.set("status", names(this.statuses, SiteStatus).join(","));
    if (this.sources.size > 0) to.set("source", names(this.sources, FixSource).join(","));
    if (this.certainty) to.set("location", this.certainty);
    if (this.linked) to.set("ticketing", this.linked);
    for (const label of this.labels) to.append("label", label);
    if (this.words) to.set("q", this.words);
    if (this.problemsFirst) to.set("first", "problems");
  }

  /** Sets what stands in the parameters of an address, and nothing that they do not name. */
  restore(from: URLSearchParams): void {
    this.statuses = new Set(keysOf<SiteStatus>(from.get("status"), SiteStatus));
    this.sources = new Set(keysOf<FixSource>(from.get("source"), FixSource));
    const [certainty, linked] = [from.get("location"), from.get("ticketing")];
    this.certainty = certainty === "confirmed" || certainty === "approximate" ? certainty : undefined;
    this.linked = linked === "linked" || linked === "unlinked" ? linked : undefined;
    this.labels = [];
    for (const label of from.getAll("label")) this.addLabel(label);
    this.words = (from.get("q") ?? "").slice(0, WORDS_LENGTH_MAX);
    this.problemsFirst = from.get("first") === "problems";
  }
}

function toggled<T>(set: ReadonlySet<T>, key: T): ReadonlySet<T> {
  const next = new Set(set);
  if (!next.delete(key)) next.add(key);
  return next;
}

/** The values of an enumeration by their names, without those that do not exist or mean nothing. */
function keysOf<T>(names: string | null, of: Record<string, unknown>): T[] {
  return (names?.toUpperCase().split(",") ?? []).map((name) => of[name]).filter((value) => Number(value) > 0) as T[];
}

function statusTerm(statuses: ReadonlySet<SiteStatus>): string {
  return [...statuses].map((status) => `status = ${SiteStatus[status]}`).join(" OR ");
}

function keyOf(label: string): string {
  return label.split("=", 1)[0]!.trim();
}

function labelTerm(label: string): string {
  const value = label.includes("=") ? label.slice(label.indexOf("=") + 1).trim() : "";
  const key = `labels.${keyOf(label)}`;
  return value ? `${key} = "${escaped(value)}"` : `${key} != ""`;
}

/** Words in quotes, so that none reads as a sign or a keyword. Phones are kept as digits alone: so they are looked for, too. */
function wordTerms(words: string): string[] {
  const parts = words.slice(0, WORDS_LENGTH_MAX).split(/\s+/).filter(Boolean);
  return parts.map((word) => {
    const phone = PHONE.test(word) ? word.replace(/[()./-]/g, "") : word;
    const isOther = phone !== word && phone.length >= PHONE_DIGITS_MIN;
    return isOther ? `"${escaped(word)}" OR "${phone}"` : `"${escaped(word)}"`;
  });
}

function escaped(text: string): string {
  return text.replace(/[\\"]/g, "\\$&");
}
