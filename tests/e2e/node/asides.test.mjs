// The marks of areas beside other symbols: none covers another where there is room, and none moves without need.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { pure } from "./modules.mjs";

// As near as marks may come, in pixels.
const APART_PX = 46;
const ZOOM = 9;
const WORLD_PX = 512 * 2 ** ZOOM;

let ASIDES, setAside;

before(async () => ({ ASIDES, setAside } = await pure("map/asides.ts")));

function feature(id, kind, count, [x, y]) {
  const lat = (Math.atan(Math.sinh(2 * Math.PI * (0.5 - y / WORLD_PX))) * 180) / Math.PI;
  const geometry = { type: "Point", coordinates: [(x / WORLD_PX) * 360 - 180, lat] };
  return { type: "Feature", id, properties: { kind, count }, geometry };
}

/** Where marks are drawn, by the ids of their features. */
function drawn(features, places) {
  const at = ({ id, properties }) => {
    const [[x, y], [east, south]] = [places.get(id), ASIDES[properties.aside ?? 0]];
    return [id, [x + east, y + south]];
  };
  return new Map(setAside(features, ZOOM).map(at));
}

function apart(marks) {
  const all = [...marks.values()];
  return all.every(([x, y], at) => all.slice(0, at).every(([left, top]) => Math.hypot(x - left, y - top) >= APART_PX - 0.01));
}

test("an area whose middle is taken has its count beside it, and all others stay", () => {
  const middle = [WORLD_PX / 2, WORLD_PX / 3];
  const beside = [middle[0] + 200, middle[1]];
  const places = new Map([
    ["c", middle],
    ["a", middle],
    ["lone", beside],
    ["far", [middle[0] - 300, middle[1]]],
  ]);
  const features = [
    feature("a", "areas", 14, middle),
    feature("c", "clusters", 1_400, middle),
    feature("lone", "areas", 1, beside),
    feature("far", "areas", 3, places.get("far")),
  ];
  const marks = drawn(features, places);
  assert.deepEqual(["c", "lone", "far"].map((id) => marks.get(id)), ["c", "lone", "far"].map((id) => places.get(id)));
  assert.deepEqual(marks.get("a"), [middle[0], middle[1] + 56], "below");
  assert.ok(apart(marks));
  // Nothing is changed where nothing stands in the way.
  const alone = [feature("a", "areas", 14, middle)];
  assert.equal(setAside(alone, ZOOM)[0], alone[0]);
});

test("marks keep apart wherever they can, whatever their order, and stay within a step of their middle", () => {
  let state = 7;
  const random = (end) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % end;
  };
  for (let round = 0; round < 200; round++) {
    const places = new Map();
    const features = Array.from({ length: 12 }, (_, at) => {
      // Clusters and areas each keep apart from their own kind, as the server has them.
      const [kind, row] = at % 2 ? ["clusters", 0] : ["areas", 1];
      const place = [90_000 + at * 50 + random(20), 80_000 + row * random(40)];
      places.set(String(at), place);
      return feature(String(at), kind, 2 + random(50), place);
    });
    const marks = drawn(features, places);
    assert.ok(apart(marks), `round ${round}: ${JSON.stringify([...marks])}`);
    assert.deepEqual(drawn([...features].reverse(), places), new Map([...marks].reverse()));
    for (const [id, [x, y]] of marks) {
      assert.ok(Math.hypot(x - places.get(id)[0], y - places.get(id)[1]) < 57);
    }
  }
});

test("among clusters on all sides a count has the roomiest place", () => {
  const places = new Map();
  const features = [];
  const middle = [90_000, 80_000];
  for (const [east, south] of [-2, -1, 0, 1, 2].flatMap((east) => [-2, -1, 0, 1, 2].map((south) => [east, south]))) {
    const id = `${east},${south}`;
    places.set(id, [middle[0] + 60 * east, middle[1] + 60 * south]);
    features.push(feature(id, "clusters", 9, places.get(id)));
  }
  places.set("area", middle);
  const marks = drawn([...features, feature("area", "areas", 700, middle)], places);
  const [x, y] = marks.get("area");
  const others = [...marks].filter(([id]) => id !== "area").map(([, place]) => place);
  const nearest = Math.min(...others.map(([left, top]) => Math.hypot(left - x, top - y)));
  // Between four of them there would be 42.
  assert.ok(nearest > 25, `${nearest} px`);
});
