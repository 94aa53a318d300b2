// The pictures of a map that stands all day: ever new ones come, and those that nobody sees any more go.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { pure } from "./modules.mjs";

/** New pictures of a view, and such as are in each of them. */
const NEW = 40;
const STEADY = 60;

let IconShelf, PICTURES_KEPT, most;

before(async () => {
  let PICTURES_MORE;
  ({ IconShelf, PICTURES_KEPT, PICTURES_MORE } = await pure("map/icon_shelf.ts"));
  most = PICTURES_KEPT + PICTURES_MORE;
});

/** What of MapLibre's map the shelf knows: it holds pictures by name, asks for those that it lacks, and says when it has come to rest. */
class FakeMap {
  pictures = new Map();
  removed = 0;
  #resolve;
  #rest;

  constructor() {
    new IconShelf(this, (name) => (name === "unknown" ? undefined : { name }), 2);
  }

  setMissingStyleImageResolver(resolve) {
    this.#resolve = resolve;
  }

  on(type, listener) {
    assert.equal(type, "idle");
    this.#rest = listener;
  }

  hasImage(name) {
    return this.pictures.has(name);
  }

  addImage(name, picture, { pixelRatio }) {
    assert.ok(!this.pictures.has(name), `${name} is there already`);
    assert.deepEqual([picture.name, pixelRatio], [name, 2]);
    this.pictures.set(name, picture);
  }

  removeImage(name) {
    assert.ok(this.pictures.delete(name), `${name} is not there`);
    this.removed += 1;
  }

  /** Draws all of these and comes to rest; and again, where pictures of them were let go of. How often that was. */
  show(names) {
    for (let times = 1; ; times += 1) {
      for (const name of names) if (!this.pictures.has(name)) this.#resolve(name);
      this.#rest();
      if (names.every((name) => this.pictures.has(name))) return times;
      assert.ok(times < 5, "it never comes to rest");
    }
  }
}

const named = (from, count) => Array.from({ length: count }, (_, at) => `donut ${from + at}`);

test("what a map meets in a day is not all held", () => {
  const map = new FakeMap();
  for (let view = 0; view < 100; view += 1) {
    assert.equal(map.show(named(view * NEW, NEW)), 1, "what is on the screen is the newest");
    assert.ok(map.pictures.size <= most + NEW, `${map.pictures.size} pictures`);
  }
  assert.ok(map.pictures.size >= PICTURES_KEPT, "not more than need be is drawn anew");
});

test("few pictures stay", () => {
  const map = new FakeMap();
  for (let view = 0; view < 50; view += 1) map.show(named(view % 10, most - 10));
  assert.equal(map.removed, 0);
});

test("what is on the screen all the time is there at each rest", () => {
  const map = new FakeMap();
  for (let view = 1; view < 50; view += 1) assert.ok(map.show([...named(0, STEADY), ...named(view * 1_000, NEW)]) <= 2);
  assert.ok(map.removed > 0 && map.pictures.size <= most + STEADY + NEW, `${map.pictures.size} pictures`);
});

test("a screen that shows more than are held is not drawn anew at each rest", () => {
  const map = new FakeMap();
  const names = named(0, most + 100);
  map.show(names);
  const before = map.removed;
  for (let times = 0; times < 20; times += 1) assert.equal(map.show(names), 1);
  assert.equal(map.removed, before);
  // And yet there is an end.
  for (let view = 1; view < 50; view += 1) map.show(named(view * 1_000, NEW));
  assert.ok(map.pictures.size <= most + NEW, `${map.pictures.size} pictures`);
});

test("a new style begins without pictures, and a name that nobody draws stays without", () => {
  const map = new FakeMap();
  map.show(named(0, 300));
  map.pictures.clear();
  for (let view = 0; view < 20; view += 1) map.show(named(view * NEW, NEW));
  assert.ok(map.pictures.size <= most + NEW, `${map.pictures.size} pictures`);
  const { size } = map.pictures;
  assert.throws(() => map.show(["unknown"]), /never comes to rest/);
  assert.equal(map.pictures.size, size);
});
