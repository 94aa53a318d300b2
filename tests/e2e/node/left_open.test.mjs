// A page that is left open all day: what was opened on it and is closed again stays nowhere. Counted are the nodes and the listeners that
// the browser holds for the page, behind a collection of garbage: a part of the page that somebody still holds on to is hundreds of each.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { byId, launch, linkIs, logIn, openFound, openMore, openPage, symbolsDrawn } from "./browser.mjs";
import { Server } from "./server.mjs";

const SITES = 12;
/** Sites that are opened in a round, rounds until all code is loaded and all is there that stays, and rounds that are counted. */
const OPENED = ["Site 001", "Site 004", "Site 007", "Site 011"];
const ROUNDS_BEFORE = 2;
const ROUNDS = 5;
/** Steps of a wallboard in a round. */
const STEPS = 10;

let server, token, browser;

before(async () => {
  server = await Server.bare();
  token = await server.fill(SITES);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** What the browser holds for a page. */
async function held(devtools) {
  // What the first collection lets go of may have held something itself.
  for (let turn = 0; turn < 2; turn += 1) await devtools.send("HeapProfiler.collectGarbage");
  const { metrics } = await devtools.send("Performance.getMetrics");
  const [nodes, listeners] = ["Nodes", "JSEventListeners"].map((wanted) => metrics.find(({ name }) => name === wanted).value);
  return { nodes, listeners };
}

/** Runs rounds, each of which does something so many times and ends as it began: less than one node and one listener more for each time. */
async function staysAsItIs(page, times, round) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Performance.enable");
  for (let done = 0; done < ROUNDS_BEFORE; done += 1) await round(done);
  const before = await held(devtools);
  for (let done = 0; done < ROUNDS; done += 1) await round(ROUNDS_BEFORE + done);
  const now = await held(devtools);
  for (const kind of ["nodes", "listeners"]) {
    assert.ok(now[kind] - before[kind] < times * ROUNDS, `${kind}: ${before[kind]} before ${ROUNDS} rounds, ${now[kind]} behind them`);
  }
}

const atRest = (page) => page.locator('[data-testid="map"][data-idle="true"]').waitFor();

/** The page of a site with its parts that open, a form, and back. */
async function visit(page, displayName) {
  await openFound(page, displayName);
  await byId(page, "history").locator("summary").click();
  await byId(page, "history-change").first().waitFor();
  await byId(page, "resident").locator("summary").click();
  await byId(page, "resident-state").waitFor();
  await byId(page, "record-edit").click();
  await byId(page, "record-note").waitFor();
  await byId(page, "place-pin").click();
  await byId(page, "pin-here").click();
  await page.locator(".draft-mark").waitFor();
  await byId(page, "pin-cancel").click();
  await page.locator(".draft-mark").waitFor({ state: "detached" });
  await byId(page, "site-close").click();
  await byId(page, "site-panel").waitFor({ state: "detached" });
}

test("sites, lists, pages and filters that were opened and closed leave neither nodes nor listeners behind", async () => {
  const { page, faults } = await openPage({ browser, server, token }, { width: 1280, height: 900 });
  // What flies takes its time, and is no part of this.
  await page.emulateMedia({ reducedMotion: "reduce" });
  await logIn(page, server, token);
  await symbolsDrawn(page);
  const { sites } = await server.call("SiteService", "ListSites", { parent: "accounts/demo", orderBy: "display_name" }, token);
  await staysAsItIs(page, OPENED.length, async (round) => {
    for (const name of OPENED) await visit(page, name);
    await byId(page, "open-attention").click();
    await byId(page, "attention-none").waitFor();
    await byId(page, "attention-back").click();
    for (const [entry, shown, close] of [["open-access", "access", "access-close"], ["open-exchange", "exchange", "exchange-close"]]) {
      await openMore(page, entry, shown);
      await byId(page, close).click();
      await byId(page, shown).waitFor({ state: "detached" });
    }
    await page.locator('[data-testid="status-chip"][data-status="offline"]').click();
    await byId(page, "clear-filters").click();
    await byId(page, "select-all").click();
    await byId(page, "select-none").click();
    // Others change something meanwhile, and it comes.
    const note = `of round ${round}`;
    await server.call("SiteService", "UpdateSite", { site: { name: sites[0].name, displayName: note }, updateMask: "displayName" }, token);
    await byId(page, "fit").click();
    await byId(page, "site-row").filter({ hasText: note }).waitFor();
    await byId(page, "list-total").filter({ hasText: `${SITES} in view` }).waitFor();
    await atRest(page);
    await linkIs(page, "sound");
  });
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a wallboard that goes on and on holds no more than it did", async () => {
  const { page, faults } = await openPage({ browser, server, token }, { width: 1280, height: 900 });
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.goto(`${server.url}/?wallboard&seconds=3600&names#token=${token}`);
  await byId(page, "wallboard-region").waitFor();
  await symbolsDrawn(page);
  const place = page.locator(".title span");
  await staysAsItIs(page, STEPS, async () => {
    for (let step = 0; step < STEPS; step += 1) {
      const before = await place.textContent();
      await byId(page, "wallboard-next").click();
      await page.waitForFunction((before) => document.querySelector(".title span").textContent !== before, before);
    }
    // To the region that a round begins with.
    while ((await byId(page, "wallboard-region").textContent()) !== "All sites") await byId(page, "wallboard-next").click();
    await atRest(page);
  });
  assert.deepEqual(faults, []);
  await page.context().close();
});
