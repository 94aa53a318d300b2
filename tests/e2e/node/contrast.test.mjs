// The colours of page and map, light and dark: what is drawn and written stands out from what it stands on, as WCAG 2.2 wants it (1.4.3 and
// 1.4.11), and the statuses are told apart by those who do not see red and green.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { before, test } from "node:test";
import { pure, shades, tokens } from "./modules.mjs";
import { ROOT } from "./server.mjs";

const SOURCES = path.join(ROOT, "dashboard/src");
const SCHEMES = ["light", "dark"];
/** Contrast to one of what is drawn, and of what is written. */
const DRAWN_MIN = 3;
const WRITTEN_MIN = 4.5;
/** Distance in CIE L*a*b* of two statuses, as whoever looks sees them; 2.3 is just noticed where both lie side by side. */
const DISTANCE_MIN = 15;
/**
 * What of red, green and blue light is seen as by those who lack a kind of cone: Machado, Oliveira and Fernandes, "A physiologically-based
 * model for simulation of color vision deficiency", IEEE TVCG 15(6), 2009, at severity 1.
 */
const EYES = {
  all: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  deuteranopia: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  protanopia: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
};
/** What panels, bars, rows and those of them that the pointer is on, or that are chosen, lie on. */
const GROUNDS = ["paper", "paper-raised", "paper-sunk", "accent-wash"];
const STATUSES = ["online", "offline", "unknown", "maintenance"];
const MARKS = [...STATUSES, "area", "line-strong", "accent", "danger", "warn", "good"];
const WORDS = ["ink", "ink-soft", "accent", "accent-strong", "danger", "warn", "good"];
/** Words on grounds of their own. */
const PAIRS = [
  ["accent-ink", "accent"], ["accent-ink", "accent-strong"], ["danger", "danger-wash"], ["ink", "danger-wash"],
  ["good", "good-wash"], ["ink", "good-wash"], ["ink-soft", "good-wash"],
];
/** What is fainter than its colour: what cannot be used now, and the ground of an area in the legend, which has a ring. */
const FAINT = ["parts/ImportFile.svelte: .off", "parts/Legend.svelte: .disc", "style/base.css: .button:disabled"];

let named, PALETTES, RING_PAPER;

before(async () => {
  named = await tokens();
  ({ PALETTES } = await pure("map/palette.ts"));
  ({ RING_PAPER } = await pure("map/icons.ts"));
});

/** Light of each kind in a colour, of 1. */
function light(color) {
  return color.map((shade) => (shade / 255 <= 0.04045 ? shade / 255 / 12.92 : ((shade / 255 + 0.055) / 1.055) ** 2.4));
}

function contrast(one, other) {
  const [less, more] = [one, other].map((color) => {
    const [red, green, blue] = light(color);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }).sort((a, b) => a - b);
  return (more + 0.05) / (less + 0.05);
}

/** A colour that another one shines through. */
const over = (color, part, below) => color.map((shade, at) => shade * part + below[at] * (1 - part));

/** Where a colour is in CIE L*a*b* (D65), for such eyes. */
function lab(color, eyes) {
  const own = light(color);
  const [red, green, blue] = eyes.map((row) => Math.min(1, Math.max(0, row.reduce((sum, part, at) => sum + part * own[at], 0))));
  const [x, y, z] = [
    (0.4124564 * red + 0.3575761 * green + 0.1804375 * blue) / 0.95047,
    0.2126729 * red + 0.7151522 * green + 0.072175 * blue,
    (0.0193339 * red + 0.119192 * green + 0.9503041 * blue) / 1.08883,
  ].map((part) => (part > 216 / 24_389 ? Math.cbrt(part) : (841 / 108) * part + 4 / 29));
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** Asserts that each pair has a contrast; tells all that have not. Pairs are what they are called, and two colours. */
function standOut(pairs, least) {
  const faults = pairs.flatMap(([what, one, other]) => {
    const found = contrast(shades(one), Array.isArray(other) ? other : shades(other));
    return found >= least ? [] : [`${what}: ${found.toFixed(2)}`];
  });
  assert.deepEqual(faults, []);
}

test("the arithmetic is that of WCAG", () => {
  assert.equal(contrast([0, 0, 0], [255, 255, 255]).toFixed(2), "21.00");
  assert.equal(contrast(shades("#767676"), [255, 255, 255]).toFixed(2), "4.54");
  assert.deepEqual(lab([255, 255, 255], EYES.all).map((part) => Math.abs(Math.round(part))), [100, 0, 0]);
  assert.throws(() => standOut([["grey", "#a0a0a0", "#ffffff"]], DRAWN_MIN), /grey: 2\.6/);
});

test("what is drawn on the page stands out: statuses, borders of fields, rings of the focus", () => {
  standOut(SCHEMES.flatMap((scheme) => MARKS.flatMap((mark) => GROUNDS.map((ground) => [`${mark} on ${ground}, ${scheme}`, named[mark][scheme], named[ground][scheme]]))), DRAWN_MIN);
});

test("what is written on the page stands out", () => {
  const pairs = [...WORDS.flatMap((words) => GROUNDS.map((ground) => [words, ground])), ...PAIRS];
  standOut(SCHEMES.flatMap((scheme) => pairs.map(([words, ground]) => [`${words} on ${ground}, ${scheme}`, named[words][scheme], named[ground][scheme]])), WRITTEN_MIN);
});

test("what is drawn and written on the map stands out from paper, land and sea", () => {
  const [drawn, written] = [[], []];
  for (const scheme of SCHEMES) {
    const { paper, land, water, focus, label, labelHalo, ink, status } = PALETTES[scheme];
    for (const key of STATUSES) {
      drawn.push([`${key} on paper, ${scheme}`, status[key], paper]);
      // An area's ring lets the map shine through its paper.
      for (const below of [land, water]) drawn.push([`${key} on a ring over ${below}`, status[key], over(shades(paper), RING_PAPER, shades(below))]);
    }
    for (const below of [land, water]) drawn.push([`the focus on ${below}`, focus, below]);
    written.push([`names, ${scheme}`, ink, labelHalo], [`counts, ${scheme}`, ink, paper], [`places, ${scheme}`, label, labelHalo]);
  }
  standOut(drawn, DRAWN_MIN);
  standOut(written, WRITTEN_MIN);
});

test("page and map have the same colours for the same things", () => {
  for (const scheme of SCHEMES) {
    assert.equal(named.area[scheme], PALETTES[scheme].area);
    for (const status of STATUSES) assert.equal(named[status][scheme], PALETTES[scheme].status[status]);
  }
});

test("statuses are told apart by all eyes", () => {
  const faults = [];
  for (const scheme of SCHEMES) {
    for (const [whose, eyes] of Object.entries(EYES)) {
      const places = STATUSES.map((status) => lab(shades(named[status][scheme]), eyes));
      for (const [at, one] of places.entries()) {
        for (const [first, other] of places.slice(0, at).entries()) {
          const distance = Math.hypot(...one.map((part, axis) => part - other[axis]));
          if (distance < DISTANCE_MIN) faults.push(`${STATUSES[first]} and ${STATUSES[at]}, ${scheme}, ${whose}: ${distance.toFixed(1)}`);
        }
      }
    }
  }
  assert.deepEqual(faults, []);
});

test("nothing is drawn fainter than its colour, but for what is known here", async () => {
  const files = (await readdir(SOURCES, { recursive: true })).filter((file) => /\.(svelte|css)$/.test(file));
  const faint = [];
  for (const file of files) {
    const text = await readFile(path.join(SOURCES, file), "utf8");
    for (const [, selector] of text.matchAll(/([^{};]+)\{[^{}]*\bopacity:\s*0?\.\d/g)) faint.push(`${file}: ${selector.trim()}`);
  }
  assert.deepEqual(faint.sort(), FAINT);
});
