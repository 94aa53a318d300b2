// What is typed on sites' pages and not saved: it outlives the page that it was typed on, and the end of a session.
import { SvelteMap } from "svelte/reactivity";
import { Draft } from "./draft.svelte.js";
import type { Parts } from "./merge.js";

export class Drafts {
  #all = new SvelteMap<string, { site: string; draft: Draft<unknown> }>();

  /** The draft of a part of a site: the one that was left there, or a new one. Without `parts` nothing is merged in it. */
  of<T>(site: string, part: string, parts?: Parts<T>): Draft<T> {
    const key = `${site}#${part}`;
    const known = this.#all.get(key);
    if (known) return known.draft as Draft<T>;
    const draft = new Draft<T>(parts);
    this.#all.set(key, { site, draft: draft as Draft<unknown> });
    return draft;
  }

  /** The sites of an account with edits that are not saved. */
  dirty(account: string): string[] {
    const edited = [...this.#all.values()].filter(({ site, draft }) => site.startsWith(`${account}/`) && draft.isDirty);
    return [...new Set(edited.map(({ site }) => site))];
  }

  get isDirty(): boolean {
    return [...this.#all.values()].some(({ draft }) => draft.isDirty);
  }

  clear(): void {
    this.#all.clear();
  }
}
