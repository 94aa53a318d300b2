// The columns of a sheet of sites, as the command line has them. What begins with `info.` is told and never read: a sheet that
// was exported is a sheet that can be imported.

const LABEL = "label.";
/** What a column begins with that is told and never read. */
export const INFO = "info.";

/** The columns that people may set, in the order in which they are written. */
export const SETTABLE = [
  "name",
  "status",
  "email",
  "first_name",
  "last_name",
  "phones",
  "customer_id",
  "contract_id",
  "note",
  "labels",
  "ticketing_links",
  "address",
  "lat",
  "lng",
] as const;

const OTHERS = ["site_id", "agent_id", "phone", "street", "postal_code", "locality", "region", "country"];
const NAMED: ReadonlySet<string> = new Set<string>([...SETTABLE, ...OTHERS]);
/** Columns that hold several values. */
const LISTS: ReadonlySet<string> = new Set(["phones", "labels", "ticketing_links"]);

/** All columns there are, for people. */
export const ALL_COLUMNS = [...NAMED, "label.KEY", "info.ANYTHING"].join(", ");

/** The column of a heading, without regard to case; absent where there is none. */
export function columnOf(heading: string): string | undefined {
  const column = heading.trim().toLowerCase();
  if (column === "display_name") return "name";
  const isLabel = column.startsWith(LABEL) && column.length > LABEL.length;
  return NAMED.has(column) || isInfo(column) || isLabel ? column : undefined;
}

/** Whether a column is told and never read. */
export function isInfo(column: string): boolean {
  return column.startsWith(INFO);
}

/** The key of a column of one label; absent for other columns. */
export function labelKey(column: string): string | undefined {
  return column.startsWith(LABEL) ? column.slice(LABEL.length) : undefined;
}

/** Whether a column holds several values. */
export function isList(column: string): boolean {
  return LISTS.has(column);
}
