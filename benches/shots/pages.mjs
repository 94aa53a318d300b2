// Takes the README's pictures of the dashboard: the map, a site's page, a phone.
//
//     node benches/shots/pages.mjs LINK      # the log-in link that `make run` prints
import { existsSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../tests/e2e/node/", import.meta.url));
const { chromium } = require("playwright-core");

const EXECUTABLES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const FLAGS = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"];
// Central Europe, where the demo has many sites.
const VIEW = "5/49/10";
// Levels from a site to the land around it.
const ZOOMED_OUT = 4;

const [link] = process.argv.slice(2);
if (!link) throw new Error("name the log-in link");
const executablePath = EXECUTABLES.find((path) => path && existsSync(path));
const browser = await chromium.launch({ executablePath, args: FLAGS, headless: true });
try {
  await take("page-map", { width: 1280, height: 800 }, "light", async () => {});
  await take("page-site", { width: 1280, height: 800 }, "dark", async (page) => {
    await page.getByTestId("search").fill("Reykjavik");
    await page.getByTestId("hit").first().click();
    await page.getByTestId("fix").first().waitFor();
    await atRest(page);
    for (let step = 0; step < ZOOMED_OUT; step += 1) await page.getByLabel("Zoom out").click();
  });
  await take("page-phone", { width: 390, height: 800 }, "light", async () => {});
} finally {
  await browser.close();
}

async function take(name, viewport, colorScheme, act) {
  const context = await browser.newContext({ viewport, colorScheme, deviceScaleFactor: 1.5, reducedMotion: "reduce" });
  const page = await context.newPage();
  const { origin, hash } = new URL(link);
  await page.goto(`${origin}/${hash}`);
  await atRest(page);
  await page.evaluate((view) => {
    const place = new URLSearchParams(location.hash.slice(1));
    place.set("map", view);
    location.hash = place.toString();
  }, VIEW);
  await atRest(page);
  await act(page);
  await atRest(page);
  await page.screenshot({ path: new URL(`${name}.png`, import.meta.url).pathname });
  await context.close();
}

/** Waits until the map is drawn and the list beside it has come. */
async function atRest(page) {
  await page.waitForTimeout(500);
  await page.waitForFunction(() => {
    const { idle } = document.querySelector('[data-testid="map"]')?.dataset ?? {};
    return idle === "true" && document.querySelector('[data-testid="site-list"]')?.ariaBusy === "false";
  });
}
