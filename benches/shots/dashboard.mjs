// Measures the dashboard in a real browser at size: the first map after log-in, long tasks while the map is dragged and
// zoomed, memory of the page and bytes shipped. Prints JSON; says on standard error what it does and waits for.
//
// Long tasks are told twice: as the page's own observer has them, by the clock, and by the processor time that the page's
// main thread spent in them. Where there is no GPU the thread waits for each picture to be drawn in software, which the
// clock counts and the processor time does not. Where frames are slow the page draws its map with fewer pixels while it moves: with
// how many along a side, for each of the screen's, is told beside the tasks, at the least and at rest; and how many of the long
// tasks by the clock are of the pictures with all pixels that end a move, which nobody's pointer waits for.
//
//     node benches/shots/dashboard.mjs URL TOKEN_FILE [DIST]
//
// The token file holds a token, or a log-in link, of an account that is filled already. With DIST the files of that
// directory take the place of those in the server, to measure a build that no binary holds yet: one of the server's own
// protos, for pages speak to no other server. Every wait ends: after a step's time, or with the time of all, it says what it
// waited for and how the page stood, and ends with 1.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, join } from "node:path";

const require = createRequire(new URL("../../tests/e2e/node/", import.meta.url));
const { chromium } = require("playwright-core");

const EXECUTABLES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const FLAGS = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--enable-precise-memory-info"];
const SIZE = { width: 1280, height: 800 };
// Logs in so many times, each in a browser context of its own, and takes the median.
const RUNS = 5;
// Longest wait of one step, and of everything: a map that is drawn in software takes seconds, and none takes minutes.
const STEP_MS_MAX = 45_000;
const ALL_MS_MAX = 600_000;
// Within so many milliseconds a map begins to move that moves at all.
const BEGIN_MS_MAX = 1_000;
// How the map is moved: drags of so many pixels in so many steps, and zooms in and out again.
const DRAGS = [[-260, 60], [180, -140], [240, 120], [-160, -40]];
const DRAG_STEPS = 24;
const ZOOMS = 6;
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
const executablePath = EXECUTABLES.find((path) => path && existsSync(path));
const browser = await within("the browser to start", chromium.launch({ executablePath, args: FLAGS, headless: true }));
const overdue = setTimeout(() => fail(`all of it took more than ${ALL_MS_MAX} ms`), ALL_MS_MAX);
try {
  const runs = [];
  for (let run = 0; run < RUNS; run += 1) {
    runs.push(await firstMap());
    tell(`first map ${run + 1} of ${RUNS}: ${runs.at(-1).ms} ms`);
  }
  const moved = await moves();
  const firsts = runs.map(({ ms }) => ms).sort((a, b) => a - b);
  const shipped = runs[0].shipped;
  console.log(JSON.stringify({ first_map_ms: firsts[RUNS >> 1], first_map_runs_ms: firsts, ...shipped, ...moved }, null, 1));
} catch (error) {
  await fail(error.message);
} finally {
  clearTimeout(overdue);
  await within("the browser to close", browser.close());
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
  const files = new Set();
  page.on("response", (response) => {
    const { pathname } = new URL(response.url());
    if (pathname.startsWith("/assets/") || pathname === "/") files.add(pathname);
  });
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
  return { context, page, files };
}

/** Types the token; the page's own time when its button was pressed. */
async function logIn(page) {
  await page.goto(url);
  await page.getByTestId("login-token").fill(token);
  const pressed = page.evaluate(() => {
    const at = performance.now();
    document.querySelector('[data-testid="login-submit"]').click();
    return at;
  });
  return within("the log-in button", pressed);
}

/** Logs in by the form; the time from its button to the first whole map, and what was shipped until then. */
async function firstMap() {
  const { context, page, files } = await openPage();
  const devtools = await context.newCDPSession(page);
  await within("the browser's account of the network", devtools.send("Network.enable"));
  let transferred = 0;
  devtools.on("Network.loadingFinished", ({ encodedDataLength }) => (transferred += encodedDataLength));
  const pressed = await logIn(page);
  const drawn = await waitFor(page, "the first map with symbols on it", () => {
    const refused = document.querySelector('[data-testid="login-submit"]:not(:disabled)') && document.querySelector('[role="alert"]');
    if (refused?.textContent.trim()) return { refused: refused.textContent.trim() };
    const { idle, clusters, areas, pins } = document.querySelector('[data-testid="map"]')?.dataset ?? {};
    return idle === "true" && Number(clusters) + Number(areas) + Number(pins) > 0 && { at: performance.now() };
  });
  if (drawn.refused) throw new Error(`the log-in is refused: ${drawn.refused}`);
  await within("the page to close", context.close());
  // As it came over the wire, compressed and with headers: page, assets and the calls that ended until then.
  return { ms: Math.round(drawn.at - pressed), shipped: { files: files.size, transferred_bytes: transferred } };
}

/** Drags and zooms the map; the long tasks of the page meanwhile, its memory, and the bytes of the watches. */
async function moves() {
  const { context, page } = await openPage();
  const devtools = await context.newCDPSession(page);
  await within("the browser's account of the network", devtools.send("Network.enable"));
  let received = 0;
  devtools.on("Network.dataReceived", ({ dataLength }) => (received += dataLength));
  await logIn(page);
  await settled(page, "before the moves");
  const sites = await page.getByTestId("matching").textContent();
  await within("the trace to begin", browser.startTracing(page, { categories: TRACED }));
  await within("the page", page.evaluate(() => (window.longTasks.length = 0)));
  await within("the map's pixels", page.evaluate(followPixels));
  received = 0;
  const deepest = await wander(page);
  const ratios = await within("the map's pixels", page.evaluate(() => window.pixelRatios));
  const tasks = await within("the page's long tasks", page.evaluate(() => window.longTasks));
  tell("reading the trace");
  const trace = await within("the trace to end", browser.stopTracing());
  const spent = processorTimes(JSON.parse(trace));
  await within("the garbage to be collected", devtools.send("HeapProfiler.collectGarbage"));
  const { usedSize } = await within("the size of the heap", devtools.send("Runtime.getHeapUsage"));
  await within("the page to close", context.close());
  return {
    sites,
    deepest_zoom: deepest,
    by_the_clock: { ...summary(tasks.map(({ duration }) => duration)), sharpening: sharpening(tasks, ratios) },
    by_processor_time: summary(spent),
    pixel_ratio: { least: Math.min(...ratios.map(({ ratio }) => ratio)), at_rest: ratios.at(-1).ratio },
    heap_bytes: usedSize,
    moves_received_bytes: received,
  };
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

/** Zooms in, with a drag at each zoom, and out again; how far in that was. */
async function wander(page) {
  const frame = await page.getByTestId("map").boundingBox();
  const middle = { x: frame.x + frame.width / 2, y: frame.y + frame.height / 2 };
  for (let zoom = 0; zoom < ZOOMS; zoom += 1) {
    await within("the wheel", page.mouse.move(middle.x, middle.y).then(() => page.mouse.wheel(0, -400)));
    await settled(page, `zoom in ${zoom + 1}`);
    const [dx, dy] = DRAGS[zoom % DRAGS.length];
    await within("the button to go down", page.mouse.down());
    await within(`drag ${zoom + 1}`, page.mouse.move(middle.x + dx, middle.y + dy, { steps: DRAG_STEPS }));
    await within("the button to go up", page.mouse.up());
    await settled(page, `drag ${zoom + 1}`);
  }
  const deepest = await page.getByTestId("map").getAttribute("data-zoom");
  for (let zoom = 0; zoom < ZOOMS; zoom += 1) {
    await within("the wheel", page.mouse.wheel(0, 400));
    await settled(page, `zoom out ${zoom + 1}`);
  }
  return Number(deepest);
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
