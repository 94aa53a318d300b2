// The pictures of symbols without their colours: whoever sees none tells them apart all the same.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { pure } from "./modules.mjs";

const SCHEMES = ["light", "dark"];
/** What a picture is painted with that some people do not see. */
const COLORS = ["fillStyle", "strokeStyle", "shadowColor"];
/** A donut of one status alone has all its shares. */
const SHARES = 16;

let drawIcon, STATUSES;

before(async () => {
  // Takes note of what is drawn, and draws nothing.
  globalThis.OffscreenCanvas = class {
    constructor(width, height) {
      this.steps = [["canvas", width, height]];
    }

    getContext() {
      const { steps } = this;
      const state = { steps };
      return new Proxy(state, {
        get: (_, name) => state[name] ?? ((...told) => (steps.push([name, ...told]), { steps })),
        set: (_, name, value) => {
          state[name] = value;
          if (!COLORS.includes(name)) steps.push([name, value]);
          return true;
        },
      });
    }
  };
  ({ drawIcon } = await pure("map/icons.ts"));
  ({ STATUSES } = await pure("map/palette.ts"));
});

/** Everything of a picture but its colours. */
function drawn(name) {
  const picture = drawIcon(name);
  assert.ok(picture, `${name} has a picture`);
  return JSON.stringify(picture.steps);
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

test("what is no name of a picture has none", () => {
  for (const name of ["", "pin", "pin|dusk|online|true", "donut|light|9|1|1|1|1", "ring|light|0|1|1|1", "ring|light|0|-1|1|1|1"]) {
    assert.equal(drawIcon(name), undefined, name);
  }
});
