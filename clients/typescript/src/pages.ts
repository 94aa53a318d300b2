// Lists that come in pages, as iterators over their items.
import { WaymarkError } from "./errors.js";

/** A page of items. */
export interface Page {
  nextPageToken: string;
  /** Sites that are left out, because their records are damaged; of lists that may lack some. */
  unreachable?: string[];
}

/**
 * All items of a list, page by page as they are read:
 * `for await (const site of each(client.sites.listSites, { parent }, (page) => page.sites))`. Where records of sites are damaged it
 * throws behind all others, and names them.
 */
export async function* each<R extends object, P extends Page, Item>(
  list: (request: R) => Promise<P>,
  request: R,
  itemsOf: (page: P) => Item[],
): AsyncGenerator<Item, void, undefined> {
  let asked = request;
  const unreachable: string[] = [];
  for (;;) {
    const page = await list(asked);
    yield* itemsOf(page);
    unreachable.push(...(page.unreachable ?? []));
    if (!page.nextPageToken) break;
    asked = { ...request, pageToken: page.nextPageToken };
  }
  if (unreachable.length > 0) throw WaymarkError.leftOut(unreachable);
}
