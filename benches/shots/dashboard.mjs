// Measures the dashboard in a real browser at size: the first map after log-in, long tasks while the map is dragged and
// zoomed, memory of the page and bytes shipped. Prints JSON.
//
// Long tasks are told twice: as the page's own observer has them, by the clock, and by the processor time that the page's
// main thread spent in them. Where there is no GPU the thread waits for each picture to be drawn in software, which the
// clock counts and the processor time does not.
//
//     node benches/shots/dashboard.mjs URL TOKEN_FILE [DIST]
//
// The token file holds a token, or a log-in link, of an account that is filled already. With DIST the files of that
// directory take the place of those in the server, to measure a build that no binary holds yet.
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
const STEP_MS_MAX = 60_000;
// How the map is moved: drags of so many pixels in so many steps, and zooms in and out again.
const DRAGS = [[-260, 60], [180, -140], [240, 120], [-160, -40]];
const DRAG_STEPS = 24;
const ZOOMS = 6;
const LONG_TASK_MS = 100;
const TRACED = ["disabled-by-default-devtools.timeline", "toplevel"];
const TYPES = { ".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".json": "application/json", ".svg": "image/svg+xml" };

const [url, tokenFile, dist] = process.argv.slice(2);
if (!url || !tokenFile) throw new Error("name the server and the file of a token");
const [token] = readFileSync(tokenFile, "utf8").match(/wmk_\w+/) ?? [];
const executablePath = EXECUTABLES.find((path) => path && existsSync(path));
const browser = await chromium.launch({ executablePath, args: FLAGS, headless: true });
try {
  const runs = [];
  for (let run = 0; run < RUNS; run += 1) runs.push(await firstMap());
  const moved = await moves();
  const firsts = runs.map(({ ms }) => ms).sort((a, b) => a - b);
  const shipped = runs[0].shipped;
  console.log(JSON.stringify({ first_map_ms: firsts[RUNS >> 1], first_map_runs_ms: firsts, ...shipped, ...moved }, null, 1));
} finally {
  await browser.close();
}

async function openPage() {
  const context = await browser.newContext({ viewport: SIZE });
  const page = await context.newPage();
  page.setDefaultTimeout(STEP_MS_MAX);
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

/** Logs in by the form; the time from its button to the first whole map, and what was shipped until then. */
async function firstMap() {
  const { context, page, files } = await openPage();
  const devtools = await context.newCDPSession(page);
  await devtools.send("Network.enable");
  let transferred = 0;
  devtools.on("Network.loadingFinished", ({ encodedDataLength }) => (transferred += encodedDataLength));
  await page.goto(url);
  await page.getByTestId("login-token").fill(token);
  const ms = await page.evaluate(async () => {
    const begin = performance.now();
    document.querySelector('[data-testid="login-submit"]').click();
    for (;;) {
      const { idle, clusters, areas, pins } = document.querySelector('[data-testid="map"]')?.dataset ?? {};
      if (idle === "true" && Number(clusters) + Number(areas) + Number(pins) > 0) return performance.now() - begin;
      await new Promise((resume) => requestAnimationFrame(resume));
    }
  });
  await context.close();
  // As it came over the wire, compressed and with headers: page, assets and the calls that ended until then.
  return { ms: Math.round(ms), shipped: { files: files.size, transferred_bytes: transferred } };
}

/** Drags and zooms the map; the long tasks of the page meanwhile, its memory, and the bytes of the watches. */
async function moves() {
  const { context, page } = await openPage();
  const devtools = await context.newCDPSession(page);
  await devtools.send("Network.enable");
  let received = 0;
  devtools.on("Network.dataReceived", ({ dataLength }) => (received += dataLength));
  await page.goto(url);
  await page.getByTestId("login-token").fill(token);
  await page.getByTestId("login-submit").click();
  await settled(page);
  const sites = await page.getByTestId("matching").textContent();
  await browser.startTracing(page, { categories: TRACED });
  await page.evaluate(() => (window.longTasks.length = 0));
  received = 0;
  const frame = await page.getByTestId("map").boundingBox();
  const middle = { x: frame.x + frame.width / 2, y: frame.y + frame.height / 2 };
  for (let zoom = 0; zoom < ZOOMS; zoom += 1) {
    await page.mouse.move(middle.x, middle.y);
    await page.mouse.wheel(0, -400);
    await settled(page);
    const [dx, dy] = DRAGS[zoom % DRAGS.length];
    await page.mouse.down();
    await page.mouse.move(middle.x + dx, middle.y + dy, { steps: DRAG_STEPS });
    await page.mouse.up();
    await settled(page);
  }
  const deepest = await page.getByTestId("map").getAttribute("data-zoom");
  for (let zoom = 0; zoom < ZOOMS; zoom += 1) {
    await page.mouse.wheel(0, 400);
    await settled(page);
  }
  const tasks = (await page.evaluate(() => window.longTasks)).map(({ duration }) => duration);
  const spent = processorTimes(JSON.parse(await browser.stopTracing()));
  await devtools.send("HeapProfiler.collectGarbage");
  const { usedSize } = await devtools.send("Runtime.getHeapUsage");
  await context.close();
  return {
    sites,
    deepest_zoom: Number(deepest),
    by_the_clock: summary(tasks),
    by_processor_time: summary(spent),
    heap_bytes: usedSize,
    moves_received_bytes: received,
  };
}

/** Milliseconds of processor time of each task of a page's main thread. */
function processorTimes({ traceEvents }) {
  const named = traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain");
  const threads = new Set(named.map(({ pid, tid }) => `${pid}/${tid}`));
  const tasks = traceEvents.filter(({ name, pid, tid }) => name.endsWith("RunTask") && threads.has(`${pid}/${tid}`));
  return tasks.map(({ tdur = 0 }) => tdur / 1_000);
}

function summary(tasks) {
  const long = tasks.filter((ms) => ms > LONG_TASK_MS).length;
  return { longest_ms: Math.round(Math.max(0, ...tasks)), over_100_ms: long };
}

/** Waits until the map has drawn all that it wants, and the list beside it has come. */
async function settled(page) {
  await page.waitForFunction(() => {
    const { idle, clusters, areas, pins } = document.querySelector('[data-testid="map"]')?.dataset ?? {};
    const list = document.querySelector('[data-testid="site-list"]');
    return idle === "true" && Number(clusters) + Number(areas) + Number(pins) > 0 && list?.ariaBusy === "false";
  });
}
