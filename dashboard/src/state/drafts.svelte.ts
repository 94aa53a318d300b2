// What is typed on sites' pages and not saved: it outlives the page that it was typed on, and the token that it was typed with. What
// the present token may not save, or may not see, is put aside until one comes that may.
import { SvelteMap } from "svelte/reactivity";
import { Draft } from "./draft.svelte.js";
import type { Parts } from "./merge.js";
import { NOBODY, type Rights, standing } from "./rights.js";

interface Entry {
  site: string;
  part: string;
  draft: Draft<unknown>;
  /** Of the tokens that it was shown to, those that see most. */
  rights: Rights;
}

/** An edit that was put aside, and may be read. */
export interface KeptEdit {
  site: string;
  /** What the site was called when its page was open last; empty where that is not known. */
  name: string;
  part: string;
  /** What is typed, by the field. */
  typed: [string, unknown][];
}

export class Drafts {
  /** Those that the present token goes on with. */
  #all = new SvelteMap<string, Entry>();
  /** Those that were put aside: all of them said something that was not saved. */
  #kept = $state.raw<Entry[]>([]);
  #rights = $state.raw(NOBODY);
  /** What sites are called, by their resource names: of those with a draft. */
  #names = new SvelteMap<string, string>();

  /** The draft of a part of a site: the one that was left there, or a new one. Without `parts` nothing is merged in it. */
  of<T>(site: string, part: string, parts?: Parts<T>): Draft<T> {
    const key = keyOf(site, part);
    const known = this.#all.get(key);
    if (known) return known.draft as Draft<T>;
    const draft = new Draft<T>(parts);
    this.#all.set(key, { site, part, draft: draft as Draft<unknown>, rights: this.#rights });
    return draft;
  }

  /**
   * The page of a site opens: drafts of other sites go in which nothing is typed. A tab that is open all day would come to hold some for
   * each site that was looked at.
   */
  turnTo(site: string): void {
    for (const [key, { site: other, draft }] of [...this.#all]) {
      if (other !== site && !draft.isDirty && !draft.busy) this.#all.delete(key);
    }
    const edited = new Set([...this.#all.values(), ...this.#kept].map((entry) => entry.site));
    for (const other of [...this.#names.keys()]) if (other !== site && !edited.has(other)) this.#names.delete(other);
  }

  /** Takes note of what the site is called whose page is open. */
  call(site: string, name: string): void {
    this.#names.set(site, name);
  }

  /** The sites of an account with edits that are not saved. */
  dirty(account: string): string[] {
    const edited = [...this.#all.values()].filter(({ site, draft }) => site.startsWith(`${account}/`) && draft.isDirty);
    return [...new Set(edited.map(({ site }) => site))];
  }

  /** Whether anything is typed that is not saved, shown or not. */
  get isDirty(): boolean {
    return this.#waiting.length > 0 || [...this.#all.values()].some(({ draft }) => draft.isDirty);
  }

  /** What was put aside and may be read by the present token, which may not save it. */
  get readable(): KeptEdit[] {
    const readable = this.#waiting.filter(({ site, rights }) => standing(rights, this.#rights, site) !== "hidden");
    return readable.map(({ site, part, draft }) => ({ site, name: this.#names.get(site) ?? "", part, typed: draft.edits }));
  }

  /** Of how many sites edits were put aside that the present token is not shown. */
  get hidden(): number {
    const hidden = this.#waiting.filter(({ site, rights }) => standing(rights, this.#rights, site) === "hidden");
    return new Set(hidden.map(({ site }) => site)).size;
  }

  /** What was put aside and is not saved: a save that was on its way then may have gone through since. */
  get #waiting(): Entry[] {
    return this.#kept.filter(({ draft }) => draft.isDirty);
  }

  /** Another token signed in: what it may go on with is taken up, and the rest of what is typed put aside. */
  admit(rights: Rights): void {
    const typed = [...this.#all.values(), ...this.#kept].filter(({ draft }) => draft.isDirty);
    this.#all.clear();
    const kept: Entry[] = [];
    for (const entry of typed) {
      const key = keyOf(entry.site, entry.part);
      const goesOn = !this.#all.has(key) && standing(entry.rights, rights, entry.site) === "open";
      // The record as this token is shown it comes in, too.
      if (goesOn) this.#all.set(key, { ...entry, rights });
      else kept.push(entry);
    }
    this.#kept = kept;
    this.#rights = rights;
  }

  /** Lets go of what was put aside. */
  discardKept(): void {
    this.#kept = [];
  }

  /** Lets go of what was put aside of a part of a site, or of all sites of an account, as when it was erased. */
  forgetKept(owner: string, part: string): void {
    const isOf = ({ site }: Entry): boolean => site === owner || site.startsWith(`${owner}/`);
    this.#kept = this.#kept.filter((entry) => entry.part !== part || !isOf(entry));
  }

  clear(): void {
    this.#all.clear();
    this.#kept = [];
    this.#names.clear();
  }
}

function keyOf(site: string, part: string): string {
  return `${site}#${part}`;
}
