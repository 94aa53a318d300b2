// Where a long list stands. Browsers make no box as high as millions of rows, so beyond a height the box is lower than what is in it.
// Small moves of the box move the rows as far, so that nothing is passed over; great ones, as of a scroll bar that is dragged, go in
// proportion; and near both ends the two are the same, so that both can be reached. All in pixels.

/** Highest box: below what browsers make of it (17,895,697 in Firefox, 33,554,428 in others). */
const BOX_PX_MAX = 15_000_000;
/** A greater move is one of the scroll bar: a pixel of that is more, on any screen, and a turn of a wheel is less. */
const GREAT_PX = 5_000;
/** So near an end of the box its rows are at the same distance from theirs. */
const END_PX = 20_000;

/** How far the box can be scrolled, and how far all rows could be if there were a box for them. */
export interface Range {
  box: number;
  rows: number;
}

/** Where the box is scrolled to, and how much farther the rows are. */
export interface Stand {
  scrolled: number;
  ahead: number;
}

export const START: Stand = { scrolled: 0, ahead: 0 };

/** The height of the box for rows of a height. */
export function boxHeight(rows: number): number {
  return Math.min(rows, BOX_PX_MAX);
}

/** How far rows of a height can be scrolled, with so much around them, in a window. */
export function rangeOf(rows: number, around: number, window: number): Range {
  const beyond = (height: number): number => Math.max(0, height + around - window);
  return { box: beyond(boxHeight(rows)), rows: beyond(rows) };
}

/** How far down the rows are. */
export function offsetOf({ scrolled, ahead }: Stand): number {
  return scrolled + ahead;
}

/** The stand after the box was scrolled. Where that differs from where the box is, the box goes there. */
export function moved(stand: Stand, scrolled: number, range: Range): Stand {
  if (range.box === range.rows) return { scrolled, ahead: 0 };
  const by = scrolled - stand.scrolled;
  const isGreat = Math.abs(by) > GREAT_PX;
  return stood(scrolled, isGreat ? rowsAt(scrolled, range) : offsetOf(stand) + by, range);
}

/** The stand at which the rows are so far down. */
export function sought(stand: Stand, offset: number, range: Range): Stand {
  const to = Math.max(0, Math.min(offset, range.rows));
  const by = to - offsetOf(stand);
  return stood(Math.abs(by) > GREAT_PX ? boxAt(to, range) : stand.scrolled + by, to, range);
}

/** A stand of box and rows, which agree near the ends. */
function stood(scrolled: number, offset: number, range: Range): Stand {
  const to = Math.max(0, Math.min(offset, range.rows));
  if (range.box === range.rows) return { scrolled: to, ahead: 0 };
  const inStep = boxAt(to, range);
  const isFar = (at: number, end: number): boolean => at >= END_PX && end - at >= END_PX;
  const at = isFar(scrolled, range.box) && isFar(to, range.rows) ? scrolled : inStep;
  return { scrolled: at, ahead: to - at };
}

/** Where the box is when the rows are so far down, in proportion. */
function boxAt(offset: number, { box, rows }: Range): number {
  return between(offset, rows, box);
}

/** How far down the rows are when the box is there, in proportion. */
function rowsAt(scrolled: number, { box, rows }: Range): number {
  return between(scrolled, box, rows);
}

/** A place of one range in the other one: at the same distance from an end near to it, and in proportion elsewhere. */
function between(at: number, from: number, to: number): number {
  if (from === to || at <= END_PX) return at;
  if (from - at <= END_PX) return to - (from - at);
  return END_PX + ((at - END_PX) * (to - 2 * END_PX)) / (from - 2 * END_PX);
}
