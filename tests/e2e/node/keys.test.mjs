// By the keys alone where a pointer is the usual way, and where what the keys are on takes itself away.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { byId, isFocused, launch, logIn, openFirstSite, openPage, shoot, tabTo } from "./browser.mjs";
import { Server } from "./server.mjs";

/** Degrees by which a pin may stand elsewhere than it was typed. */
const NEAR_DEG = 1e-5;

let server, token, browser;

before(async () => {
  server = await Server.bare();
  token = await server.fill(6);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const at = (id) => `[data-testid="${id}"]`;
const press = async (page, id, key = "Enter") => {
  await byId(page, id).focus();
  await page.keyboard.press(key);
};

async function open(hash = "") {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token, hash);
  return { page, faults };
}

test("a pin is placed by coordinates that are typed, and what are none says so", async () => {
  const { page, faults } = await open();
  const name = await openFirstSite(page);
  await press(page, "place-pin");
  await isFocused(page, at("pin-here"));
  const field = byId(page, "pin-coordinates");
  for (const typed of ["Reykjavík", "64.1", "91, 0", "64.1, 181", "-64.1 N, 2 W", "64.1 W, 21.9 N"]) {
    await field.fill(typed);
    await field.press("Enter");
    await byId(page, "pin-coordinates-fault").waitFor();
    assert.equal(await page.locator(".draft-mark").count(), 0, typed);
  }
  // As the page itself writes positions.
  await field.fill("64.14660° N, 21.94260° W");
  await field.press("Enter");
  await page.locator('.draft-mark[aria-label*="64.14660° N, 21.94260° W"]').waitFor();
  await byId(page, "pin-coordinates-fault").waitFor({ state: "detached" });
  await shoot(page, "pin-typed", byId(page, "pin-save"));
  await tabTo(page, at("pin-save"));
  await page.keyboard.press("Enter");
  await byId(page, "locate-message").filter({ hasText: /^\s*Moved/ }).waitFor();
  const { position } = (await server.call("SiteService", "GetSite", { name }, token)).location;
  assert.ok(Math.abs(position.lat - 64.1466) < NEAR_DEG && Math.abs(position.lng + 21.9426) < NEAR_DEG, JSON.stringify(position));
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("the first stop leads to the list, and what is filtered and listed stays", async () => {
  const { page, faults } = await open("#account=demo&q=site&list=unplaced");
  await byId(page, "words-chip").waitFor();
  await byId(page, "list-back").waitFor();
  const steps = await page.evaluate(() => history.length);
  await page.locator(".skip").focus();
  await page.keyboard.press("Enter");
  await isFocused(page, "#sites");
  assert.equal(await page.evaluate(() => history.length), steps, "it is no step");
  assert.ok(await byId(page, "words-chip").isVisible());
  assert.ok(await byId(page, "list-back").isVisible());
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a chip that is taken away leaves the keys in the filter", async () => {
  const { page, faults } = await open("#account=demo&label=tier&label=floor&q=site");
  await byId(page, "label-chip").nth(1).waitFor();
  await byId(page, "label-chip").first().focus();
  await page.keyboard.press("Enter");
  await isFocused(page, at("label-input"));
  // With the last one the field goes, too.
  await press(page, "label-chip");
  await isFocused(page, `${at("certainty-chip")}[data-key="confirmed"]`);
  await press(page, "words-chip");
  await isFocused(page, `${at("certainty-chip")}[data-key="confirmed"]`);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("selected sites are changed and let go by the keys, which stay there and go back to the list", async () => {
  const { page, faults } = await open();
  await byId(page, "site-row").first().waitFor();
  await byId(page, "site-list").focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("Space");
  await byId(page, "selected-count").filter({ hasText: "1 selected" }).waitFor();
  await tabTo(page, at("bulk-set-label"));
  await page.keyboard.press("Enter");
  await isFocused(page, at("bulk-key"));
  await page.keyboard.type("tour");
  await page.keyboard.press("Tab");
  await page.keyboard.type("north");
  await page.keyboard.press("Enter");
  await byId(page, "bulk-message").filter({ hasText: "1 site has the new value." }).waitFor();
  await page.locator(`${at("bulk")}:focus, ${at("bulk")} :focus`).waitFor();
  await tabTo(page, at("select-none"));
  await page.keyboard.press("Enter");
  await isFocused(page, at("site-list"));
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a form that opens takes the keys, and gives them back to what opened it", async () => {
  const { page, faults } = await open();
  await openFirstSite(page);
  await press(page, "record-edit");
  await isFocused(page, at("record-displayName"));
  await page.getByRole("button", { name: "Cancel" }).focus();
  await page.keyboard.press("Enter");
  await isFocused(page, at("record-edit"));
  await page.keyboard.press("Enter");
  await isFocused(page, at("record-displayName"));
  await page.keyboard.type("A");
  await page.keyboard.press("Enter");
  await page.getByText("Saved.", { exact: true }).waitFor();
  await isFocused(page, at("record-edit"));
  assert.deepEqual(faults, []);
  await page.context().close();
});
