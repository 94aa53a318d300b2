// In which country a place is, as coarsely as a part of the world is called by: by a grid that the page brings along, so that
// nobody is asked. Loaded when a wallboard wants it.
import grid from "../gen/basemap/countries.json?url";
import type { Position } from "../position.js";

/** The code of the country that a place is in or beside, or its name where it has no code; empty at sea. */
export type CountryAt = (position: Position) => string;

interface Grid {
  degrees: number;
  names: string[];
  rows: number[][];
}

/** Nobody knows where anything is, where the grid does not come. */
export async function loadCountries(): Promise<CountryAt> {
  try {
    const answer = await fetch(new URL(grid, location.href));
    const { degrees, names, rows }: Grid = await answer.json();
    const cells = rows.map(unrolled);
    return ({ lat, lng }) => {
      const [line, column] = [Math.floor((90 - lat) / degrees), Math.floor((lng + 180) / degrees)];
      return names[nearest(cells, line, column) - 1] ?? "";
    };
  } catch {
    return () => "";
  }
}

/** The cell's country, or one beside a cell at sea: a coast is finer than the grid. */
function nearest(cells: number[][], line: number, column: number): number {
  const at = (row: number, cell: number): number => {
    const found = cells[Math.max(0, Math.min(row, cells.length - 1))] ?? [];
    return found[(cell + found.length) % found.length] ?? 0;
  };
  const beside = [[0, 0], [0, -1], [0, 1], [-1, 0], [1, 0], [-1, -1], [-1, 1], [1, -1], [1, 1]] as const;
  return beside.map(([down, right]) => at(line + down, column + right)).find((country) => country > 0) ?? 0;
}

function unrolled(runs: number[]): number[] {
  const row: number[] = [];
  for (let at = 0; at + 1 < runs.length; at += 2) for (let cell = 0; cell < runs[at + 1]!; cell += 1) row.push(runs[at]!);
  return row;
}
