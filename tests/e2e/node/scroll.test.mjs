// How a list of millions of rows is scrolled in a box that browsers can make: every row is reached, nothing is passed over, and both
// ends are the ends.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { pure } from "./modules.mjs";

const ROW_PX = 52;
const AROUND_PX = 22;
const WINDOW_PX = 700;
/** A turn of a wheel. */
const WHEEL_PX = 120;
/** Rows of a short list, of the longest one that needs no second scale, and of some that do. */
const COUNTS = [3, 1_000, 288_461, 288_462, 300_000, 600_001, 2_000_000, 20_000_000];

let scroll;

before(async () => {
  scroll = await pure("state/scroll.ts");
});

const rangeOf = (count) => scroll.rangeOf(count * ROW_PX, AROUND_PX, WINDOW_PX);

/** A box as a browser scrolls it, and the list in it. */
function listOf(count) {
  const range = rangeOf(count);
  let [top, stand] = [0, scroll.START];
  const clamp = (to) => Math.max(0, Math.min(to, range.box));
  const settle = (next) => {
    stand = next;
    // Boxes stand on whole pixels, as far as anybody can rely on.
    top = Math.round(clamp(next.scrolled));
    stand = { scrolled: top, ahead: next.ahead === 0 ? 0 : scroll.offsetOf(next) - top };
  };
  return {
    range,
    get top() {
      return top;
    },
    get offset() {
      return scroll.offsetOf(stand);
    },
    get ahead() {
      return stand.ahead;
    },
    by: (px) => settle(scroll.moved(stand, clamp(top + px), range)),
    drag: (to) => settle(scroll.moved(stand, clamp(to), range)),
    seek: (offset) => settle(scroll.sought(stand, offset, range)),
  };
}

const near = (found, expect, told) => assert.ok(Math.abs(found - expect) <= 1, `${told}: ${found}, not ${expect}`);

test("no box is higher than browsers make one, and a short list has one scale", () => {
  for (const count of COUNTS) {
    assert.ok(scroll.boxHeight(count * ROW_PX) <= 15_000_000);
    const { box, rows } = rangeOf(count);
    assert.equal(box === rows, count * ROW_PX <= 15_000_000, `${count} rows`);
  }
  const list = listOf(1_000);
  for (const to of [10, 4_000, 51_000, 0]) {
    list.drag(to);
    assert.deepEqual([list.offset, list.ahead], [to, 0]);
  }
});

test("a scroll bar that is dragged leads to both ends, and in proportion to what is between", () => {
  for (const count of COUNTS) {
    const list = listOf(count);
    list.drag(list.range.box);
    near(list.offset, list.range.rows, `the end of ${count}`);
    list.drag(list.range.box / 2);
    near(list.offset, list.range.rows / 2, `the middle of ${count}`);
    list.drag(0);
    near(list.offset, 0, `the beginning of ${count}`);
  }
});

test("a wheel moves the rows as far as it turns, wherever they are, and reaches both ends", () => {
  for (const count of COUNTS.filter((count) => count > 1_000)) {
    const list = listOf(count);
    for (const start of [0, 0.3, 0.5, 0.9, 0.9999]) {
      for (const way of [1, -1]) {
        list.drag(list.range.box * start);
        for (let turn = 0; turn < 500; turn += 1) {
          const before = list.offset;
          list.by(way * WHEEL_PX);
          const expect = Math.max(0, Math.min(before + way * WHEEL_PX, list.range.rows));
          near(list.offset, expect, `${count} rows, from ${start}, turn ${turn}`);
        }
      }
    }
    list.seek(50_000);
    for (let turn = 0; turn < 500; turn += 1) list.by(-WHEEL_PX);
    assert.deepEqual([Math.round(list.offset), list.top], [0, 0], `${count} rows`);
    list.seek(list.range.rows - 50_000);
    for (let turn = 0; turn < 500; turn += 1) list.by(WHEEL_PX);
    near(list.offset, list.range.rows, `${count} rows`);
    near(list.top, list.range.box, `${count} rows`);
  }
});

test("the keys bring each row into the box, from anywhere", () => {
  for (const count of COUNTS) {
    const list = listOf(count);
    const places = [0, 1, 0.1, 0.5, 0.501, 0.999, 1, 0].map((part) => Math.floor(part * (count - 1)));
    for (const at of [...places, Math.min(count - 1, 385), Math.max(0, count - 386)]) {
      const expect = Math.min(at * ROW_PX, list.range.rows);
      list.seek(at * ROW_PX);
      near(list.offset, expect, `row ${at} of ${count}`);
      // Where the row is drawn is in sight.
      const drawn = at * ROW_PX - list.ahead;
      assert.ok(drawn >= list.top - 1 && drawn <= list.top + WINDOW_PX, `row ${at} of ${count} is at ${drawn}, the box at ${list.top}`);
      assert.ok(drawn + ROW_PX <= scroll.boxHeight(count * ROW_PX) + 1, `row ${at} of ${count} is in the box`);
    }
    // Step by step over where the box has to be put right.
    list.seek(0);
    for (let at = 0; at < Math.min(count, 1_500); at += 1) {
      list.seek(at * ROW_PX);
      near(list.offset, Math.min(at * ROW_PX, list.range.rows), `row ${at} of ${count}`);
    }
  }
});

test("a list that grows or shrinks stays at its rows, as far as they are there", () => {
  const [short, long] = [rangeOf(280_000), rangeOf(900_000)];
  const at = scroll.sought(scroll.START, 14_000_000, short);
  const grown = scroll.sought(at, scroll.offsetOf(at), long);
  assert.equal(scroll.offsetOf(grown), 14_000_000);
  assert.ok(grown.scrolled <= long.box);
  const far = scroll.sought(grown, long.rows, long);
  const shrunk = scroll.sought(far, scroll.offsetOf(far), short);
  assert.deepEqual(shrunk, { scrolled: short.rows, ahead: 0 });
});
