// Ties the page's address to what is shown: deep links, and the browser's back and forward. Runs while the page is open.
import { accountId, siteName } from "../api/names.js";
import { isSameScope, queueOf, saysList, scopeOf, storeListed } from "./listed.js";
import { Place, type Stand } from "./place.js";
import type { Workspace } from "./workspace.svelte.js";

/** What the address calls the page of the ticketing systems. */
const TICKETING = "ticketing";

export class Navigation {
  /** Where the map is asked to stand at once; each wish is a new object. Without a stand the whole world. */
  jump = $state.raw<{ stand: Stand | undefined } | undefined>();

  #workspace: Workspace;
  #place: Place;
  /** A site that was named without saying where: the map goes there once it is known. */
  #awaited = $state("");
  #unwatch: (() => void) | undefined;

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
    this.#place = new Place(accountId(workspace.account));
  }

  /** Where the map begins. */
  get stand(): Stand | undefined {
    return this.#place.stand;
  }

  /** Takes up what the address says, and keeps the two alike from then on. */
  start(): void {
    this.#apply(this.#place.read());
    window.addEventListener("popstate", this.#onPop);
    this.#unwatch = $effect.root(() => {
      $effect(() => this.#write());
      $effect(() => this.#arrive());
    });
  }

  stop(): void {
    window.removeEventListener("popstate", this.#onPop);
    this.#unwatch?.();
    this.#place.stop();
  }

  moved(stand: Stand): void {
    this.#place.moved(stand);
  }

  #shown(): URLSearchParams {
    const { filter, opened, account, pages, ticketing, attention, listing } = this.#workspace;
    const rest = new URLSearchParams();
    filter.store(rest);
    storeListed(listing.scope, attention.open ? attention.kind : undefined, rest);
    const page = pages.shown || (ticketing ? TICKETING : "");
    if (page) rest.set("page", page);
    if (opened.name) rest.set("site", opened.name.slice(`${account}/sites/`.length));
    return rest;
  }

  #write(): void {
    const shown = this.#shown();
    // A group that has dissolved is left by nobody's step: the way back would lead to it, and from there on again.
    const isGone = this.#workspace.listing.dissolved && saysList(this.#place.rest) && !saysList(shown);
    this.#place.show(shown, !isGone);
  }

  #arrive(): void {
    const site = this.#workspace.opened.site;
    if (!site || site.name !== this.#awaited) return;
    this.#awaited = "";
    const { position, granularity } = site.location ?? {};
    if (position && granularity !== undefined) this.#workspace.visit(position, granularity);
  }

  #onPop = (): void => {
    const before = this.#workspace.filter.text;
    const rest = this.#place.read();
    this.#apply(rest);
    this.jump = { stand: this.#place.stand };
    if (this.#workspace.filter.text !== before) this.#workspace.refilter();
  };

  #apply(rest: URLSearchParams): void {
    const { filter, account, opened, pages, session } = this.#workspace;
    filter.restore(rest);
    this.#list(rest);
    // Pages of the account are not for who sees some of its sites alone.
    const [site, page] = [rest.get("site"), session.confined ? null : rest.get("page")];
    pages.show(page === "exchange" || page === "access" ? page : "");
    if (page === TICKETING) this.#workspace.openTicketing();
    else if (this.#workspace.ticketing) this.#workspace.close();
    const name = site ? siteName(account, site) : "";
    if (name && !this.#place.stand) this.#awaited = name;
    if (name && name !== opened.name) this.#workspace.openNamed(name);
    else if (!name && opened.name) this.#workspace.close();
    this.#place.adopt(this.#shown());
  }

  /** What stands in the list's place. */
  #list(rest: URLSearchParams): void {
    const { attention, listing, hasQueue } = this.#workspace;
    const queue = hasQueue ? queueOf(rest) : undefined;
    if (queue === undefined) this.#workspace.endQueue();
    else if (!attention.open || attention.kind !== queue) void attention.begin(queue);
    const scope = scopeOf(rest);
    if (!isSameScope(scope, listing.scope)) this.#workspace.relist(scope);
  }
}
