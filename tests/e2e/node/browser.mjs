// A real browser on the dashboard, and what every test of a page does with it.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const STEP_MS_MAX = 30_000;
// Milliseconds for a page to notice what becomes of its connection: a watch that is silent counts as lost after 25 seconds.
const NOTICED_MS_MAX = 60_000;
// More steps by the Tab key than any page has.
const TABS_MAX = 150;
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
export async function mapAtRest(page) {
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

/** Logs in by typing a token, on the page that a hash names. */
export async function logIn(page, server, token, hash = "") {
  await page.goto(`${server.url}/${hash}`);
  await typeToken(page, token);
}

/** Types a token into the form that asks for one, and waits for the account. */
export async function typeToken(page, token) {
  await byId(page, "login-token").fill(token);
  await byId(page, "login-submit").click();
  await byId(page, "map").waitFor();
}

/** Waits until the page says one of these of its connection. */
export function linkIs(page, ...kinds) {
  const link = page.locator(kinds.map((kind) => `[data-testid="link-state"][data-kind="${kind}"]`).join(", "));
  return link.waitFor({ state: "attached", timeout: NOTICED_MS_MAX });
}

/** Faults of a page, but for those that the browser itself tells of connections and of a token that was refused. */
export const ownFaults = (faults) => faults.filter((fault) => !/Failed to load resource|net::ERR|401/.test(fault));

/** Begins to edit the note of the site that is listed first; its resource name. */
export async function typeNote(page, text) {
  const name = await openFirstSite(page);
  await byId(page, "record-edit").click();
  await byId(page, "record-note").fill(text);
  return name;
}

/** Waits until the map has drawn symbols of any kind. */
export async function symbolsDrawn(page) {
  await page.waitForFunction(() => {
    const data = document.querySelector('[data-testid="map"]')?.dataset ?? {};
    return Number(data.pins ?? 0) + Number(data.clusters ?? 0) + Number(data.areas ?? 0) > 0;
  });
}

/** A desk's page on the map of the demo account, over a position, when symbols are drawn. */
export async function openMapAt({ browser, server, token }, { lat, lng }, zoom) {
  const { page, faults } = await openPage({ browser, server, token }, SIZES[0]);
  await logIn(page, server, token, `#account=demo&map=${zoom}/${lat}/${lng}`);
  await symbolsDrawn(page);
  return { page, faults };
}

/** Waits until the map is at rest and says all this of itself, by the names that `report.ts` tells it by. */
export function shows(page, wanted) {
  const isSo = (wanted) => {
    const data = document.querySelector('[data-testid="map"]')?.dataset ?? {};
    return data.idle === "true" && Object.entries(wanted).every(([key, value]) => data[key] === value);
  };
  return page.waitForFunction(isSo, wanted);
}

/**
 * What the map shows around its middle, as many pixels to each side as asked for: a function that gives the colour so many pixels
 * right of the middle and below it, which need not be whole numbers, as three numbers up to 255.
 */
export async function pixelsOfMap(page, across, down) {
  const { x, y } = await middleOfMap(page);
  const clip = { x: Math.floor(x) - across, y: Math.floor(y) - down, width: 2 * across + 1, height: 2 * down + 1 };
  const colorAt = await seen(page, clip);
  return (right, below) => colorAt(x + right, y + below);
}

/** The colour of the map so many pixels right of its middle and below it, as three numbers up to 255. */
async function colorOfMap(page, right, below) {
  const middle = await middleOfMap(page);
  const [x, y] = [Math.round(middle.x) + right, Math.round(middle.y) + below];
  return (await seen(page, { x: x - 1, y: y - 1, width: 3, height: 3 }))(x, y);
}

async function middleOfMap(page) {
  const { x, y, width, height } = await byId(page, "map").boundingBox();
  return { x: x + width / 2, y: y + height / 2 };
}

/** What a part of the window shows, as a function that gives the colour at a place in the window. */
async function seen(page, clip) {
  const png = (await page.screenshot({ clip })).toString("base64");
  const data = await page.evaluate(async ({ png, width, height }) => {
    const image = new Image();
    image.src = `data:image/png;base64,${png}`;
    await image.decode();
    const canvas = new OffscreenCanvas(width, height).getContext("2d");
    canvas.drawImage(image, 0, 0);
    let bytes = "";
    for (const byte of canvas.getImageData(0, 0, width, height).data) bytes += String.fromCharCode(byte);
    return btoa(bytes);
  }, { png, width: clip.width, height: clip.height });
  const bytes = Buffer.from(data, "base64");
  return (x, y) => {
    const pixel = Math.floor(y - clip.y) * clip.width + Math.floor(x - clip.x);
    return [...bytes.subarray(4 * pixel, 4 * pixel + 3)];
  };
}

/** Waits until a look at the map finds nothing wrong: what it draws comes piece by piece. `look` gives what is wrong, or nothing. */
export async function comes(page, look) {
  const end = Date.now() + STEP_MS_MAX;
  for (;;) {
    const wrong = await look();
    if (!wrong) return;
    assert.ok(Date.now() < end, wrong);
    await page.evaluate(() => new Promise((resume) => requestAnimationFrame(resume)));
  }
}

/** Waits until the map has a colour there. */
export function colored(page, expect, right = 0, below = 0) {
  return comes(page, async () => {
    const found = await colorOfMap(page, right, below);
    const isSo = found.every((shade, at) => Math.abs(shade - expect[at]) <= SHADE);
    return isSo ? "" : `the map is ${found} there, not ${expect}`;
  });
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

/** Opens a page of the account from the menu in the bar. */
export async function openMore(page, entry, shown) {
  await byId(page, "open-more").click();
  await byId(page, entry).click();
  await byId(page, shown).waitFor();
}

/** Asserts that none of these parts of the page lies on another one in a window of such a size. */
export async function apart(page, size, parts) {
  await page.setViewportSize(size);
  await page.waitForFunction(({ width, height }) => innerWidth === width && innerHeight === height, size);
  const found = await page.evaluate((parts) => {
    const boxes = parts.map((part) => [part, document.querySelector(part).getBoundingClientRect()]);
    const isOn = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    return boxes.flatMap(([part, box], at) =>
      boxes.slice(0, at).filter(([, other]) => isOn(box, other)).map(([other]) => `${part} lies on ${other}`),
    );
  }, parts);
  assert.deepEqual(found, [], `${size.width}x${size.height}`);
}

/** Goes on by the Tab key until something is in focus. */
export async function tabTo(page, selector) {
  for (let steps = 0; steps < TABS_MAX; steps += 1) {
    if (await page.evaluate((selector) => document.activeElement.matches(selector), selector)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`the Tab key does not come to ${selector}`);
}

/** Waits until the keys are on a part of the page. */
export const isFocused = (page, selector) => page.locator(`${selector}:focus`).waitFor();

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
