// The bar above map and list in a real browser, when it has most to say: each of its parts stays on one line and in the window. The
// search field below it says all of its hint. And the head of a wallboard lies on nothing.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { byId, launch, logIn, openFirstSite, openPage } from "./browser.mjs";
import { Server } from "./server.mjs";

const SITES = 5_000;
const ROWS_OF_CALL = 100;
const STATUSES = ["ONLINE", "OFFLINE", "MAINTENANCE", "UNKNOWN"];
/** At and beside those where it changes. */
const WIDTHS = [1561, 1440, 1280, 1241, 1240, 1024, 1023, 701, 390];
/** One line of the largest type of the bar with its padding, in pixels; two lines of the smallest are more. */
const LINE_PX_MAX = 36;
/** As many letters as the name of an account has at most. */
const LONG_ACCOUNT = `${"long-".repeat(12)}est`;

let server, token, browser;

before(async () => {
  server = await Server.bare();
  token = await server.fill(0);
  const row = (at) => ({
    site: { displayName: `Site ${at}`, status: `SITE_STATUS_${STATUSES[at % STATUSES.length]}` },
    updateMask: "status",
    position: { lat: (at % 100) / 2 - 10, lng: at / 50 - 50 },
  });
  for (let first = 0; first < SITES; first += ROWS_OF_CALL) {
    const rows = Array.from({ length: ROWS_OF_CALL }, (_, at) => row(first + at));
    await server.call("ImportService", "ImportSites", { parent: "accounts/demo", rows }, token);
  }
  // Some that are on no map, so that the bar says that too.
  for (const displayName of ["Nowhere", "Elsewhere"]) {
    await server.call("SiteService", "CreateSite", { parent: "accounts/demo", site: { displayName } }, token);
  }
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

test("the bar breaks no word with thousands of sites and an unsaved edit, at any width", async () => {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await openFirstSite(page);
  await byId(page, "record-edit").click();
  await byId(page, "record-note").fill("not saved yet");
  await byId(page, "unsaved").waitFor();
  await byId(page, "matching").filter({ hasText: "5,000" }).waitFor();
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 800 });
    if (process.env.SHOT_DIR) await page.screenshot({ path: `${process.env.SHOT_DIR}/header-${width}.png` });
    const parts = await page.locator("header").first().evaluate((header) =>
      [...header.querySelectorAll("h1, .account, button, strong")]
        .map((part) => ({ text: part.textContent.trim(), box: part.getBoundingClientRect() }))
        .filter(({ box }) => box.width > 0)
        .map(({ text, box: { left, right, height } }) => ({ text, left, right, height })),
    );
    assert.ok(parts.some(({ text }) => text === "1 unsaved edit"), `${width}: the edit is told`);
    assert.ok(parts.some(({ text }) => text === "demo"), `${width}: the account is told`);
    for (const { text, left, right, height } of parts) {
      assert.ok(height <= LINE_PX_MAX, `${width}: ${text} is ${height} px high`);
      assert.ok(left >= 0 && right <= width, `${width}: ${text} is from ${left} to ${right}`);
    }
    const tally = await byId(page, "tally").evaluate((part) => part.scrollWidth <= part.clientWidth);
    assert.ok(tally, `${width}: the tally is whole`);
    const brand = await page.locator("header h1").evaluate((title) => title.scrollWidth <= title.clientWidth);
    assert.ok(brand, `${width}: the name is whole`);
  }
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("the search field has room for its hint, at any width", async () => {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await page.evaluate(() => document.fonts.ready);
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 800 });
    const { words, room } = await byId(page, "search").evaluate((field) => {
      const { font, paddingLeft, paddingRight } = getComputedStyle(field);
      const pen = document.createElement("canvas").getContext("2d");
      pen.font = font;
      const room = field.clientWidth - Number.parseFloat(paddingLeft) - Number.parseFloat(paddingRight);
      return { words: pen.measureText(field.placeholder).width, room };
    });
    assert.ok(words > 0 && words <= room, `${width}: ${words} px of hint in ${room}`);
  }
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("the head of a wallboard stands beside its card, however long the account is called", async () => {
  const account = { accountId: LONG_ACCOUNT, account: { displayName: "Long" } };
  await server.call("AdminService", "CreateAccount", account, server.adminToken);
  const request = { parent: `accounts/${LONG_ACCOUNT}`, token: { scope: "TOKEN_SCOPE_WALLBOARD" } };
  const { secret } = await server.call("AdminService", "CreateToken", request, server.adminToken);
  const { page, faults } = await openPage({ browser, server, token: secret });
  await page.goto(`${server.url}/?wallboard#token=${secret}`);
  await byId(page, "wallboard-region").waitFor();
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 800 });
    if (process.env.SHOT_DIR) await page.screenshot({ path: `${process.env.SHOT_DIR}/wallboard-head-${width}.png` });
    const [head, card] = await Promise.all(["main header", ".card.whole"].map((part) => page.locator(part).boundingBox()));
    const right = head.x + head.width;
    assert.ok(right <= width, `${width}: the head goes to ${right}`);
    assert.ok(right < card.x || head.y + head.height < card.y, `${width}: the head lies on the card`);
    const time = await page.locator("main header time").boundingBox();
    assert.ok(time.x + time.width <= right, `${width}: the time is in the head`);
  }
  assert.deepEqual(faults, []);
  await page.context().close();
});
