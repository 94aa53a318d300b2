// Lists "problems first": the sites of one status after the other, worst first, as one list of pages.
import { SiteStatus } from "../gen/waymark/v1/site_pb.js";

/** From the worst on, in the order of a tally's worst status. */
const STAGES = [SiteStatus.OFFLINE, SiteStatus.UNKNOWN, SiteStatus.MAINTENANCE, SiteStatus.ONLINE];
/** Between the number of a stage and the server's own token. */
const SEPARATOR = ":";

export interface StagedPage<T> {
  rows: T[];
  next: string;
  total?: bigint;
  /** Names of sites whose records cannot be read: perhaps they belong here. */
  unreachable?: string[];
}

/** Asks for a page of one status with a token of the server's; of a page without rows only the total counts. */
type Ask<T> = (filter: string, token: string) => Promise<StagedPage<T>>;

/** The page behind a token of this list's own; `filter` is that of the whole list. */
export async function stagedPage<T>(filter: string, token: string, size: number, ask: Ask<T>): Promise<StagedPage<T>> {
  const at = token.indexOf(SEPARATOR);
  let stage = at < 0 ? 0 : Number(token.slice(0, at));
  let inner = at < 0 ? "" : token.slice(at + 1);
  const all = at < 0 ? ask(filter, "") : undefined;
  const rows: T[] = [];
  // Each status names the same ones.
  const unreachable = new Set<string>();
  while (stage < STAGES.length && rows.length < size) {
    const page = await ask(`status = ${SiteStatus[STAGES[stage]!]} ${filter}`, inner);
    rows.push(...page.rows);
    for (const name of page.unreachable ?? []) unreachable.add(name);
    inner = page.next;
    if (inner === "") stage += 1;
  }
  const next = stage < STAGES.length ? `${stage}${SEPARATOR}${inner}` : "";
  const total = (await all)?.total;
  const page = { rows, next, unreachable: [...unreachable] };
  return total === undefined ? page : { ...page, total };
}
