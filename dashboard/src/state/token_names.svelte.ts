// What the tokens that made a site's fixes are called: a fix holds an id, and the site's history the name.
import type { Api } from "../api/client.js";
import { type Fix, FixSource } from "../gen/waymark/v1/location_pb.js";
import { tokenOf } from "../fix_words.js";

/** Newest changes of a fix that are looked at: the one that made it is among the first. */
const CHANGES_MAX = 10;

/** The fixes that a token may have made, as a history calls them. */
const FIELDS: Partial<Record<FixSource, string>> = {
  [FixSource.ADDRESS]: "location.fixes.address",
  [FixSource.PIN]: "location.fixes.pin",
  [FixSource.DEVICE]: "location.fixes.device",
};

export class TokenNames {
  /** By the ids of tokens. */
  known = $state.raw<ReadonlyMap<string, string>>(new Map());

  #api: Api;
  /** What was asked for already, whatever the answer: a site, a field and a token each. */
  #asked = new Set<string>();

  constructor(api: Api) {
    this.#api = api;
  }

  /** Asks for the names of the tokens that made a site's fixes, those that are not known. */
  async ensure(site: string, fixes: Fix[]): Promise<void> {
    await Promise.all(fixes.map((fix) => this.#ask(site, fix)));
  }

  async #ask(parent: string, { source, maker }: Fix): Promise<void> {
    const [field, token] = [FIELDS[source], tokenOf(maker)];
    const question = `${parent} ${field} ${token}`;
    if (!field || !token || this.known.has(token) || this.#asked.has(question)) return;
    this.#asked.add(question);
    try {
      const { changes } = await this.#api.history.listSiteChanges({ parent, field, pageSize: CHANGES_MAX });
      const found = changes.flatMap(({ actor }): [string, string][] =>
        actor?.kind.case === "token" && actor.displayName
          ? [[actor.kind.value.split("/").at(-1) ?? "", actor.displayName]]
          : [],
      );
      this.known = new Map([...this.known, ...found]);
    } catch {
      // The name is a help: the id stands in its place.
      this.#asked.delete(question);
    }
  }
}
