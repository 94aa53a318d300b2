// The pictures of symbols: whoever sees no colours tells them apart all the same, rings have the shares that they are named by, and
// what is coloured stands on paper.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { COLORS, noteDrawing, painted } from "./canvas.mjs";
import { pure } from "./modules.mjs";

const SCHEMES = ["light", "dark"];
/** A donut of one status alone has all its shares. */
const SHARES = 16;
/** Radians that an arc ends before its share does, at most: arcs of several statuses stand a little apart. */
const GAP_MAX = 0.05;
/** Pixels of paper beyond what is coloured, at least; less than the one that there is by what numbers are rounded to. */
const PAPER_PX_MIN = 0.99;

let drawIcon, PALETTES, STATUSES;

before(async () => {
  noteDrawing();
  ({ drawIcon } = await pure("map/icons.ts"));
  ({ PALETTES, STATUSES } = await pure("map/palette.ts"));
});

/** Everything of a picture but its colours. */
function drawn(name) {
  const picture = drawIcon(name);
  assert.ok(picture, `${name} has a picture`);
  return JSON.stringify(picture.steps.filter(([step]) => !COLORS.includes(step)));
}

/** Asserts that no two pictures are the same but for their colours. */
function differ(names) {
  const all = new Map();
  for (const name of names) {
    const shape = drawn(name);
    assert.equal(all.get(shape), undefined, `${name} is drawn like ${all.get(shape)} but for its colours`);
    all.set(shape, name);
  }
}

/** The picture of many sites of one status. */
function sole(kind, scheme, at) {
  return [kind, scheme, "1", ...STATUSES.map((_, status) => (status === at ? SHARES : 0))].join("|");
}

test("pins of all statuses, of persons and of machines, have shapes of their own", () => {
  for (const scheme of SCHEMES) {
    differ(STATUSES.flatMap((status) => [true, false].map((confirmed) => `pin|${scheme}|${status}|${confirmed}`)));
  }
});

test("rings of clusters, stacks and areas tell statuses by their width and their strokes", () => {
  for (const scheme of SCHEMES) {
    differ(["donut", "stack", "ring"].flatMap((kind) => STATUSES.map((_, at) => sole(kind, scheme, at))));
  }
});

test("light and dark screens have the same shapes", () => {
  for (const status of STATUSES) assert.equal(drawn(`pin|light|${status}|true`), drawn(`pin|dark|${status}|true`));
  assert.equal(drawn("donut|light|2|4|4|4|4"), drawn("donut|dark|2|4|4|4|4"));
});

/** The strokes of a picture that have a status's colour. */
function arcsOf(scheme, picture) {
  const colors = STATUSES.map((status) => PALETTES[scheme].status[status]);
  return painted(picture).filter(({ by, color }) => by === "stroke" && colors.includes(color));
}

test("rings have the shares that they are named by, clockwise from the top, the worst first, with paper beyond them", () => {
  for (const [scheme, kind] of SCHEMES.flatMap((scheme) => ["donut", "stack", "ring"].map((kind) => [scheme, kind]))) {
    for (const shares of [[12, 0, 0, 4], [4, 4, 4, 4], [1, 0, 0, 16], [0, 3, 5, 8], [16, 0, 0, 0], [0, 0, 16, 0]]) {
      const name = [kind, scheme, 1, ...shares].join("|");
      const picture = drawIcon(name);
      const arcs = arcsOf(scheme, picture);
      const total = shares.reduce((sum, share) => sum + share, 0);
      let [from, left] = [-Math.PI / 2, [...arcs]];
      for (const [at, share] of shares.entries()) {
        if (share === 0) continue;
        const { color, arcs: [[x, y, , begin, end]] } = left.shift();
        const to = from + (2 * Math.PI * share) / total;
        assert.equal(color, PALETTES[scheme].status[STATUSES[at]], name);
        assert.deepEqual([x, y], [0, 0], name);
        const gap = share === total ? 1e-9 : GAP_MAX;
        assert.ok(begin >= from - 1e-9 && begin - from <= gap && end <= to + 1e-9 && to - end <= gap, `${name}: ${begin} to ${end} of ${from} to ${to}`);
        from = to;
      }
      assert.deepEqual(left, [], `${name} has an arc of no share`);
      const [, , paper] = painted(picture).filter(({ by }) => by === "fill").at(-1).arcs[0];
      const outer = Math.max(...arcs.map(({ lineWidth, arcs: [[, , radius]] }) => radius + lineWidth / 2));
      assert.ok(paper - outer >= PAPER_PX_MIN, `${name}: paper to ${paper}, arcs to ${outer}`);
    }
  }
});

test("an approximate pin is hollow in a broken ring that has paper beside it, a confirmed one is filled", () => {
  for (const [scheme, status] of SCHEMES.flatMap((scheme) => STATUSES.map((status) => [scheme, status]))) {
    const { paper, status: { [status]: color } } = PALETTES[scheme];
    const [filled, hollow] = [true, false].map((confirmed) => painted(drawIcon(`pin|${scheme}|${status}|${confirmed}`)));
    const steps = (parts) => parts.map(({ by, color }) => [by, color]);
    assert.deepEqual(steps(filled), [["fill", paper], ["fill", color]]);
    assert.deepEqual(steps(hollow), [["fill", paper], ["stroke", color], ["stroke", paper], ["stroke", color]]);
    const [, , below, ring] = hollow;
    assert.deepEqual(below.arcs, ring.arcs);
    assert.ok(!below.setLineDash && ring.setLineDash.every((part) => part > 1), "the ring alone is broken");
    assert.ok((below.lineWidth - ring.lineWidth) / 2 >= PAPER_PX_MIN);
  }
});

test("what is no name of a picture has none", () => {
  for (const name of ["", "pin", "pin|dusk|online|true", "donut|light|9|1|1|1|1", "ring|light|0|1|1|1", "ring|light|0|-1|1|1|1"]) {
    assert.equal(drawIcon(name), undefined, name);
  }
});
