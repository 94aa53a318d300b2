// A file of sites, understood: its rows one by one, and what is wrong with those that cannot be read.
import { importing as words } from "../admin_strings.js";
import type { SiteRow } from "../gen/waymark/v1/import_service_pb.js";
import { CLEAR, unguard } from "./cell.js";
import { ALL_COLUMNS, columnOf, INFO, isInfo } from "./columns.js";
import { type CsvRecord, delimiterOf, records } from "./csv.js";
import { type Feature, featuresIn, pointOf } from "./features.js";
import { type Given, type Match, RowFault, RowReading, siteOf } from "./row.js";

/** Where a row stands, what it is called, and what it says of a site or why that cannot be read. */
export interface SheetRow {
  /** Which row it is, from 1. The server knows it by this. */
  row: number;
  /** The line of a CSV file in which it begins, or which feature it is: for people. */
  line: number;
  name: string;
  message?: SiteRow;
  fault?: RowFault;
}

export type SheetKind = "csv" | "geojson";

/** Rows read before the page gets a turn: a few milliseconds' worth. */
const ROWS_A_TURN = 500;
const BYTE_ORDER_MARK = "\ufeff";

/** What a file is, by its name; CSV where that says nothing. */
export function kindOf(fileName: string): SheetKind {
  return /\.(geo)?json(l|s)?$|\.ndjson$/i.test(fileName) ? "geojson" : "csv";
}

/** The text of a file. UTF-8 alone: a guess would write wrong letters into records. */
export function textOf(bytes: ArrayBuffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    throw new Error(words.noUtf8);
  }
}

/** The rows of a text. An error is one of the file. */
export async function readSheet(text: string, kind: SheetKind, match: Match, parent: string): Promise<SheetRow[]> {
  const sources = kind === "csv" ? csvRows(text, match) : featureRows(text);
  const rows: SheetRow[] = [];
  const repeats = new Map<string, SheetRow>();
  for (const { line, name, keys, read } of sources) {
    const row: SheetRow = { row: rows.length + 1, line, name };
    try {
      const reading = new RowReading();
      read(reading);
      row.message = reading.finish(match, parent);
    } catch (error) {
      if (!(error instanceof RowFault)) throw error;
      row.fault = error;
    }
    rows.push(row);
    refuseTwice(repeats, claimsOf(keys, match, parent), row);
    if (rows.length % ROWS_A_TURN === 0) await new Promise((resume) => setTimeout(resume));
  }
  return rows;
}

/** What a row names its site by. */
interface Keys {
  name: string;
  siteId: string;
  agentId: string;
}

interface Source {
  line: number;
  name: string;
  keys: Keys;
  read: (reading: RowReading) => void;
}

/** What a row has to itself: a key that no other one has, and what is said of two that have it. */
type Claim = [key: string, twice: (line: number) => string];

/** Which of two rows of one site, or with one name, is meant, nobody can tell: neither is applied. */
function refuseTwice(repeats: Map<string, SheetRow>, claims: Claim[], row: SheetRow): void {
  let isTold = false;
  for (const [key, twice] of claims) {
    const first = repeats.get(key);
    if (!first) {
      repeats.set(key, row);
      continue;
    }
    if (!isTold) row.fault = new RowFault("name", twice(first.line));
    isTold = true;
    first.fault ??= new RowFault("name", twice(row.line));
  }
}

function claimsOf({ name, siteId, agentId }: Keys, match: Match, parent: string): Claim[] {
  const claims: Claim[] = [];
  if (match === "agent_id" && agentId) claims.push([`agent ${agentId}`, words.twice]);
  if (match === "site_id" && siteId) claims.push([`site ${siteOf(siteId, parent)}`, words.twice]);
  const folded = name.normalize("NFKC").toLowerCase().trim().replace(/\s+/g, " ");
  if (folded) claims.push([`name ${folded}`, match === "name" ? words.twice : words.nameTwice]);
  return claims;
}

function* csvRows(text: string, match: Match): Generator<Source> {
  if (text.trim() === "") throw new Error(words.emptyFile);
  const all = records(text, delimiterOf(text));
  const heading = all.next().value as CsvRecord | undefined;
  const columns = columnsOf(heading?.cells ?? []);
  if (!columns.includes(match)) throw new Error(words.noColumn(match));
  for (const { line, cells } of all) {
    const cell = (column: string): string => unguard((cells[columns.indexOf(column)] ?? "").trim());
    const keys = { name: cell("name"), siteId: cell("site_id"), agentId: cell("agent_id") };
    yield { line, name: keys.name, keys, read: (reading) => readCells(reading, columns, cells) };
  }
}

function columnsOf(headings: string[]): string[] {
  const columns: string[] = [];
  for (const heading of headings) {
    const column = columnOf(heading.replace(BYTE_ORDER_MARK, ""));
    if (column === undefined) throw new Error(words.unknownColumn(heading, ALL_COLUMNS));
    if (columns.includes(column)) throw new Error(words.columnTwice(heading));
    columns.push(column);
  }
  return columns;
}

function readCells(reading: RowReading, columns: string[], cells: string[]): void {
  if (cells.length !== columns.length) throw new RowFault("", words.otherLength(cells.length, columns.length));
  columns.forEach((column, at) => {
    // Of a note blanks and ends of lines are text, too.
    const cell = column === "note" ? (cells[at] ?? "") : (cells[at] ?? "").trim();
    if (cell.startsWith("=") && !isInfo(column)) throw new RowFault(column, words.formula);
    if (cell === CLEAR) reading.put(column, null);
    else if (cell !== "") reading.put(column, unguard(cell));
  });
}

function* featureRows(text: string): Generator<Source> {
  const features = featuresIn(text);
  for (const [at, value] of features.entries()) {
    const feature: Feature = Object(value);
    const properties = Object.entries(feature.properties ?? {});
    const named = (column: string): string => {
      const found = properties.find(([key]) => columnOf(key) === column)?.[1];
      return typeof found === "string" || typeof found === "number" ? String(found).trim() : "";
    };
    const keys = { name: named("name"), siteId: named("site_id"), agentId: named("agent_id") };
    yield { line: at + 1, name: keys.name, keys, read: (reading) => readFeature(reading, feature) };
  }
}

function readFeature(reading: RowReading, feature: Feature): void {
  if (feature.type !== "Feature") throw new RowFault("type", words.notAFeature);
  const seen = new Set<string>();
  for (const [key, value] of Object.entries(feature.properties ?? {})) {
    const column = columnOf(key);
    if (column === undefined) throw new RowFault("", words.unknownColumn(key, ALL_COLUMNS));
    if (seen.has(column)) throw new RowFault(column, words.columnTwice(key));
    seen.add(column);
    const given = givenBy(column, value);
    if (given !== undefined) reading.put(column, given);
  }
  // A point that waymark found out by itself is no pin.
  const source = feature.properties?.[`${INFO}source`];
  if (!feature.geometry || (source !== undefined && source !== "pin")) return;
  const point = pointOf(feature);
  if (!point) throw new RowFault("geometry", words.noPoint);
  reading.putPosition(point[1], point[0]);
}

/** What a property gives; absent for nothing. */
function givenBy(column: string, value: unknown): Given | undefined {
  if (value === null || (typeof value === "object" && value)) return value;
  const text = String(value);
  const kept = column === "note" ? text : text.trim();
  return kept === "" ? undefined : kept;
}
