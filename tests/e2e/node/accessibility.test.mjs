// Every view as axe-core sees it, light and dark, on a desk and on a phone: no serious fault. And by the keys alone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { look } from "./axe.mjs";
import { byId, isFocused, launch, logIn, openFirstSite, openMore, openPage, shoot, SIZES, symbolsDrawn, tabTo } from "./browser.mjs";
import { Server } from "./server.mjs";

let server, token, browser;

before(async () => {
  server = await Server.bare();
  token = await server.fill(12);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

test("log-in and choice of an account", async () => {
  const found = [];
  const { page } = await openPage({ browser, server, token });
  await page.goto(`${server.url}/`);
  await byId(page, "login-token").waitFor();
  await look(page, "log-in", found);
  await byId(page, "login-token").fill("wmk_nonsense");
  await byId(page, "login-submit").click();
  await byId(page, "error-banner").waitFor();
  await look(page, "log-in, refused", found);

  const account = { accountId: "second", account: { displayName: "Second" } };
  await server.call("AdminService", "CreateAccount", account, server.adminToken);
  await byId(page, "login-token").fill(server.adminToken);
  await byId(page, "login-submit").click();
  await byId(page, "account").first().waitFor();
  await look(page, "choice of an account", found);
  assert.deepEqual(found, []);
  await page.context().close();
});

test("map, list, search, site, its forms, groups and ticketing", async () => {
  const found = [];
  const { page } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await symbolsDrawn(page);
  await byId(page, "site-row").first().waitFor();
  await look(page, "map and list", found);
  await byId(page, "search").fill("Site 00");
  await byId(page, "hit").first().waitFor();
  await look(page, "search", found);
  await byId(page, "search").press("Escape");
  await byId(page, "search").fill("");
  await openFirstSite(page);
  await look(page, "site", found);
  await byId(page, "record-edit").click();
  await look(page, "site, edited", found);
  await byId(page, "site-close").click();
  await byId(page, "open-ticketing").click();
  await byId(page, "ticketing-panel").waitFor();
  await look(page, "ticketing", found);
  await byId(page, "ticketing-close").click();
  await byId(page, "open-more").click();
  await look(page, "the menu", found);
  assert.deepEqual(found, []);
  await page.context().close();
});

test("import, report, tokens, their forms and secret, accounts, wallboard, lost connection", async () => {
  const found = [];
  const { page } = await openPage({ browser, server, token: server.adminToken });
  await logInTo(page, "demo");
  await openMore(page, "open-exchange", "exchange");
  await look(page, "import and export", found);
  const buffer = Buffer.from("name,status\nA new one,online\nA bad one,sideways\n");
  await byId(page, "import-file").setInputFiles({ name: "two.csv", mimeType: "text/csv", buffer });
  await byId(page, "import-run").waitFor();
  await look(page, "report of a dry run", found);
  await byId(page, "import-run").click();
  await page.locator('[data-testid="import-progress"][data-phase="done"]').waitFor();
  await look(page, "report of an import", found);
  await byId(page, "exchange-close").click();

  await openMore(page, "open-access", "accounts");
  await byId(page, "token-create").click();
  await byId(page, "account-create").click();
  await look(page, "forms of tokens and accounts", found);
  await byId(page, "token-name").fill("of a test");
  await byId(page, "token-make").click();
  await byId(page, "token-made").waitFor();
  await byId(page, "token-revoke").first().click();
  await look(page, "tokens", found);

  await page.goto(`${server.url}/?wallboard`);
  await byId(page, "wallboard-region").waitFor();
  await look(page, "wallboard", found);
  await page.goto(`${server.url}/`);
  await byId(page, "map").waitFor();
  server.process.kill("SIGSTOP");
  try {
    await page.locator('[data-testid="link-state"][data-kind="lost"]').waitFor();
    await look(page, "lost connection", found);
  } finally {
    server.process.kill("SIGCONT");
  }
  assert.deepEqual(found, []);
  await page.context().close();
});

async function logInTo(page, account) {
  await page.goto(`${server.url}/`);
  await byId(page, "login-token").fill(server.adminToken);
  await byId(page, "login-submit").click();
  await byId(page, "account").filter({ hasText: account }).first().click();
  await byId(page, "map").waitFor();
}

/** Opens the site that is listed first, and comes back to its row; then opens it again. */
async function openByKeys(page) {
  // The first stop leads past bar and map.
  await page.keyboard.press("Tab");
  await tabTo(page, ".skip");
  await page.keyboard.press("Enter");
  await tabTo(page, '[data-testid="site-list"]');
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  await isFocused(page, '[data-testid="site-name"]');
  await page.keyboard.press("Escape");
  await isFocused(page, '[data-testid="site-list"]');
  assert.ok(await byId(page, "site-list").getAttribute("aria-activedescendant"), "on the row that it was opened from");
  await page.keyboard.press("Enter");
  await isFocused(page, '[data-testid="site-name"]');
}

/** Places a pin: at the middle of the map, moved by the arrows, saved. */
async function placeByKeys(page) {
  await tabTo(page, '[data-testid="place-pin"]');
  await page.keyboard.press("Enter");
  await isFocused(page, '[data-testid="pin-here"]');
  await page.keyboard.press("Enter");
  await isFocused(page, ".draft-mark");
  const said = () => page.locator(".draft-mark").getAttribute("aria-label");
  let before = await said();
  assert.match(before, /^New pin at \d+\.\d{5}° [NS], \d+\.\d{5}° [EW]/);
  for (const key of ["ArrowRight", "Shift+ArrowUp"]) {
    await page.keyboard.press(key);
    await page.waitForFunction((before) => document.querySelector(".draft-mark").ariaLabel !== before, before);
    before = await said();
  }
  await page.keyboard.press("Enter");
  await isFocused(page, '[data-testid="pin-save"]');
  await page.keyboard.press("Enter");
  await byId(page, "locate-message").filter({ hasText: /^\s*Moved/ }).waitFor();
  await isFocused(page, '[data-testid="place-pin"]');
}

for (const width of [1440, 1024]) {
  test(`all of it by the keys at ${width} px: open a site, edit, save, place a pin, make a token, sign out`, async () => {
    const request = { parent: "accounts/demo", token: { scope: "TOKEN_SCOPE_ADMIN", displayName: "of the keys" } };
    const admin = await server.call("AdminService", "CreateToken", request, server.adminToken);
    const { page, faults } = await openPage({ browser, server, token: admin.secret }, { width, height: 900 });
    await page.goto(`${server.url}/`);
    await byId(page, "login-token").waitFor();
    await tabTo(page, '[data-testid="login-token"]');
    await page.keyboard.type(admin.secret);
    await page.keyboard.press("Enter");
    await byId(page, "site-row").first().waitFor();
    await openByKeys(page);
    await placeByKeys(page);
    const note = `by the keys alone, at ${width}`;
    await tabTo(page, '[data-testid="record-edit"]');
    await page.keyboard.press("Enter");
    await tabTo(page, '[data-testid="record-note"]');
    await page.keyboard.type(note);
    await tabTo(page, '[data-testid="record-save"]');
    await page.keyboard.press("Enter");
    await byId(page, "record-note").waitFor({ state: "detached" });
    await page.getByText(note).first().waitFor();

    await tabTo(page, "#open-more");
    await page.keyboard.press("Enter");
    await tabTo(page, '[data-testid="open-access"]');
    await page.keyboard.press("Enter");
    await byId(page, "token-create").waitFor();
    await tabTo(page, '[data-testid="token-create"]');
    await page.keyboard.press("Enter");
    await tabTo(page, '[data-testid="token-name"]');
    await page.keyboard.type("made by the keys");
    await page.keyboard.press("Enter");
    await byId(page, "token-made").waitFor();
    await page.keyboard.press("Escape");
    await byId(page, "access").waitFor({ state: "detached" });
    await tabTo(page, '[data-testid="sign-out"]');
    await page.keyboard.press("Enter");
    await byId(page, "login-token").waitFor();
    assert.deepEqual(faults, []);
    await page.context().close();
  });
}

test("what a site is opened from has the keys again: a hit, a symbol of the map", async () => {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await byId(page, "search").fill("Site 007");
  await byId(page, "hit").first().waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await isFocused(page, '[data-testid="site-name"]');
  // The map goes to that site, which is alone there; one that is made wider on its way ends elsewhere.
  const there = '[data-testid="map"][data-idle="true"][data-pins="1"][data-zoom="13.000"]';
  await page.locator(there).waitFor();
  await page.keyboard.press("Escape");
  await isFocused(page, '[data-testid="search"]');
  await page.waitForFunction(() => document.querySelector('[data-testid="map"]').clientWidth > 1_000);
  await page.locator(there).waitFor();
  const box = await byId(page, "map").boundingBox();
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  await isFocused(page, '[data-testid="site-name"]');
  await page.keyboard.press("Escape");
  await isFocused(page, ".maplibregl-canvas");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("who wants less motion gets none: nothing animates, and the map jumps", async () => {
  const { page, faults } = await openPage({ browser, server, token });
  await page.emulateMedia({ reducedMotion: "reduce" });
  await logIn(page, server, token);
  await symbolsDrawn(page);
  await page.waitForFunction(() => document.querySelector('[data-testid="map"]').dataset.idle === "true");
  const before = await byId(page, "map").getAttribute("data-center");
  await page.evaluate(() => {
    const map = document.querySelector('[data-testid="map"]');
    window.centers = new Set();
    new MutationObserver(() => window.centers.add(map.dataset.center)).observe(map, { attributes: true });
  });
  await openFirstSite(page);
  await page.waitForFunction((before) => document.querySelector('[data-testid="map"]').dataset.center !== before, before);
  assert.ok((await page.evaluate(() => window.centers.size)) <= 3, "the map does not fly");
  const moving = await page.evaluate(() =>
    document.getAnimations().filter((animation) => Number(animation.effect.getComputedTiming().duration) > 1).length,
  );
  assert.equal(moving, 0);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("on a phone the map, the list, or both are shown, and what is opened is seen", async () => {
  const { page, faults } = await openPage({ browser, server, token }, SIZES[1]);
  await logIn(page, server, token);
  await byId(page, "site-row").first().waitFor();
  const height = async (id) => (await byId(page, id).boundingBox())?.height ?? 0;
  const both = await height("site-list");
  await byId(page, "layout-list").click();
  assert.ok((await height("site-list")) > both, "the list alone is higher");
  await shoot(page, "phone-list");
  await byId(page, "layout-map").click();
  await byId(page, "site-list").waitFor({ state: "hidden" });
  await page.waitForFunction(() => document.querySelector('[data-testid="map"]').clientHeight > 600);
  await shoot(page, "phone-map");
  // A site that is opened comes into sight.
  await byId(page, "layout-list").click();
  await openFirstSite(page);
  await byId(page, "layout-both").click();
  await byId(page, "site-close").waitFor();
  await shoot(page, "phone-both");
  const box = await byId(page, "site-panel").boundingBox();
  assert.ok(box.y > 300 && box.width === SIZES[1].width, "the page of a site is a sheet below the map");
  await byId(page, "site-close").click();
  // What the bar has no room for is in its menu.
  assert.ok(await byId(page, "sign-out").isHidden());
  await byId(page, "open-more").click();
  await shoot(page, "phone-menu");
  await byId(page, "menu-ticketing").click();
  await byId(page, "ticketing-close").click();
  assert.equal(await page.evaluate(() => document.activeElement.id), "open-more", "the focus goes back");
  await byId(page, "open-more").click();
  await byId(page, "menu-sign-out").click();
  await byId(page, "login-token").waitFor();
  assert.deepEqual(faults, []);
  await page.context().close();
});
