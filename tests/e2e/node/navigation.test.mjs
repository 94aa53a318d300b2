// Where addresses and the browser's way back lead: the queue, the lists beside the map, and a search that is shown as a whole.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { byId, isFocused, launch, logIn, openPage, shoot } from "./browser.mjs";
import { Server } from "./server.mjs";

const PARENT = "accounts/demo";
const SITES = 12;
/** Hits that are listed at first. */
const HITS_FIRST = 8;
/** A spot in the sea, far from all other sites, and how many stand there. */
const SPOT = { lat: 35, lng: -40 };
const STACKED = 3;
const AT_SPOT = `#account=demo&map=12/${SPOT.lat}/${SPOT.lng}`;

let server, token, browser;

const call = (service, method, request) => server.call(service, method, request, token);
const create = (site) => call("SiteService", "CreateSite", { parent: PARENT, site });

before(async () => {
  server = await Server.bare();
  token = await server.fill(SITES);
  for (let number = 0; number < STACKED; number += 1) {
    const { name } = await create({ displayName: `Pile ${number}`, note: "of the ledger", contact: { phones: [{ number: `+354555123${number}` }] } });
    await call("LocationService", "SetPin", { site: name, position: SPOT });
  }
  await create({ displayName: "Adrift" });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

async function opened(hash = "", secret = token) {
  const { page, faults } = await openPage({ browser, server, token: secret });
  await logIn(page, server, secret, hash);
  return { page, faults };
}

/** Waits until the address says so of something; nothing for null. */
const says = (page, key, value) =>
  page.waitForFunction(([key, value]) => new URLSearchParams(location.hash.slice(1)).get(key) === value, [key, value]);
const steps = (page) => page.evaluate(() => history.length);
const kind = (page, title) => byId(page, "attention-kind").filter({ hasText: title });
const row = (page, name) => byId(page, "site-row").filter({ hasText: name });
const rows = (page, count) =>
  page.waitForFunction((count) => document.querySelectorAll('[data-testid="site-row"]').length === count, count);
const matching = (page, count) => byId(page, "matching").filter({ hasText: new RegExp(`^\\s*${count} of`) }).waitFor();

test("the queue and what it holds have addresses, and the way back leads through them and out", async () => {
  const { page, faults } = await opened();
  await byId(page, "site-row").first().waitFor();
  const begin = await steps(page);
  await byId(page, "open-attention").click();
  await byId(page, "attention").waitFor();
  await says(page, "queue", "all");
  assert.equal(await steps(page), begin + 1);
  await kind(page, "No position").click();
  await says(page, "queue", "unplaced");
  await byId(page, "attention-name").filter({ hasText: "Adrift" }).waitFor();
  const link = await page.evaluate(() => location.hash);
  assert.ok(!link.includes("wmk_") && !link.includes("Adrift"), link);
  await page.keyboard.press("o");
  await byId(page, "site-panel").waitFor();

  await page.goBack();
  await byId(page, "site-panel").waitFor({ state: "detached" });
  assert.equal(await kind(page, "No position").getAttribute("aria-pressed"), "true", "the queue is as it was");
  await isFocused(page, "#attention");
  await page.goBack();
  await says(page, "queue", "all");
  await kind(page, "All reasons").and(page.locator('[aria-pressed="true"]')).waitFor();
  await page.goBack();
  await byId(page, "attention").waitFor({ state: "detached" });
  await byId(page, "site-list").waitFor();
  await says(page, "queue", null);
  await isFocused(page, "#sites");
  await page.goForward();
  await byId(page, "attention").waitFor();

  const other = await opened(link);
  await byId(other.page, "attention-name").filter({ hasText: "Adrift" }).waitFor();
  assert.equal(await kind(other.page, "No position").getAttribute("aria-pressed"), "true");
  await byId(other.page, "attention-back").click();
  await byId(other.page, "site-list").waitFor();
  await says(other.page, "queue", null);
  assert.deepEqual([...faults, ...other.faults], []);
  await page.context().close();
  await other.page.context().close();
});

test("an address opens no queue that does not exist, and none for who does not see where sites are", async () => {
  const made = { scope: "TOKEN_SCOPE_VIEWER", positions: "POSITION_ACCESS_APPROXIMATE" };
  const { secret } = await server.call("AdminService", "CreateToken", { parent: PARENT, token: made }, server.adminToken);
  for (const [queue, bearer] of [["all", secret], ["unspecified", token], ["2", token], ["constructor", token]]) {
    const { page, faults } = await opened(`#account=demo&queue=${queue}`, bearer);
    await byId(page, "site-row").first().waitFor();
    assert.equal(await byId(page, "attention").count(), 0, queue);
    assert.deepEqual(faults, []);
    await page.context().close();
  }
});

test("the sites without a position have an address, also from the queue", async () => {
  const { page, faults } = await opened();
  await byId(page, "unplaced").click();
  await row(page, "Adrift").waitFor();
  await says(page, "list", "unplaced");
  await isFocused(page, '#sites[aria-label="Sites without a position"]');
  await page.goBack();
  await byId(page, "list-back").waitFor({ state: "detached" });
  await row(page, "Site 000").waitFor();
  await page.goForward();
  await row(page, "Adrift").waitFor();
  await byId(page, "list-back").focus();
  await page.keyboard.press("Enter");
  await row(page, "Site 000").waitFor();
  await isFocused(page, "#sites");

  await byId(page, "open-attention").click();
  await byId(page, "attention").waitFor();
  await byId(page, "unplaced").click();
  await row(page, "Adrift").waitFor();
  assert.equal(await byId(page, "attention").count(), 0, "one of them is seen");

  const other = await opened("#account=demo&list=unplaced");
  await row(other.page, "Adrift").waitFor();
  await byId(other.page, "list-back").waitFor();
  assert.deepEqual([...faults, ...other.faults], []);
  await page.context().close();
  await other.page.context().close();
});

test("the sites of a symbol have an address, and one of a symbol that is gone is no step back", async () => {
  const { page, faults } = await opened(AT_SPOT);
  await page.locator('[data-testid="map"][data-idle="true"][data-clusters="1"]').waitFor();
  const box = await byId(page, "map").boundingBox();
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  await byId(page, "list-back").waitFor();
  await rows(page, STACKED);
  await page.waitForFunction(() => /^stack\/\d+\/c(-\d+){3}$/.test(new URLSearchParams(location.hash.slice(1)).get("list") ?? ""));
  const link = await page.evaluate(() => location.hash);
  await page.goBack();
  await byId(page, "list-back").waitFor({ state: "detached" });
  await page.goForward();
  await byId(page, "list-back").waitFor();
  await rows(page, STACKED);

  const other = await opened(link);
  await other.page.getByRole("heading", { name: "Sites very close together" }).waitFor();
  await rows(other.page, STACKED);
  await byId(other.page, "list-back").click();
  await byId(other.page, "list-back").waitFor({ state: "detached" });
  // Somebody comes by an address of long ago.
  const begin = await steps(other.page);
  await other.page.evaluate(() => (location.hash = "account=demo&list=stack/12/c-15-1-1"));
  await other.page.getByText("The group that you opened no longer exists").waitFor();
  await says(other.page, "list", null);
  assert.equal(await steps(other.page), begin + 1, "what is listed in its place is no step of its own");
  assert.deepEqual([...faults, ...other.faults], []);
  await page.context().close();
  await other.page.context().close();
});

test("by the keys a search lists more hits, and shows all of them in list and on the map until one goes back", async () => {
  const { page, faults } = await opened(AT_SPOT);
  const [field, hit] = [byId(page, "search"), byId(page, "hit")];
  await row(page, "Pile 0").waitFor();
  await field.fill("site 0");
  await hit.nth(HITS_FIRST - 1).waitFor();
  await byId(page, "hits-total").filter({ hasText: new RegExp(`^\\s*${SITES}\\+? hits`) }).waitFor();
  assert.equal(await hit.count(), HITS_FIRST);
  await shoot(page, "search-rows");
  for (let press = 0; press <= HITS_FIRST; press += 1) await field.press("ArrowDown");
  assert.equal(await field.getAttribute("aria-activedescendant"), `hit-${HITS_FIRST}`);
  assert.equal(await byId(page, "hits-more").getAttribute("aria-selected"), "true");
  await field.press("Enter");
  await hit.nth(SITES - 1).waitFor();
  assert.equal(await byId(page, "hits-more").count(), 0);
  assert.equal(await hit.nth(HITS_FIRST).getAttribute("aria-selected"), "true", "the keys are on the first new one");
  // Up to the field, and from there to the last row.
  for (let press = 0; press < HITS_FIRST + 2; press += 1) await field.press("ArrowUp");
  assert.equal(await byId(page, "hits-filter").getAttribute("aria-selected"), "true");
  await field.press("Enter");
  await hit.first().waitFor({ state: "detached" });
  await byId(page, "words-chip").filter({ hasText: "site 0" }).waitFor();
  await says(page, "q", "site 0");
  await matching(page, SITES);
  await page.locator(`[data-testid="map"][data-idle="true"][data-sites="${SITES}"]`).waitFor();
  await byId(page, "list-total").filter({ hasText: `${SITES} in view` }).waitFor();
  await shoot(page, "search-shown");
  await isFocused(page, '[data-testid="search"]');
  await page.goBack();
  await byId(page, "words-chip").waitFor({ state: "detached" });
  assert.equal(await field.inputValue(), "");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a hit tells where its words stand, and what list and map do otherwise is told", async () => {
  const { page, faults } = await opened();
  const [field, hit] = [byId(page, "search"), byId(page, "hit")];
  await byId(page, "site-row").first().waitFor();
  await field.fill("ledger");
  await hit.nth(STACKED - 1).waitFor();
  assert.deepEqual(await hit.locator(".where").allTextContents(), Array(STACKED).fill("Note"));
  await byId(page, "hits-filter").filter({ hasText: "not in notes" }).click();
  await matching(page, 0);
  await page.getByText("No site in view has these words").waitFor();
  // A phone as it is written, which is kept as digits.
  await field.fill("555-1231");
  await hit.first().waitFor();
  assert.equal((await hit.first().locator(".where").textContent()).trim(), "Phone");
  await field.press("Enter");
  await matching(page, 1);
  await row(page, "Pile 1").waitFor();
  // What has no position is on no map: the list says where it is.
  await field.fill("adrift");
  await field.press("Enter");
  await matching(page, 0);
  await byId(page, "list-apart").filter({ hasText: "1 site without a position matches" }).waitFor();
  await byId(page, "unplaced").click();
  await row(page, "Adrift").waitFor();
  assert.deepEqual(faults, []);
  await page.context().close();
});
