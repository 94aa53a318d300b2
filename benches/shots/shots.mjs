// Takes the pictures of README.md: the dashboard on a data directory that `cargo bench --bench load` filled.
//
//     node benches/shots/shots.mjs target/bench/stores/one-1000000 benches/shots
//
// Starts target/release/waymark on a free port of loopback and ends it by its id.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { densest } from "./densest.mjs";

const require = createRequire(new URL("../../tests/e2e/node/", import.meta.url));
const { chromium } = require("playwright-core");

const EXECUTABLES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const FLAGS = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"];
const ACCOUNT = "accounts/account-0000";
const SHOTS = [2, 6, 10, 14];
// With the list beside it the map is 960 px wide, so the world fits it at zoom 1 exactly, and each key adds 1.
const SIZE = { width: 1290, height: 800 };
const ZOOM_OFF_MAX = 0.01;
const STEP_MS_MAX = 60_000;
const TILE_PX = 512;
// A drag stays on the map; what is farther takes several.
const DRAG_PX_MAX = 250;
const DRAGS_MAX = 12;

const [store, out] = process.argv.slice(2);
if (!store || !out) throw new Error("name a filled directory and one for the pictures");
const filled = JSON.parse(readFileSync(join(store, "filled.json"), "utf8"));
const server = spawn("target/release/waymark", ["serve", "--listen", "127.0.0.1:0", "--data-dir", filled.path], {
  stdio: ["ignore", "pipe", "inherit"],
});
try {
  const url = await ready();
  const executablePath = EXECUTABLES.find((path) => path && existsSync(path));
  const browser = await chromium.launch({ executablePath, args: FLAGS, headless: true });
  try {
    await shoot(browser, url);
  } finally {
    await browser.close();
  }
} finally {
  server.kill("SIGTERM");
}

async function ready() {
  for await (const line of createInterface({ input: server.stdout })) {
    const found = line.match(/^waymark is ready at (\S+)/);
    if (found) return found[1];
  }
  throw new Error("the server ended before it was ready");
}

async function shoot(browser, url) {
  const target = await densest({ url, account: ACCOUNT, token: filled.viewers[0], layers: ["clusters"], deepest: SHOTS.at(-1) - 1 });
  const page = await browser.newPage({ viewport: SIZE });
  page.setDefaultTimeout(STEP_MS_MAX);
  await page.goto(url);
  await page.getByTestId("login-token").fill(filled.viewers[0]);
  await page.getByTestId("login-submit").click();
  const map = page.getByTestId("map");
  await settled(page);
  const frame = await map.boundingBox();
  const middle = { x: frame.x + frame.width / 2, y: frame.y + frame.height / 2 };
  for (const wanted of SHOTS) {
    while (Number(await map.getAttribute("data-zoom")) < wanted - ZOOM_OFF_MAX) {
      await map.locator("canvas").focus();
      await page.keyboard.press("=");
      await settled(page);
      await drag(page, middle, target);
    }
    const zoom = Number(await map.getAttribute("data-zoom"));
    if (Math.abs(zoom - wanted) > ZOOM_OFF_MAX) throw new Error(`the map is at zoom ${zoom}, not at ${wanted}`);
    await page.mouse.move(4, 4);
    await settled(page);
    await page.screenshot({ path: join(out, `z${wanted}.png`) });
    console.log(`z${wanted}: ${await map.getAttribute("data-zoom")}, ${await map.getAttribute("data-clusters")} clusters`);
  }
}

/** Waits until the map has drawn all that it wants, and the list beside it has come. */
async function settled(page) {
  await page.waitForFunction(() => {
    const { idle, clusters, areas } = document.querySelector('[data-testid="map"]')?.dataset ?? {};
    const list = document.querySelector('[data-testid="site-list"]');
    return idle === "true" && Number(clusters) + Number(areas) > 0 && list?.ariaBusy === "false";
  });
}

/** Drags the place `target` (from 0 to 1 over the map of the world) to the middle of the map, as far as a drag goes. */
async function drag(page, middle, target) {
  const map = page.getByTestId("map");
  for (let step = 0; step < DRAGS_MAX; step += 1) {
    const [lat, lng] = (await map.getAttribute("data-center")).split(",").map(Number);
    const world = TILE_PX * 2 ** Number(await map.getAttribute("data-zoom"));
    const sin = Math.sin((lat * Math.PI) / 180);
    const center = { x: lng / 360 + 0.5, y: 0.5 - Math.log((1 + sin) / (1 - sin)) / (4 * Math.PI) };
    const reach = (far) => Math.max(-DRAG_PX_MAX, Math.min(DRAG_PX_MAX, far * world));
    const [dx, dy] = [reach(target.x - center.x), reach(target.y - center.y)];
    if (Math.hypot(dx, dy) < 8) return;
    await page.mouse.move(middle.x + dx, middle.y + dy);
    await page.mouse.down();
    await page.mouse.move(middle.x, middle.y, { steps: 4 });
    // Held still for a moment, so that the map is not thrown.
    await page.waitForTimeout(200);
    await page.mouse.up();
    await settled(page);
  }
}
