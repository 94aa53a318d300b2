// A real browser on the dashboard, and what every test of a page does with it.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const STEP_MS_MAX = 30_000;
// How far a drawn colour may be from the one that was asked for, of 255.
const SHADE = 3;
const EXECUTABLES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
// Software WebGL, and nothing that a browser says to the world by itself.
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** The browser of the machine. */
export function launch() {
  const executablePath = EXECUTABLES.find((path) => path && existsSync(path));
  assert.ok(executablePath, "Chromium is missing: run scripts/install-tools test");
  return chromium.launch({ executablePath, args: FLAGS, headless: true });
}

/** A page that keeps account of everything that a good page does not do. */
export async function openPage({ browser, server, token }, viewport = { width: 1440, height: 900 }) {
  const context = await browser.newContext({ viewport });
  const page = await context.newPage();
  page.setDefaultTimeout(STEP_MS_MAX);
  const faults = [];
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    const own = url.origin === server.url || ["data:", "blob:"].includes(url.protocol);
    if (!own) faults.push(`request to another host: ${url.origin}`);
    if (request.url().includes(token)) faults.push(`token in an address: ${url.pathname}`);
  });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  return { page, faults };
}

/** What pages are looked at on: a desk and a phone. */
export const SIZES = [{ width: 1280, height: 900 }, { width: 390, height: 844 }];

/** Pictures for whoever looks at them: wide and narrow, light and dark, with a part of the page in view; as far as asked for. */
export async function shoot(page, name, part) {
  if (!process.env.SHOT_DIR) return;
  const before = page.viewportSize();
  for (const size of SIZES) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme });
      await mapAtRest(page);
      await part?.first().scrollIntoViewIfNeeded();
      await page.screenshot({ path: `${process.env.SHOT_DIR}/${name}-${size.width}-${colorScheme}.png` });
    }
  }
  await page.setViewportSize(before);
  await page.emulateMedia({ colorScheme: null });
  await mapAtRest(page);
}

/**
 * Waits until a map, where there is one, is drawn in the size and the colours that the page has now. The map says so itself, by what
 * it wrote last: frames are nothing to go by, for where a test has the page's clock they are that clock's, and the browser may
 * tell the page of another size or colour later.
 */
async function mapAtRest(page) {
  await page.waitForFunction(() => {
    const map = document.querySelector('[data-testid="map"]');
    if (!map) return true;
    const { idle, scheme, size } = map.dataset;
    const isHidden = map.clientWidth === 0;
    const isOfNow = scheme === (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    return idle === "true" && isOfNow && (isHidden || size === `${map.clientWidth}x${map.clientHeight}`);
  });
}

/** Text that a page must show as text: as markup it would set the title. */
export const HOSTILE = `<img src=x onerror="document.title='hit'">"'&`;

export const byId = (page, id) => page.locator(`[data-testid="${id}"]`);

/** The resource name of a site of the demo account. */
export const siteName = (id) => (id.startsWith("accounts/") ? id : `accounts/demo/sites/${id}`);

/** Logs in by typing a token. */
export async function logIn(page, server, token) {
  await page.goto(`${server.url}/`);
  await byId(page, "login-token").fill(token);
  await byId(page, "login-submit").click();
  await byId(page, "map").waitFor();
}

/** Waits until the map has drawn symbols of any kind. */
export async function symbolsDrawn(page) {
  await page.waitForFunction(() => {
    const data = document.querySelector('[data-testid="map"]')?.dataset ?? {};
    return Number(data.pins ?? 0) + Number(data.clusters ?? 0) + Number(data.areas ?? 0) > 0;
  });
}

/** The colour of the map so many pixels right of its middle and below it, as three numbers up to 255. */
export async function colorOfMap(page, right = 0, below = 0) {
  const box = await byId(page, "map").boundingBox();
  const [x, y] = [Math.round(box.x + box.width / 2) + right, Math.round(box.y + box.height / 2) + below];
  const png = (await page.screenshot({ clip: { x: x - 1, y: y - 1, width: 3, height: 3 } })).toString("base64");
  return page.evaluate(async (png) => {
    const image = new Image();
    image.src = `data:image/png;base64,${png}`;
    await image.decode();
    const canvas = new OffscreenCanvas(3, 3).getContext("2d");
    canvas.drawImage(image, 0, 0);
    return [...canvas.getImageData(1, 1, 1, 1).data].slice(0, 3);
  }, png);
}

/** Waits until the map has a colour there: what it draws comes piece by piece. */
export async function colored(page, expect, right = 0, below = 0) {
  const end = Date.now() + STEP_MS_MAX;
  for (;;) {
    const found = await colorOfMap(page, right, below);
    if (found.every((shade, at) => Math.abs(shade - expect[at]) <= SHADE)) return;
    assert.ok(Date.now() < end, `the map is ${found} there, not ${expect}`);
    await page.evaluate(() => new Promise((resume) => requestAnimationFrame(resume)));
  }
}

/** Opens the page of the site that is listed first, by its own row: another may be the first by the time of the click. */
export async function openFirstSite(page) {
  const row = byId(page, "site-row").first();
  await row.waitFor();
  const listed = await row.getAttribute("data-site");
  await page.locator(`[data-testid="site-row"][data-site="${listed}"]`).click();
  await panelOf(page, siteName(listed)).waitFor();
  return siteName(listed);
}

/** Opens the page of the site of this name, found by the search. */
export async function openFound(page, displayName) {
  await byId(page, "search").fill(displayName);
  await byId(page, "hit").first().click();
  await byId(page, "site-position").waitFor();
}

/** The part of a site's page that tells of its resident, found by the site's name; and how to wait for what it says. */
export async function openResidentOf(signIn, displayName) {
  const { page, faults } = await openPage(signIn);
  await logIn(page, signIn.server, signIn.token);
  await openFound(page, displayName);
  await byId(page, "resident").locator("summary").click();
  const isShown = (text) => byId(page, "resident-state").filter({ hasText: text }).waitFor();
  return { page, faults, isShown };
}

/** Loads the page anew: its address says which site is open. */
export async function reload(page, name) {
  await page.reload();
  await panelOf(page, name).waitFor();
}

const panelOf = (page, name) => page.locator(`[data-testid="site-panel"][data-site="${name}"]`);
