// A map that has fewer pixels while it moves where frames are slow, and all of them at rest: what is decided by the times of
// frames alone, and what a real page does whose frames take as long as a test says.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { byId, launch, logIn, openPage, symbolsDrawn } from "./browser.mjs";
import { pure } from "./modules.mjs";
import { Server } from "./server.mjs";

/** Milliseconds of frames that nobody complains of, and of those of a machine that draws in software. */
const FAST_MS = 16;
const SLOW_MS = 150;
/** Pixels of a step of a drag, and steps after which a page that changes nothing changes nothing. */
const STEP_PX = 3;
const STEPS = 24;
/** What half the pixels are along a side. */
const HALF = Math.SQRT1_2;

let server, token, browser, Sharpness;

before(async () => {
  ({ Sharpness } = await pure("map/sharpness.ts"));
  server = await Server.bare();
  token = await server.fill(30);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A move whose frames take so long, or as long as `took` says of their pixels; the pixels along a side that it ended with. */
function move(sharpness, took, { full = 1, frames = 30 } = {}) {
  sharpness.begin(full);
  let last = sharpness.ratio;
  for (let frame = 0; frame < frames; frame += 1) {
    sharpness.frame(typeof took === "number" ? took : took(sharpness.ratio / full, frame));
    assert.ok(sharpness.ratio <= last, "within a move nothing becomes sharper");
    last = sharpness.ratio;
  }
  sharpness.end();
  return last;
}

const near = (found, expect) => assert.ok(Math.abs(found - expect) < 0.01, `${found} is not ${expect}`);

test("decided: fast frames change nothing, nor do slow ones now and then, nor a page that was not seen", () => {
  const sharpness = new Sharpness(null, false);
  assert.equal(move(sharpness, FAST_MS), 1);
  assert.equal(move(sharpness, 34), 1, "a screen of 30 pictures a second is no slow machine");
  assert.equal(move(sharpness, (_, frame) => (frame % 3 === 0 ? 400 : FAST_MS)), 1);
  assert.equal(move(sharpness, 60_000), 1);
});

test("decided: slow frames take as many pixels away as their time asks for, and never more than to a half along a side", () => {
  for (const [ms, full, expect] of [
    [60, 1, HALF],
    [SLOW_MS, 1, 0.5],
    [1_900, 1, 0.5],
    [60, 2, 2 * HALF],
    [SLOW_MS, 2, HALF],
    [1_900, 2, 0.5],
    [100, 1.25, 0.625],
    [SLOW_MS, 0.5, 0.5],
    [SLOW_MS, 0.4, 0.4],
  ]) {
    const sharpness = new Sharpness(null, false);
    // As many frames as are judged together; where that was not enough, the next ones take the rest.
    near(move(sharpness, ms, { full, frames: 4 }), expect);
    near(move(sharpness, ms, { full }), Math.min(full, 0.5));
  }
  assert.equal(move(new Sharpness(null, false), SLOW_MS, { frames: 2 }), 1);
  // Where the first step is enough there is no second one.
  near(move(new Sharpness(null, false), (ratio) => 60 * ratio ** 2), HALF);
});

test("decided: the next move begins where the last one ended, and what was slow by its pixels is not tried again", () => {
  for (const ms of [55, 70, 100, SLOW_MS, 400]) {
    const sharpness = new Sharpness(null, false);
    const took = (ratio) => Math.max(FAST_MS, ms * ratio ** 2);
    move(sharpness, took);
    const settled = [2, 3, 4, 5].map(() => move(sharpness, took));
    const [last] = settled.slice(-1);
    near(move(sharpness, took), last);
    assert.ok(last < 1 && took(last) <= Math.max(50, took(0.5)), `${ms} ms settle at ${last}`);
  }
});

test("decided: who was slow for a while is sharp again, step by step, and who is so time and again is left as they are", () => {
  const sharpness = new Sharpness(null, false);
  for (let times = 0; times < 2; times += 1) {
    near(move(sharpness, SLOW_MS), 0.5);
    near(move(sharpness, FAST_MS), 0.5);
    near(move(sharpness, FAST_MS), HALF);
    if (times === 0) near(move(sharpness, FAST_MS), 1);
  }
  near(move(sharpness, FAST_MS), HALF);
  near(move(sharpness, FAST_MS), HALF);
  // Few frames say nothing.
  const other = new Sharpness(null, false);
  move(other, SLOW_MS);
  near(move(other, FAST_MS, { frames: 3 }), 0.5);
  near(move(other, FAST_MS, { frames: 3 }), 0.5);
});

test("decided: a session goes on where it was, and nonsense in its memory is none", () => {
  const first = new Sharpness(null, false);
  move(first, SLOW_MS);
  const second = new Sharpness(first.memory, false);
  near(move(second, FAST_MS, { frames: 1 }), 0.5);
  assert.equal(second.memory, first.memory);
  for (const memory of ["", "x", "1 2", "-1 0 0 0 0 0 0 0", "0.5 0 0 0 0 0 0 0", "NaN"]) assert.equal(move(new Sharpness(memory, false), FAST_MS), 1, memory);
  near(move(new Sharpness("99 0 0 0 0 0 0 0", false), FAST_MS), 0.5);
  // Who says that it draws in software begins with few pixels, and has more of them where that is fast.
  const software = new Sharpness(null, true);
  near(move(software, FAST_MS), 0.5);
  near(move(software, FAST_MS), HALF);
  near(move(software, FAST_MS), 1);
});

/** Frames last as long as `frameMs` says, in the time that the browser tells with them, and it says nothing of what draws. */
function ownTime() {
  window.frameMs = 16;
  let [at, shown] = [performance.now(), 0];
  const real = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (callback) =>
    real((time) => {
      if (time !== shown) [shown, at] = [time, at + window.frameMs];
      callback(at);
    });
  const parameter = WebGL2RenderingContext.prototype.getParameter;
  const UNMASKED_RENDERER = 0x9246;
  WebGL2RenderingContext.prototype.getParameter = function (name) {
    return name === UNMASKED_RENDERER ? "some GPU" : parameter.call(this, name);
  };
}

async function open() {
  const { page, faults } = await openPage({ browser, server, token }, { width: 900, height: 600 });
  await page.addInitScript(ownTime);
  await logIn(page, server, token);
  await atRest(page);
  await symbolsDrawn(page);
  return { page, faults };
}

const atRest = (page) => page.locator('[data-testid="map"][data-idle="true"]').waitFor();
const set = (page, ms) => page.evaluate((ms) => (window.frameMs = ms), ms);
const lng = async (page) => Number((await byId(page, "map").getAttribute("data-center")).split(",")[1]);

/** Canvas pixels for each of the map's, along a side, as the canvas has them. */
const pixels = (page) =>
  page.evaluate(() => {
    const canvas = document.querySelector('[data-testid="map"] canvas');
    return canvas.width / canvas.clientWidth;
  });

/** Keeps each change of the map's pixels from now on. */
const watch = (page) =>
  page.evaluate(() => {
    const map = document.querySelector('[data-testid="map"]');
    window.ratios = [];
    window.watching?.disconnect();
    window.watching = new MutationObserver(() => window.ratios.push(Number(map.dataset.pixelRatio)));
    window.watching.observe(map, { attributes: true, attributeFilter: ["data-pixel-ratio"] });
  });
const ratios = async (page) => (await page.evaluate(() => window.ratios)).map((ratio) => Number(ratio.toFixed(2)));

/** Drags the map, a frame a step, and lets go of it; `onStep` hears of each one. */
async function drag(page, onStep = () => undefined, steps = STEPS) {
  const box = await byId(page, "map").boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  for (let step = 1; step <= steps; step += 1) {
    await page.mouse.move(x - step * STEP_PX, y);
    await page.evaluate(() => new Promise((resume) => requestAnimationFrame(resume)));
    await onStep(step);
  }
  await page.mouse.up();
  await page.waitForFunction(() => document.querySelector('[data-testid="map"]').dataset.idle === "true");
}

test("a page whose frames are fast never notices", async () => {
  const { page, faults } = await open();
  await watch(page);
  await drag(page);
  await page.mouse.wheel(0, -300);
  await page.waitForFunction(() => document.querySelector('[data-testid="map"]').dataset.idle === "false");
  await atRest(page);
  assert.deepEqual(await ratios(page), []);
  near(await pixels(page), 1);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a page whose frames are slow has fewer pixels while it is dragged and all of them behind it, and the drag goes on", async () => {
  const { page, faults } = await open();
  await set(page, SLOW_MS);
  await watch(page);
  const from = await lng(page);
  const seen = [];
  await drag(page, async () => seen.push(await pixels(page)));
  near(seen.at(-1), 0.5);
  near(await pixels(page), 1);
  assert.deepEqual(await ratios(page), [0.5, 1], "one change each way");
  // All of the drag moved the map: what changed the canvas in its midst did not end it.
  const zoom = Number(await byId(page, "map").getAttribute("data-zoom"));
  const moved = (((await lng(page)) - from + 540) % 360) - 180;
  const dragged = (STEPS * STEP_PX * 360) / (512 * 2 ** zoom);
  assert.ok(moved > dragged * 0.9, `${moved} degrees of ${dragged}`);

  // The next move begins as the last one ended: nothing has to be slow first.
  await watch(page);
  const next = [];
  await drag(page, async () => next.push(await pixels(page)));
  near(next[2], 0.5);
  assert.deepEqual(await ratios(page), [0.5, 1]);

  // Behind a reload as well. Frames are fast by now, and the page comes back to all pixels, a step a move.
  await page.reload();
  await atRest(page);
  for (const expect of [[0.5, 1], [0.71, 1], []]) {
    await watch(page);
    await drag(page);
    assert.deepEqual(await ratios(page), expect);
  }
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("who wants less motion sees moves of one step, which are drawn sharp", async () => {
  const { page, faults } = await open();
  await set(page, SLOW_MS);
  await drag(page);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await watch(page);
  const zoom = await byId(page, "map").getAttribute("data-zoom");
  await page.getByLabel("Zoom in").click();
  await page.waitForFunction((zoom) => {
    const { idle, zoom: now } = document.querySelector('[data-testid="map"]').dataset;
    return idle === "true" && now !== zoom;
  }, zoom);
  assert.ok((await ratios(page)).every((ratio) => ratio === 1), `${await ratios(page)}`);
  near(await pixels(page), 1);
  assert.deepEqual(faults, []);
  await page.context().close();
});
