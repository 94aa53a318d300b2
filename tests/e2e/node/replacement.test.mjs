// A replaced agent in a real browser: the consent is given and taken back by hand, and the new agent finds all of its site.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { byId, HOSTILE, launch, logIn, openPage, shoot } from "./browser.mjs";
import { Server } from "./server.mjs";

const SITES = 3;
const OLD = "router-old";
const NEW = "router-new.7";
const DAY_MS = 86_400_000;

let server, token, browser, enrolment;

before(async () => {
  server = await Server.start();
  token = await server.demo(SITES);
  const made = await server.call(
    "AdminService", "CreateToken", { parent: "accounts/demo", token: { scope: "TOKEN_SCOPE_ENROLLMENT" } }, server.adminToken,
  );
  enrolment = made.secret;
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const key = () => randomBytes(32).toString("base64");
const activate = (agentId, agentKey) =>
  server.call("ActivationService", "ActivateAgent", { parent: "accounts/demo", agentId, agentKey }, enrolment);
const get = (name) => server.call("SiteService", "GetSite", { name }, token);
const changes = async (name) =>
  (await server.call("HistoryService", "ListSiteChanges", { parent: name, pageSize: 100 }, token)).changes;

/** A site with an agent, and with something in each field that could be lost; its name and the agent's credential. */
async function furnished() {
  const { site: name, credential } = await activate(OLD, key());
  const contact = { email: "anna@example.org", phones: [{ number: "+3545451000" }] };
  const ticketingLinks = [{ system: "zendesk", organizationId: "17" }];
  const said = { displayName: "Cellar 7", contact, note: HOSTILE, labels: { region: "north" }, ticketingLinks };
  const updateMask = "displayName,contact,note,labels,ticketingLinks";
  await server.call("SiteService", "UpdateSite", { site: { name, ...said }, updateMask }, token);
  await server.call("LocationService", "SetPin", { site: name, position: { lat: 64.1466, lng: -21.9426 } }, token);
  return { name, credential };
}

async function open(name) {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await byId(page, "search").fill("cellar 7");
  await byId(page, "hit").filter({ hasText: "Cellar 7" }).click();
  await byId(page, "site-panel").waitFor();
  assert.equal(await byId(page, "site-panel").getAttribute("data-site"), name);
  return { page, faults };
}

/** Waits until a part of the page is in focus. */
const isFocused = (page, id) => page.locator(`[data-testid="${id}"]:focus`).waitFor();

test("a consent is given by keyboard, and the agent that it names takes over the site with all it has", async () => {
  const { name, credential } = await furnished();
  const site = await get(name);
  const { page, faults } = await open(name);
  const agent = page.locator('[data-testid="record-value"][data-label="Agent"]');
  assert.equal(await agent.textContent(), OLD);
  await shoot(page, "replacement", byId(page, "replacement-begin"));

  await byId(page, "replacement-begin").press("Enter");
  await isFocused(page, "replacement-agent");
  await page.keyboard.type("no id");
  await page.keyboard.press("Enter");
  assert.ok(await byId(page, "replacement-agent").evaluate((input) => input.matches(":invalid")));
  assert.equal((await get(name)).replacement, undefined);

  // The same id is told to get a new key, another one that the agent before loses its access.
  await byId(page, "replacement-agent").fill(OLD);
  await byId(page, "replacement-effect").filter({ hasText: `Agent ${OLD} gets a new key` }).waitFor();
  await byId(page, "replacement-agent").fill(NEW);
  await byId(page, "replacement-effect").filter({ hasText: `Agent ${OLD} loses its access` }).waitFor();
  await shoot(page, "replacement-confirm", byId(page, "replacement-allow"));
  await byId(page, "replacement-agent").focus();
  await page.keyboard.press("Tab");
  await isFocused(page, "replacement-days");
  await page.keyboard.press("ArrowDown");
  await byId(page, "replacement-effect").filter({ hasText: NEW }).waitFor();
  await page.keyboard.press("Tab");
  await isFocused(page, "replacement-allow");
  const from = Date.now();
  await page.keyboard.press("Enter");
  await byId(page, "replacement-allowed").filter({ hasText: NEW }).waitFor();
  // The focus is not lost with the form.
  await isFocused(page, "replacement-begin");
  const { agentId, expireTime } = (await get(name)).replacement;
  assert.equal(agentId, NEW);
  const days = (Date.parse(expireTime) - from) / DAY_MS;
  assert.ok(days > 29.9 && days < 30.1, `${days} days`);
  const until = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" }).format(Date.parse(expireTime));
  assert.match(await byId(page, "replacement-allowed").textContent(), new RegExp(until));
  await shoot(page, "replacement-allowed", byId(page, "replacement-cancel"));

  // Taken back, the agent is one like any other: it gets a site of its own.
  await byId(page, "replacement-cancel").click();
  await page.getByText("no agent may take over this site").waitFor();
  assert.equal((await get(name)).replacement, undefined);
  const stranger = await activate("router-stranger", key());
  assert.notEqual(stranger.site, name);

  await byId(page, "replacement-begin").click();
  await byId(page, "replacement-agent").fill(NEW);
  await page.keyboard.press("Enter");
  await byId(page, "replacement-allowed").waitFor();
  const entries = await changes(name);
  const taken = await activate(NEW, key());
  assert.deepEqual([taken.site, taken.created ?? false, taken.replaced], [name, false, true]);

  // The page hears of it by itself.
  await agent.filter({ hasText: NEW }).waitFor();
  await byId(page, "replacement-allowed").waitFor({ state: "detached" });
  const now = await get(name);
  assert.equal(now.agentId, NEW);
  for (const field of ["displayName", "contact", "note", "labels", "ticketingLinks", "createTime", "activateTime"]) {
    assert.deepEqual(now[field], site[field], field);
  }
  assert.deepEqual(now.location.position, site.location.position);
  const [newest, ...older] = await changes(name);
  assert.equal(newest.cause, "CHANGE_CAUSE_TAKEN_OVER");
  assert.deepEqual(older, entries, "nothing of the history is lost");
  await assert.rejects(server.call("ActivationService", "ReportStatus", {}, credential), /unauthenticated/i);
  assert.match(await byId(page, "site-name").textContent(), /Cellar 7/);
  await byId(page, "history").locator("summary").click();
  await byId(page, "history-change").filter({ hasText: "Agent replaced" }).waitFor();
  assert.equal(await byId(page, "history-change").count(), entries.length + 1);
  await shoot(page, "replacement-done", byId(page, "history-change"));
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("an agent that stands elsewhere is refused in words, and the typed id stays", async () => {
  const { page, faults } = await openPage({ browser, server, token }, { width: 390, height: 844 });
  await logIn(page, server, token);
  const { sites } = await server.call("SiteService", "ListSites", { parent: "accounts/demo" }, token);
  const elsewhere = sites.find((site) => site.agentId && site.displayName !== "Cellar 7").agentId;
  await byId(page, "search").fill("cellar 7");
  await byId(page, "hit").filter({ hasText: "Cellar 7" }).click();
  await byId(page, "replacement-begin").click();
  await byId(page, "replacement-agent").fill(elsewhere);
  await byId(page, "replacement-allow").click();
  await byId(page, "replacement").locator('[data-testid="error-banner"]').waitFor();
  assert.equal(await byId(page, "replacement-agent").inputValue(), elsewhere);
  await shoot(page, "replacement-refused", byId(page, "replacement-allow"));
  assert.deepEqual(faults.filter((fault) => !/status of 4\d\d/.test(fault)), []);
  await page.context().close();
});
