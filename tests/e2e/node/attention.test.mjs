// What needs a person, worked through by keys alone: choose a place, say that it is right, take it back, skip.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { byId, HOSTILE, launch, logIn, openPage, shoot } from "./browser.mjs";
import { Server } from "./server.mjs";
import { TicketingSystems } from "./ticketing_systems.mjs";

const SITES = 30;
const PARENT = "accounts/demo";
/** Sites that persons put on one spot: as many as make a crowd. */
const CROWD = 10;
const SPOT = { lat: 46.5, lng: 9.75 };

let server, systems, dir, token, browser;

const call = (service, method, request) => server.call(service, method, request, token);
const get = (name) => call("SiteService", "GetSite", { name });

async function create(displayName) {
  return (await call("SiteService", "CreateSite", { parent: PARENT, site: { displayName } })).name;
}

before(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "waymark-attention-"));
  systems = await TicketingSystems.start(dir, ["zendesk"]);
  server = await Server.start(["--config", systems.config]);
  token = await server.demo(SITES);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await systems?.stop();
  if (dir) await rm(dir, { recursive: true, force: true });
});

async function open(secret = token) {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, secret);
  await byId(page, "open-attention").click();
  await byId(page, "attention").waitFor();
  return { page, faults };
}

const shown = (page, name) => page.locator(`[data-testid="attention"][data-site="${name}"][aria-busy="false"]`).waitFor();
const kind = (page, title) => byId(page, "attention-kind").filter({ hasText: title });
const numberOf = async (page, title) => Number((await kind(page, title).locator("strong").textContent()).replaceAll(/\D/g, ""));
const told = (page, text) => byId(page, "attention-message").filter({ hasText: text }).waitFor();

test("an ambiguous address is settled by a digit, a far pin by A, and that is taken back by U", async () => {
  const twofold = await create("Twofold");
  const answer = await call("LocationService", "SetAddress", { site: twofold, addressLine: "Springfield" });
  assert.equal(answer.state, "ADDRESS_STATE_AMBIGUOUS");
  const { sites } = await call("SiteService", "ListSites", { parent: PARENT, pageSize: 1000 });
  const estimate = ({ location }) => location?.fixes?.find(({ source }) => source === "FIX_SOURCE_GEOIP");
  const far = sites.find(estimate);
  const { lat, lng } = estimate(far).position;
  const position = { lat: -lat / 2, lng: lng > 0 ? lng - 90 : lng + 90 };
  await call("LocationService", "SetPin", { site: far.name, position });

  const { page, faults } = await open();
  await kind(page, "All reasons").locator("strong").filter({ hasText: /[1-9]/ }).waitFor();
  const all = await numberOf(page, "All reasons");
  assert.ok(all >= 2, `${all} sites need attention`);
  await kind(page, "Ambiguous address").click();
  await shown(page, twofold);
  await byId(page, "attention-choice").nth(1).waitFor();
  assert.match(await byId(page, "attention-choice").first().textContent(), /Springfield/);
  await page.locator(".candidate-mark").nth(1).waitFor();
  await shoot(page, "attention", byId(page, "attention-name"));
  const wanted = (await byId(page, "attention-choice").nth(1).locator(".words").textContent()).trim();
  await page.keyboard.press("2");
  await told(page, "Twofold is placed.");
  const site = await get(twofold);
  assert.equal(site.location.address.formatted, wanted);
  assert.equal(site.location.confirmed, true);
  await byId(page, "attention-none").waitFor();

  await kind(page, "Far from its network").click();
  await shown(page, far.name);
  assert.match(await byId(page, "attention-reason").textContent(), /km from where the site’s network seems to be/);
  await shoot(page, "attention-far", byId(page, "attention-name"));
  const before = await numberOf(page, "All reasons");
  await page.keyboard.press("a");
  await told(page, "is kept as it is.");
  await page.waitForFunction((before) => {
    const [all] = document.querySelectorAll('[data-testid="attention-kind"] strong');
    return Number(all.textContent) === before - 1;
  }, before);
  await page.keyboard.press("u");
  await told(page, "is back in the queue");
  await shown(page, far.name);
  await page.keyboard.press("r");
  await byId(page, "attention-none").waitFor();
  assert.equal((await get(far.name)).location.source, "FIX_SOURCE_GEOIP");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("next, previous and skip go round the queue, others' changes come in live, and Escape leads back", async () => {
  for (const word of ["one", "two", HOSTILE]) await create(`Nowhere ${word}`);
  // The demo has some, too; the last ones that were made come last.
  const request = { parent: PARENT, reasons: ["ATTENTION_REASON_UNPLACED"] };
  const { items } = await call("AttentionService", "ListAttention", request);
  const names = items.map(({ site }) => site.name);
  const count = names.length;
  const { page, faults } = await open();
  await kind(page, "No position").click();
  await shown(page, names[0]);
  assert.match(await byId(page, "attention-place").textContent(), new RegExp(`1 of ${count}`));
  await page.keyboard.press("s");
  await shown(page, names[1]);
  await page.keyboard.press("ArrowLeft");
  await shown(page, names[0]);
  await page.keyboard.press("p");
  await shown(page, names[count - 1]);
  assert.equal(await byId(page, "attention-name").textContent(), `Nowhere ${HOSTILE}`);
  await page.getByText("No place was found").waitFor();
  await page.keyboard.press("n");
  await shown(page, names[0]);
  await page.keyboard.press("ArrowLeft");
  await shown(page, names[count - 1]);
  // Somebody else places it: the next one comes to hand.
  const position = { lat: 47.4, lng: 8.5 };
  await call("LocationService", "SetPin", { site: names[count - 1], position });
  await shown(page, names[count - 2]);
  assert.match(await byId(page, "attention-place").textContent(), new RegExp(`${count - 1} of ${count - 1}`));
  // The keys go to the site's page and come back, whichever way it is closed.
  await page.keyboard.press("o");
  await page.locator("#site-heading:focus").waitFor();
  await page.keyboard.press("Escape");
  await byId(page, "site-panel").waitFor({ state: "detached" });
  await page.keyboard.press("n");
  await shown(page, names[0]);
  await page.keyboard.press("o");
  await page.locator("#site-heading:focus").waitFor();
  await byId(page, "site-close").click();
  await page.locator("#attention:focus").waitFor();
  await page.keyboard.press("Escape");
  await byId(page, "site-list").waitFor();
  assert.notEqual(await page.title(), "hit");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("approximate and offline sites have queues, and whoever only reads changes nothing", async () => {
  const viewer = { parent: PARENT, token: { scope: "TOKEN_SCOPE_VIEWER" } };
  const made = await server.call("AdminService", "CreateToken", viewer, server.adminToken);
  const { page, faults } = await open(made.secret);
  await kind(page, "Approximate").click();
  await byId(page, "attention-place").waitFor();
  const { sites } = await call("SiteService", "ListSites", {
    parent: PARENT, filter: "location.confirmed = false location.placed = true",
  });
  await shown(page, sites[0].name);
  assert.equal(await numberOf(page, "Approximate"), sites.length);
  assert.equal(await byId(page, "attention-accept").count(), 0);
  await page.keyboard.press("1");
  assert.equal((await get(sites[0].name)).etag, sites[0].etag);
  await kind(page, "Offline").click();
  await byId(page, "attention-place").or(byId(page, "attention-none")).first().waitFor();
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a broken link is checked again by V, and leaves the queue when its far end is back", async () => {
  const request = { parent: PARENT, token: { displayName: "admin", scope: "TOKEN_SCOPE_ADMIN" } };
  const admin = (await server.call("AdminService", "CreateToken", request, server.adminToken)).secret;
  const { url: baseUrl, credentials } = systems.of.zendesk;
  const connection = { system: "zendesk", baseUrl, credentials };
  await server.call("TicketingService", "CreateTicketingConnection", { parent: PARENT, connection }, admin);
  const name = await create("Tied");
  // Placed, so that the link is all that is wrong.
  await call("LocationService", "SetPin", { site: name, position: { lat: 47.1, lng: 8.2 } });
  const ticketingLinks = [{ system: "zendesk", organizationId: "77", organizationName: HOSTILE }];
  await call("SiteService", "UpdateSite", { site: { name, ticketingLinks }, updateMask: "ticketingLinks" });
  await systems.set("zendesk", { organizations: { 1: "Other Ltd" } });
  await call("TicketingService", "VerifySiteTicketingLinks", { site: name });

  const { page, faults } = await open();
  await kind(page, "Broken link").click();
  await shown(page, name);
  assert.ok((await byId(page, "attention-reason").textContent()).includes(`Zendesk, ${HOSTILE}: The organisation no longer exists`));
  assert.equal(await page.getByText("No place was found").count(), 0, "none was sought");
  await shoot(page, "attention-broken-link", byId(page, "attention-name"));
  // Still gone: it stays, and says that it was looked at.
  await page.keyboard.press("v");
  await told(page, "The links of Tied were checked.");
  await shown(page, name);
  await systems.set("zendesk", { organizations: { 1: "Other Ltd", 77: HOSTILE } });
  await page.keyboard.press("v");
  await byId(page, "attention-none").waitFor();
  await told(page, "The links of Tied were checked.");
  assert.equal((await get(name)).ticketingLinks[0].state, "TICKETING_LINK_STATE_VERIFIED");
  assert.notEqual(await page.title(), "hit");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a crowded spot is told with its number, one of it may be right, and one that moves away ends it for all", async () => {
  const names = [];
  for (let at = 0; at < CROWD; at += 1) {
    names.push(await create(`Crowd ${at}`));
    await call("LocationService", "SetPin", { site: names.at(-1), position: SPOT });
  }
  const { page, faults } = await open();
  await kind(page, "Crowded spot").click();
  await shown(page, names[0]);
  assert.equal(await numberOf(page, "Crowded spot"), CROWD);
  assert.match(await byId(page, "attention-place").textContent(), new RegExp(`1 of ${CROWD}`));
  assert.match(await byId(page, "attention-reason").textContent(), new RegExp(`${CROWD} sites were placed on exactly this spot`));
  await page.getByText("If this site is somewhere else, open the site").waitFor();
  await shoot(page, "attention-crowded", byId(page, "attention-name"));
  await page.keyboard.press("a");
  await told(page, "Crowd 0 is kept as it is.");
  await shown(page, names[1]);
  assert.match(await byId(page, "attention-place").textContent(), new RegExp(`1 of ${CROWD - 1}`));
  await call("LocationService", "SetPin", { site: names.at(-1), position: { lat: SPOT.lat + 0.3, lng: SPOT.lng } });
  await byId(page, "attention-none").waitFor();
  assert.deepEqual(faults, []);
  await page.context().close();
});
