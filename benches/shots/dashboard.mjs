// Measures the dashboard in a real browser at size: bytes shipped and the time until the first map, long tasks while the map is dragged and
// zoomed from the whole world into the place with most sites and out again, and memory of the page, its workers and their process. Prints JSON,
// and leaves a sheet for `benches/report.py`; says on standard error what it does and waits for.
//
// Bytes are all that a gate before the server passes on until the first map, of one log-in that is not timed: the page's own account leaves out
// what its workers fetch.
//
// Long tasks are told twice: as the page's own observer has them, by the clock, and by the processor time that the page's
// main thread spent in them. Where there is no GPU the thread waits for each picture to be drawn in software, which the
// clock counts and the processor time does not. Where frames are slow the page draws its map with fewer pixels while it moves: with
// how many along a side, for each of the screen's, is told beside the tasks, at the least and at rest; and how many of the long
// tasks by the clock are of the pictures with all pixels that end a move, which nobody's pointer waits for.
//
//     node benches/shots/dashboard.mjs URL TOKEN_FILE [DIST]
//
// The token file holds a token, or a log-in link, of an account that is filled already. The server is a release build; BENCH_PROFILE says
// so where it is another: `bench` for one with link-time optimization. With DIST the files of that
// directory take the place of those in the server, to measure a build that no binary holds yet: one of the server's own
// protos, for pages speak to no other server. Then no bytes are told and no sheet is written. Every wait ends: after a step's time, or with the
// time of all, it says what it waited for and how the page stood, and ends with 1.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, join } from "node:path";
import { densest } from "./densest.mjs";
import { memoryOf } from "./memory.mjs";
import { figure, writeSheet } from "./sheet.mjs";
import { weigh } from "./weigh.mjs";

const require = createRequire(new URL("../../tests/e2e/node/", import.meta.url));
const { chromium } = require("playwright-core");

const EXECUTABLES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const FLAGS = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--enable-precise-memory-info"];
const SIZE = { width: 1280, height: 800 };
// Logs in so many times, each in a browser context of its own, and takes the median.
const RUNS = 5;
// Longest wait of one step, and of everything: a map that is drawn in software takes seconds, and none takes minutes.
const STEP_MS_MAX = 45_000;
const ALL_MS_MAX = 1_500_000;
// Within so many milliseconds a map begins to move that moves at all.
const BEGIN_MS_MAX = 1_000;
// How the map is moved: at each zoom a drag of so many pixels in so many steps, then drags to the place with most sites, then so many pixels of
// the wheel until the next zoom is reached, as far in as this, and out again.
const DRAGS = [[-260, 60], [180, -140], [240, 120], [-160, -40]];
const DRAG_STEPS = 24;
const WHEEL_PX = 400;
const DEEPEST = 14;
const ZOOM_OFF_MAX = 0.01;
// A drag stays on the map; what is farther takes several, as near as this.
const DRAG_PX_MAX = 250;
const NEAR_PX = 8;
const DRAGS_MAX = 12;
// Milliseconds for which the pointer is held still, so that the map is not thrown.
const HELD_MS = 200;
const TILE_PX = 512;
const LONG_TASK_MS = 100;
// A picture is waited for in the task that draws it, or in the next one that shows it: so many milliseconds later at most.
const SHARP_MS_MAX = 50;
// Tasks of the threads, and nothing within them: with all that the timeline holds a trace has hundreds of megabytes.
const TRACED = ["toplevel"];
const TYPES = { ".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".json": "application/json", ".svg": "image/svg+xml" };

const begun = Date.now();
const said = [];
const [url, tokenFile, dist] = process.argv.slice(2);
if (!url || !tokenFile) throw new Error("name the server and the file of a token");
const [token] = readFileSync(tokenFile, "utf8").match(/wmk_[\w-]+/) ?? [];
if (!token) throw new Error(`${tokenFile} holds no token`);
if (dist && !existsSync(join(dist, "index.html"))) throw new Error(`${dist} holds no built page`);
const { account } = await ask("/v1:whoAmI");
if (!account) throw new Error("the token is of no account");
const { tally, unplaced } = await ask(`/v1/${account}/sites:fit`);
const sites = Number(tally?.total ?? 0) + Number(unplaced ?? 0);
const target = await densest({ url, account, token, layers: ["clusters", "areas"], deepest: DEEPEST });
const executablePath = EXECUTABLES.find((path) => path && existsSync(path));
const browser = await within("the browser to start", chromium.launch({ executablePath, args: FLAGS, headless: true }));
const overdue = setTimeout(() => fail(`all of it took more than ${ALL_MS_MAX} ms`), ALL_MS_MAX);
try {
  const firsts = [];
  for (let run = 0; run < RUNS; run += 1) {
    firsts.push(await firstMap(url));
    tell(`first map ${run + 1} of ${RUNS}: ${firsts.at(-1)} ms`);
  }
  const shipped = dist ? undefined : await weigh(url, firstMap);
  const moved = await moves();
  console.log(JSON.stringify({ sites, first_map_runs_ms: firsts, shipped, ...moved }, null, 1));
  if (shipped) tell(`left ${writeSheet("dashboard", sites, process.env.BENCH_PROFILE ?? "release", figures(firsts, shipped, moved))}`);
} catch (error) {
  await fail(error.message);
} finally {
  clearTimeout(overdue);
  await within("the browser to close", browser.close());
}

/** What is held against `TARGETS` of `benches/report.py`, and what is told beside it. */
function figures(firsts, shipped, { least, deepest, drags, by_the_clock: clock, by_processor_time: spent, pixel_ratio: pixels, ...moved }) {
  const { first, last } = moved.memory;
  const way = `z${least.toFixed(1)} to z${deepest.toFixed(1)} and out, ${drags} drags; ${moved.browser}, drawn by ${moved.drawn_by}`;
  const sharp = `${clock.over_100_ms} over 100 ms, ${clock.sharpening} of these draw a picture with all pixels behind a move`;
  const ratio = `${pixels.least} pixels a side for each of the screen's at the least, ${pixels.at_rest} at rest`;
  const bytes = ({ heap, buffers, renderer }) => `${mb(heap)} heap, ${mb(buffers)} buffers, ${mb(renderer)} process`;
  return [
    figure("bytes shipped until the first map", "B", [shipped.all], `${shipped.files} files of ${shipped.bodies} B, ${shipped.coding}; calls ${shipped.calls} B; the rest are heads`),
    figure("its files in gzip", "B", [shipped.gzip], "without heads; what browsers take over plain HTTP of another machine"),
    figure("first map after log-in", "ms", firsts),
    figure("longest task by the clock", "ms", [clock.longest_ms], `PerformanceObserver, \`longtask\`, the page's thread: ${way}; ${sharp}; ${ratio}`),
    figure("tasks over 100 ms by the clock", "", [clock.over_100_ms]),
    figure("longest task by processor time", "ms", [spent.longest_ms], `the browser's trace: ${spent.over_100_ms} over 100 ms`),
    figure("heap of the page", "B", [last.heap], `behind the moves and a collection of garbage; at its first map ${bytes(first)}`),
    figure("objects of the browser for it", "B", [last.dom]),
    figure("array buffers of the page", "B", [last.buffers]),
    figure("heaps and buffers of its workers", "B", [last.workers]),
    figure("process of page and workers", "B", [last.renderer], "all of it: code, heaps, buffers; what processes share in parts (Pss)"),
    figure("process that draws", "B", [last.gpu], "in software where there is no GPU"),
    figure("bytes received by the page while it moves", "B", [moved.moves_received_bytes]),
  ];
}

function mb(bytes) {
  return bytes === undefined ? "not told" : `${(bytes / 1e6).toFixed(1)} MB`;
}

async function ask(path) {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(new URL(path, url), { headers, signal: AbortSignal.timeout(STEP_MS_MAX) });
  if (!answer.ok) throw new Error(`${path} is answered with ${answer.status}`);
  return answer.json();
}

function tell(words) {
  console.error(`${((Date.now() - begun) / 1_000).toFixed(1).padStart(6)} s  ${words}`);
}

/** Ends everything, with what went wrong and what the pages complained of. */
async function fail(why) {
  tell(`failed: ${why}`);
  for (const words of said.slice(-10)) tell(`  the page said: ${words}`);
  await Promise.race([browser.close(), new Promise((resume) => setTimeout(resume, 5_000))]);
  process.exit(1);
}

/** The same promise, for as long as a step may take. */
async function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${STEP_MS_MAX} ms for ${what}`)), STEP_MS_MAX);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until `ready` gives something in the page; with it the page's state, where it does not. */
async function waitFor(page, what, ready, argument) {
  try {
    const found = await page.waitForFunction(ready, argument, { timeout: STEP_MS_MAX, polling: "raf" });
    return await within(what, found.jsonValue());
  } catch (error) {
    const state = await Promise.race([page.evaluate(stateOf), new Promise((resume) => setTimeout(resume, 5_000))]).catch(() => undefined);
    throw new Error(`waited for ${what}: ${error.message.split("\n")[0]}; the page: ${JSON.stringify(state ?? "does not answer")}`);
  }
}

/** How a page stands, in its own words. */
function stateOf() {
  const text = (selector) => [...document.querySelectorAll(selector)].map((element) => element.textContent.trim()).filter(Boolean);
  const map = document.querySelector('[data-testid="map"]')?.dataset;
  return {
    map: map && { idle: map.idle, zoom: map.zoom, pins: map.pins, clusters: map.clusters, areas: map.areas, revision: map.revision },
    list_busy: document.querySelector('[data-testid="site-list"]')?.ariaBusy ?? "no list",
    link: document.querySelector('[data-testid="link-state"]')?.dataset.kind ?? "no map page",
    alerts: text('[role="alert"]'),
    headings: text("h1, h2").slice(0, 4),
  };
}

async function openPage() {
  const context = await within("a browser context", browser.newContext({ viewport: SIZE }));
  const page = await within("a page", context.newPage());
  page.setDefaultTimeout(STEP_MS_MAX);
  page.on("pageerror", (error) => said.push(error.message));
  page.on("console", (message) => message.type() === "error" && said.push(message.text()));
  if (dist) {
    await page.route(/\/(assets\/.*|icon\.svg)?(#.*)?$/, async (route) => {
      const { pathname } = new URL(route.request().url());
      const file = join(dist, pathname === "/" ? "index.html" : pathname);
      if (!existsSync(file)) return route.continue();
      await route.fulfill({ body: readFileSync(file), contentType: TYPES[extname(file)] ?? "application/octet-stream" });
    });
  }
  await page.addInitScript(() => {
    window.longTasks = [];
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) window.longTasks.push({ startTime, duration });
    }).observe({ type: "longtask", buffered: true });
  });
  return { context, page };
}

/** Types the token; the page's own time when its button was pressed. */
async function logIn(page, address) {
  await page.goto(address);
  await page.getByTestId("login-token").fill(token);
  const pressed = page.evaluate(() => {
    const at = performance.now();
    document.querySelector('[data-testid="login-submit"]').click();
    return at;
  });
  return within("the log-in button", pressed);
}

/** Logs in by the form; milliseconds from its button to the first whole map. */
async function firstMap(address) {
  const { context, page } = await openPage();
  const pressed = await logIn(page, address);
  const drawn = await waitFor(page, "the first map with symbols on it", () => {
    const refused = document.querySelector('[data-testid="login-submit"]:not(:disabled)') && document.querySelector('[role="alert"]');
    if (refused?.textContent.trim()) return { refused: refused.textContent.trim() };
    const { idle, clusters, areas, pins } = document.querySelector('[data-testid="map"]')?.dataset ?? {};
    return idle === "true" && Number(clusters) + Number(areas) + Number(pins) > 0 && { at: performance.now() };
  });
  if (drawn.refused) throw new Error(`the log-in is refused: ${drawn.refused}`);
  await within("the page to close", context.close());
  return Math.round(drawn.at - pressed);
}

/** Drags and zooms the map; the long tasks of the page meanwhile, its memory before and behind it, and the bytes of the watches. */
async function moves() {
  const { context, page } = await openPage();
  const devtools = await context.newCDPSession(page);
  await within("the browser's account of the network", devtools.send("Network.enable"));
  let received = 0;
  devtools.on("Network.dataReceived", ({ dataLength }) => (received += dataLength));
  await logIn(page, url);
  await settled(page, "before the moves");
  const drawn_by = await within("who draws", page.evaluate(drawer));
  const first = await within("the memory of the page", memoryOf(browser, devtools));
  await within("the trace to begin", browser.startTracing(page, { categories: TRACED }));
  await within("the page", page.evaluate(() => (window.longTasks.length = 0)));
  await within("the map's pixels", page.evaluate(followPixels));
  received = 0;
  const way = await wander(page);
  const ratios = await within("the map's pixels", page.evaluate(() => window.pixelRatios));
  const tasks = await within("the page's long tasks", page.evaluate(() => window.longTasks));
  const moves_received_bytes = received;
  tell("reading the trace");
  const trace = await within("the trace to end", browser.stopTracing());
  const spent = processorTimes(JSON.parse(trace));
  const last = await within("the memory of the page", memoryOf(browser, devtools));
  await within("the page to close", context.close());
  return {
    ...way,
    browser: `Chromium ${browser.version()}`,
    drawn_by,
    by_the_clock: { ...summary(tasks.map(({ duration }) => duration)), sharpening: sharpening(tasks, ratios) },
    by_processor_time: summary(spent),
    pixel_ratio: { least: Math.min(...ratios.map(({ ratio }) => ratio)), at_rest: ratios.at(-1).ratio },
    memory: { first, last },
    moves_received_bytes,
  };
}

/** What draws the page's maps, as WebGL calls it. */
function drawer() {
  const gl = document.createElement("canvas").getContext("webgl2");
  const info = gl?.getExtension("WEBGL_debug_renderer_info");
  const name = gl?.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return name ?? "nothing";
}

/** How many of the long tasks drew or showed a first picture with all pixels. */
function sharpening(tasks, ratios) {
  const full = ratios.at(-1).ratio;
  const times = ratios.flatMap(({ at, ratio }, turn) => (ratio === full && ratios[turn - 1]?.ratio < full ? [at] : []));
  const isSharp = ({ startTime, duration }) => times.some((at) => at >= startTime - SHARP_MS_MAX && at <= startTime + duration);
  return tasks.filter((task) => task.duration > LONG_TASK_MS && isSharp(task)).length;
}

/** Keeps what the map says of its pixels, and when, in the page. */
function followPixels() {
  const map = document.querySelector('[data-testid="map"]');
  const told = () => ({ at: performance.now(), ratio: Number(map.dataset.pixelRatio) });
  window.pixelRatios = [told()];
  new MutationObserver(() => window.pixelRatios.push(told())).observe(map, { attributeFilter: ["data-pixel-ratio"] });
}

/** Goes out as far as the map does, then into the place with most sites, and out again; from where to where that was. */
async function wander(page) {
  const frame = await page.getByTestId("map").boundingBox();
  const middle = { x: frame.x + frame.width / 2, y: frame.y + frame.height / 2 };
  await zoomTo(page, middle, 0);
  const least = await zoomOf(page);
  let drags = 0;
  for (let zoom = Math.ceil(least); zoom <= DEEPEST; zoom += 1) {
    await zoomTo(page, middle, zoom);
    const [dx, dy] = DRAGS[zoom % DRAGS.length];
    await drag(page, middle, { x: middle.x + dx, y: middle.y + dy }, `a drag at z${zoom}`);
    drags += 1 + (await comeTo(page, middle));
  }
  const deepest = await zoomOf(page);
  if (deepest < DEEPEST - ZOOM_OFF_MAX) throw new Error(`the map goes no farther in than z${deepest}`);
  await zoomTo(page, middle, 0);
  return { least, deepest, drags };
}

async function zoomOf(page) {
  return Number(await page.getByTestId("map").getAttribute("data-zoom"));
}

/** Turns the wheel over the middle of the map until it is at a zoom, or beyond it, or goes no farther. */
async function zoomTo(page, middle, wanted) {
  let zoom = await zoomOf(page);
  const way = Math.sign(wanted - zoom);
  // The world is never seen smaller than the map is high; and a turn may be lost.
  for (let still = 0; way * (wanted - zoom) > ZOOM_OFF_MAX && still < 2; ) {
    await within("the wheel", page.mouse.move(middle.x, middle.y).then(() => page.mouse.wheel(0, -way * WHEEL_PX)));
    await settled(page, `z${zoom.toFixed(1)}, on the way to z${wanted}`);
    const before = zoom;
    zoom = await zoomOf(page);
    still = Math.abs(zoom - before) < ZOOM_OFF_MAX ? still + 1 : 0;
  }
}

async function drag(page, from, to, what) {
  await within("the pointer", page.mouse.move(from.x, from.y));
  await within("the button to go down", page.mouse.down());
  await within(what, page.mouse.move(to.x, to.y, { steps: DRAG_STEPS }));
  await page.waitForTimeout(HELD_MS);
  await within("the button to go up", page.mouse.up());
  await settled(page, what);
}

/** Drags the place with most sites to the middle of the map; in how many drags. */
async function comeTo(page, middle) {
  const map = page.getByTestId("map");
  let before = Infinity;
  for (let drags = 0; ; drags += 1) {
    const [lat, lng] = (await map.getAttribute("data-center")).split(",").map(Number);
    const world = TILE_PX * 2 ** (await zoomOf(page));
    const sin = Math.sin((lat * Math.PI) / 180);
    const center = { x: lng / 360 + 0.5, y: 0.5 - Math.log((1 + sin) / (1 - sin)) / (4 * Math.PI) };
    const reach = (part) => Math.max(-DRAG_PX_MAX, Math.min(DRAG_PX_MAX, part * world));
    const [dx, dy] = [reach(target.x - center.x), reach(target.y - center.y)];
    const far = world * Math.hypot(target.x - center.x, target.y - center.y);
    // Far out the map's own edge is in the way.
    if (far < NEAR_PX || far > before - 1 || drags === DRAGS_MAX) return drags;
    before = far;
    await drag(page, { x: middle.x + dx, y: middle.y + dy }, middle, "a drag to the place with most sites");
  }
}

/** Milliseconds of processor time of each task of a page's main thread. */
function processorTimes({ traceEvents }) {
  const named = traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain");
  const threads = new Set(named.map(({ pid, tid }) => `${pid}/${tid}`));
  const tasks = traceEvents.filter(({ name, pid, tid }) => name.endsWith("RunTask") && threads.has(`${pid}/${tid}`));
  if (tasks.length === 0) throw new Error("the trace tells of no task of a page's main thread");
  return tasks.map(({ tdur = 0 }) => tdur / 1_000);
}

function summary(tasks) {
  const long = tasks.filter((ms) => ms > LONG_TASK_MS).length;
  return { longest_ms: Math.round(tasks.reduce((longest, ms) => Math.max(longest, ms), 0)), over_100_ms: long };
}

/** Waits until the map has drawn all that it wants, which may be nothing where no site is, and the list beside it has come. */
async function settled(page, when) {
  tell(when);
  // A wheel's turn takes a moment to be noticed; where nothing moves, nothing is waited for.
  const moves = () => document.querySelector('[data-testid="map"]')?.dataset.idle === "false";
  await page.waitForFunction(moves, undefined, { timeout: BEGIN_MS_MAX, polling: "raf" }).catch(() => undefined);
  await waitFor(page, `the map and the list to come to rest: ${when}`, () => {
    const { idle, revision } = document.querySelector('[data-testid="map"]')?.dataset ?? {};
    const list = document.querySelector('[data-testid="site-list"]');
    return idle === "true" && revision !== undefined && list?.ariaBusy === "false";
  });
}
