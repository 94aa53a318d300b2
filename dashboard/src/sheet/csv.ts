// CSV (RFC 4180) as spreadsheets write it: records with the line that each begins in, and records back.

/** What may stand between cells; of as many the last one is taken. */
const DELIMITERS = ["\t", ";", ","];
const LINE_END = /\r\n|\r|\n/;
/** A cell that has to stand in quotes. */
const QUOTED = /[",\r\n]/;

/** One row of cells. */
export interface CsvRecord {
  /** The line in which it begins, from 1, as editors count. */
  line: number;
  cells: string[];
}

/** What stands between cells: what the heading has most of. */
export function delimiterOf(text: string): string {
  const heading = text.trimStart().split(LINE_END, 1)[0] ?? "";
  const times = (delimiter: string): number => heading.split(delimiter).length;
  return DELIMITERS.reduce((best, next) => (times(next) >= times(best) ? next : best));
}

/** The records of a text, the heading among them. Empty lines are none. */
export function* records(text: string, delimiter: string): Generator<CsvRecord> {
  let [at, line] = [0, 1];
  while (at < text.length) {
    const end = lineEnd(text, at);
    if (end > 0) {
      [at, line] = [at + end, line + 1];
      continue;
    }
    const record: CsvRecord = { line, cells: [] };
    for (;;) {
      const cell = cellAt(text, at, delimiter);
      record.cells.push(cell.text);
      line += cell.lines;
      at = cell.end;
      if (text[at] !== delimiter) break;
      at += 1;
    }
    const over = lineEnd(text, at);
    if (over > 0) [at, line] = [at + over, line + 1];
    yield record;
  }
}

/** A record as a line of a file. */
export function csvLine(cells: string[]): string {
  const quoted = cells.map((cell) => (QUOTED.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell));
  return `${quoted.join(",")}\r\n`;
}

/** How long the end of a line at `at` is; 0 for none. */
function lineEnd(text: string, at: number): number {
  if (text[at] === "\n") return 1;
  if (text[at] !== "\r") return 0;
  return text[at + 1] === "\n" ? 2 : 1;
}

/** The cell that begins at `at`: where it ends, and how many lines end in it. Quotes mean something at its beginning alone. */
function cellAt(text: string, at: number, delimiter: string): { text: string; end: number; lines: number } {
  let [cell, lines] = ["", 0];
  if (text[at] === '"') {
    at += 1;
    for (;;) {
      const quote = text.indexOf('"', at);
      const end = quote < 0 ? text.length : quote;
      cell += text.slice(at, end);
      at = end + 1;
      if (quote < 0 || text[at] !== '"') break;
      cell += '"';
      at += 1;
    }
    lines = cell.split(LINE_END).length - 1;
  }
  let end = at;
  while (end < text.length && text[end] !== delimiter && text[end] !== "\r" && text[end] !== "\n") end += 1;
  return { text: cell + text.slice(at, end), end, lines };
}
