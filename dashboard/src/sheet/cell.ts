// Texts in cells, such that no spreadsheet takes one for a formula, and each comes back as it was.

/** What a cell begins with that a spreadsheet takes for a formula, in any language (OWASP, CSV injection). */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;
/** The cell that clears a field. */
export const CLEAR = "<clear>";

/** The text as a cell holds it: an apostrophe stands before what would mean something else. */
export function guard(text: string): string {
  return needsGuard(text) ? `'${text}` : text;
}

/** The text that a cell holds. */
export function unguard(cell: string): string {
  return cell.startsWith("'") && needsGuard(cell.slice(1)) ? cell.slice(1) : cell;
}

function needsGuard(text: string): boolean {
  // Of apostrophes before such a text each is one more guard.
  const bare = text.replace(/^'+/, "");
  return FORMULA.test(bare) || bare === CLEAR;
}
