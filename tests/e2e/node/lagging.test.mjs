// A page whose calls are answered now by one server and now by another that is behind: what it saved is never shown as it was before,
// and what is typed while its server hears nothing of the others is kept.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { byId, launch, linkIs, logIn, openFirstSite, openPage, ownFaults, shoot, typeNote } from "./browser.mjs";
import { Cutting } from "./cutting.mjs";
import { Gate } from "./gate.mjs";
import { Redis } from "./redis.mjs";
import { Server } from "./server.mjs";

/** What the page reads sites by. */
const READS = ["ListViewportSites", "GetSite"];
const WORLD = { low: { lat: -90, lng: -180 }, high: { lat: 90, lng: 180 } };
const AFTER = "as it was saved";
const TYPED = "typed while the server was behind";
const DONE_MS_MAX = 30_000;

let redis, way, near, far, gate, token, browser;

before(async () => {
  redis = await Redis.start();
  way = await Cutting.before({ url: `http://127.0.0.1:${redis.port}` });
  near = await Server.bare([], redis.configuration());
  token = await near.fill(12);
  // This one hears of the others by a way that can be clogged.
  far = await Server.bare([], redis.configuration(new URL(way.url).port));
  browser = await launch();
});

after(async () => {
  way?.letGo();
  await browser?.close();
  await far?.stop();
  await near?.stop();
  await way?.stop();
  await redis?.stop();
});

beforeEach(async () => {
  gate = await Gate.before(near);
});

afterEach(async () => {
  way.letGo();
  await gate.stop();
});

async function open() {
  const { page, faults } = await openPage({ browser, server: gate, token });
  await logIn(page, gate, token);
  await byId(page, "site-row").first().waitFor();
  await linkIs(page, "sound");
  return { page, faults };
}

/** The name that a server's map has for a site now. */
async function nameAt(server, name) {
  const request = { parent: "accounts/demo", viewport: WORLD, pageSize: 100 };
  const { sites } = await server.call("MapService", "ListViewportSites", request, token);
  return sites.find((site) => site.name === name).displayName;
}

/** Waits until something is so at the servers. */
async function until(isSo, told) {
  const end = Date.now() + DONE_MS_MAX;
  while (!(await isSo())) assert.ok(Date.now() < end, told);
}

test("what was saved at one server is not shown as before by another that is behind", async () => {
  for (const method of READS) gate.turn(method, far);
  const { page, faults } = await open();
  const name = await openFirstSite(page);
  const before = await nameAt(far, name);
  await byId(page, "record-edit").click();
  await byId(page, "record-displayName").fill(AFTER);
  // All names that the row and the page of the site show from now on, one after the other.
  await page.evaluate((name) => {
    window.shown = [];
    const look = () => {
      const row = document.querySelector(`[data-testid="site-row"][data-site="${name}"] .name`)?.textContent;
      const heading = document.querySelector('[data-testid="site-name"]')?.textContent.trim();
      window.shown.push({ row, heading });
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
  }, name);

  way.hold();
  const asked = gate.arrived("ListViewportSites");
  await byId(page, "record-save").click();
  await byId(page, "record-note").waitFor({ state: "detached" });
  const row = page.locator(`[data-testid="site-row"][data-site="${name}"]`);
  await row.getByText(AFTER).waitFor();
  assert.match((await asked)["waymark-min-revision"], /^accounts\/demo=\d+$/);
  assert.equal(await nameAt(far, name), before, "it is behind, and says so to whoever asks for no more");
  assert.equal(await row.getByText(AFTER).count(), 1);

  way.letGo();
  await until(async () => (await nameAt(far, name)) === AFTER, "the server does not catch up");
  await page.locator('[data-testid="site-list"][aria-busy="false"]').waitFor();
  await row.getByText(AFTER).waitFor();
  assert.equal(await page.locator("#sites").getByTestId("error-banner").count(), 0);
  const shown = await page.evaluate(() => window.shown);
  for (const part of ["row", "heading"]) {
    const names = shown.map((one) => one[part]).filter((text) => text !== undefined);
    const since = names.slice(names.indexOf(AFTER));
    assert.deepEqual([...new Set(since)], [AFTER], `the ${part} of the site went back`);
  }
  assert.deepEqual(ownFaults(faults), []);
  await page.context().close();
});

test("an edit that is typed and saved at a server that has lost the others is kept, and written once", async () => {
  gate.server = far;
  const { page, faults } = await open();
  const name = await typeNote(page, TYPED);
  way.hold();
  await linkIs(page, "stale");
  await page.getByText(/What you see may be that old, and changes may be refused/).waitFor();
  await byId(page, "record-save").click();
  await byId(page, "error-banner").first().waitFor();
  assert.equal(await byId(page, "record-note").inputValue(), TYPED);
  await shoot(page, "lagging-unsaved", byId(page, "record-note"));
  assert.equal(await byId(page, "unsaved").count(), 1);

  way.letGo();
  await linkIs(page, "sound", "back");
  assert.equal(await byId(page, "record-note").inputValue(), TYPED);
  // As often as it takes: the server may not be back at all of it at once.
  await until(async () => {
    const save = byId(page, "record-save");
    if ((await save.count()) === 0) return true;
    await save.click({ timeout: 1_000 }).catch(() => undefined);
    return (await byId(page, "record-note").count()) === 0;
  }, "the edit is not saved");
  await until(async () => (await near.call("SiteService", "GetSite", { name }, token)).note === TYPED, "the note is not there");
  const { changes } = await near.call("HistoryService", "ListSiteChanges", { parent: name, field: "note" }, token);
  assert.equal(changes.length, 1, "written once");
  assert.deepEqual(ownFaults(faults), []);
  await page.context().close();
});
