// Ticketing systems in a real browser: their connections, the checks of all links, and the links on a site's page.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { byId, HOSTILE, launch, logIn, openFirstSite, openPage, reload, shoot, SIZES } from "./browser.mjs";
import { Server } from "./server.mjs";
import { TicketingSystems } from "./ticketing_systems.mjs";

const SITES = 20;
const ACCOUNT = "accounts/demo";
// What forms ask for, in their order (Zendesk's has a test of its own), and what of it is no secret.
const FIELDS = {
  connectwise: ["Company", "Public key", "Private key", "Client ID"],
  autotask: ["User name", "Secret", "Integration code"],
  syncro: ["API token"],
  freshservice: ["API key"],
  freshdesk: ["API key"],
};
const NAMES = ["Company", "Public key", "User name"];

let server, systems, browser, dir, editor, admin, viewer;

before(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "waymark-ticketing-"));
  systems = await TicketingSystems.start(dir, ["zendesk", ...Object.keys(FIELDS)]);
  server = await Server.start(["--config", systems.config]);
  editor = await server.demo(SITES);
  admin = await tokenOf("TOKEN_SCOPE_ADMIN");
  viewer = await tokenOf("TOKEN_SCOPE_VIEWER");
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await systems?.stop();
  if (dir) await rm(dir, { recursive: true, force: true });
});

beforeEach(async () => {
  const { connections = [] } = await ask("ListTicketingConnections", { parent: ACCOUNT });
  for (const { name } of connections) await ask("DeleteTicketingConnection", { name });
  for (const system of Object.keys(systems.of)) await systems.set(system, { failing: null });
});

async function tokenOf(scope) {
  const request = { parent: ACCOUNT, token: { displayName: scope, scope } };
  return (await server.call("AdminService", "CreateToken", request, server.adminToken)).secret;
}

const ask = (method, request) => server.call("TicketingService", method, request, admin);
const siteOf = (name) => server.call("SiteService", "GetSite", { name }, editor);

function connect(system) {
  const { url, credentials } = systems.of[system];
  return ask("CreateTicketingConnection", { parent: ACCOUNT, connection: { system, baseUrl: url, credentials } });
}

/** Says of a site what it is called and to whom it is tied; a link that it has already keeps what a check found. */
async function put(name, displayName, ...links) {
  const ticketingLinks = links.map(([system, organizationId, organizationName = "", externalSiteId = ""]) => {
    return { system, organizationId, organizationName, externalSiteId };
  });
  const request = { site: { name, displayName, ticketingLinks }, updateMask: "displayName,ticketingLinks" };
  await server.call("SiteService", "UpdateSite", request, editor);
}

async function open(token) {
  const opened = await openPage({ browser, server, token }, SIZES[0]);
  await logIn(opened.page, server, token);
  return opened;
}

async function openPanel(token) {
  const opened = await open(token);
  await byId(opened.page, "open-ticketing").click();
  await byId(opened.page, "connection").first().waitFor();
  return opened;
}

async function openSite() {
  const opened = await open(editor);
  const name = await openFirstSite(opened.page);
  await byId(opened.page, "site-position").waitFor();
  // Whichever site is first, another test may have had its links checked.
  await put(name, "Fresh");
  return { ...opened, name };
}

/** Ends a test's page: nothing went wrong on it, and no foreign text was taken for markup. */
async function close({ page, faults }) {
  assert.notEqual(await page.title(), "hit");
  assert.equal(await page.locator("img[src=x]").count(), 0);
  assert.deepEqual(faults, []);
  await page.context().close();
}

test("a system is connected, checked, changed and deleted, and no credential is kept on the page", async () => {
  const opened = await openPanel(admin);
  const { page } = opened;
  const card = page.locator('[data-testid="connection"][data-system="zendesk"]');
  const within = (id) => card.locator(`[data-testid="${id}"]`);
  const shows = (id, text) => within(id).filter({ hasText: text }).waitFor();
  const { url, credentials } = systems.of.zendesk;
  const fill = async (values) => {
    for (const [name, value] of Object.entries(values)) await within(`credential-${name}`).fill(value);
  };
  assert.equal(await byId(page, "connection").count(), 6);
  await shoot(page, "panel-empty");
  await within("connection-connect").click();
  assert.equal(await within("credential-api_token").getAttribute("type"), "password");
  await within("connection-url").fill("https://10.0.0.1");
  await fill(credentials);
  await within("connection-save").click();
  await card.locator('[data-testid="error-banner"]').filter({ hasText: "not a public one" }).waitFor();
  assert.equal(await within("credential-api_token").inputValue(), "", "it was sent, so it is kept no more");
  await shoot(page, "panel-form", within("connection-save"));
  await within("connection-url").fill(url);
  await fill(credentials);
  await within("connection-save").click();
  await shows("connection-state", "Works.");
  assert.ok(!(await page.content()).includes(credentials.api_token));

  await systems.set("zendesk", { failing: [401, {}] });
  await within("connection-check").click();
  await shows("connection-why", "Zendesk refuses the connection");
  await shoot(page, "panel-denied", card);
  await systems.set("zendesk", { failing: null });

  // Another name leaves the credentials as they are; some of them alone are refused.
  await within("connection-edit").click();
  await within("connection-name").fill(HOSTILE);
  await within("credential-email").fill("x");
  await within("connection-save").click();
  await shows("connection-form", "fill in all of them, or none");
  await within("credential-email").fill("");
  await within("connection-save").click();
  await card.getByText(HOSTILE).waitFor();
  await shows("connection-state", "Works.");
  await within("connection-edit").click();
  await fill({ email: "x", api_token: "wrong" });
  await within("connection-save").click();
  await shows("connection-state", "Does not work");

  await within("connection-remove").click();
  await card.getByText("Delete the connection to Zendesk").waitFor();
  const { connections } = await ask("ListTicketingConnections", { parent: ACCOUNT });
  assert.equal(connections.length, 1, "nothing is sure yet");
  await shoot(page, "panel-delete", card);
  await within("connection-confirm").click();
  await within("connection-connect").waitFor();
  assert.deepEqual(await ask("ListTicketingConnections", { parent: ACCOUNT }), {});
  await close(opened);
});

for (const [system, labels] of Object.entries(FIELDS)) {
  test(`the form of ${system} asks for what a connection to it needs, and what is saved works`, async () => {
    const opened = await openPanel(admin);
    const { page } = opened;
    const card = page.locator(`[data-testid="connection"][data-system="${system}"]`);
    const within = (id) => card.locator(`[data-testid="${id}"]`);
    const shows = (text) => within("connection-state").filter({ hasText: text }).waitFor();
    const values = Object.values(systems.of[system].credentials);
    await within("connection-connect").click();
    assert.deepEqual(await card.locator("fieldset label").allTextContents(), labels);
    await card.getByLabel("Base URL").fill(systems.of[system].url);
    await card.getByLabel("Name", { exact: true }).fill(`Our ${system}`);
    for (const [nth, label] of labels.entries()) {
      const field = card.getByLabel(label, { exact: true });
      // Without any one of them it is not sent.
      await within("connection-save").click();
      const found = await field.evaluate(({ type, validity }) => [type, validity.valueMissing]);
      assert.deepEqual(found, [NAMES.includes(label) ? "text" : "password", true], label);
      await field.fill(values[nth]);
    }
    await shoot(page, `form-${system}`, within("connection-save"));
    assert.deepEqual(await ask("ListTicketingConnections", { parent: ACCOUNT }), {});
    await within("connection-save").click();
    await shows("Works.");
    assert.ok(!(await page.content()).includes(values.at(-1)));
    await shoot(page, `connected-${system}`, card);
    await systems.set(system, { failing: [401, {}] });
    await within("connection-check").click();
    await shows("Does not work");
    await close(opened);
  });
}

test("all links are checked, and what was found and what failed is told", async () => {
  const { sites } = await server.call("SiteService", "ListSites", { parent: ACCOUNT, pageSize: 3 }, editor);
  await systems.set("zendesk", { organizations: { 1: "Acme Ltd", 2: HOSTILE } });
  await put(sites[0].name, "one", ["zendesk", "1", "Acme Ltd"], ["our own", "17"]);
  await put(sites[1].name, "two", ["zendesk", "2", "Apex"], ["syncro", "5"]);
  await put(sites[2].name, "three", ["zendesk", "999"]);
  await connect("zendesk");
  const opened = await openPanel(editor);
  const { page } = opened;
  assert.equal(await byId(page, "connection-edit").count(), 0, "an editor keeps no connections");
  await byId(page, "checks-none").waitFor();
  await byId(page, "checks-begin").click();
  const done = page.locator('[data-testid="check"][data-state="2"]').first();
  await done.waitFor();
  const found = await done.locator('[data-testid="check-found"]').textContent();
  for (const words of ["1 verified", "1 drifted", "1 broken", "1 not checked", "1 in systems that waymark does not know"]) {
    assert.ok(found.includes(words), `${words} in ${found}`);
  }
  await done.getByText("Syncro is not connected").waitFor();

  await systems.set("zendesk", { failing: [503, {}] });
  await byId(page, "checks-begin").click();
  await page.getByText("because a ticketing system asks for fewer requests or is out of service").waitFor();
  await shoot(page, "panel-running", byId(page, "check"));
  await byId(page, "checks-cancel").click();
  await page.locator('[data-testid="check"][data-state="3"]').filter({ hasText: "Stopped" }).waitFor();
  await byId(page, "ticketing-close").click();
  assert.equal(await page.evaluate(() => document.activeElement.id), "open-ticketing", "the focus goes back");
  await close(opened);

  const other = await openPanel(viewer);
  await byId(other.page, "check").first().waitFor();
  for (const id of ["connection-connect", "connection-check", "checks-begin"]) {
    assert.equal(await byId(other.page, id).count(), 0, `${id} is not for a viewer`);
  }
  await close(other);
});

test("the page of a site tells the state of each link, checks them, and tells what failed", async () => {
  const opened = await openSite();
  const { page, name } = opened;
  await systems.set("zendesk", { organizations: { 1: "Acme Ltd", 2: HOSTILE } });
  await systems.set("autotask", { organizations: { 1: "Acme Ltd" }, sites: { 1: { 11: "Head Office" } } });
  await connect("zendesk");
  const links = [["1", "Acme Ltd"], ["2", "Apex"], ["9", "Gone Inc"]].map((far) => ["zendesk", ...far]);
  await put(name, "Acme", ...links, ["our own", "17", "Ours"]);
  const state = (nth) => byId(page, "link").nth(nth).locator('[data-testid="link-state"]');
  const becomes = (nth, key) => byId(page, "link").nth(nth).locator(`[data-state="${key}"]`).waitFor();
  await becomes(3, "unverified");
  assert.equal((await state(0).textContent()).trim(), "Not verified");
  await byId(page, "links-verify").click();
  for (const [nth, key] of ["verified", "drifted", "broken", "unverified"].entries()) await becomes(nth, key);
  const texts = await byId(page, "link").allTextContents();
  assert.match(texts[0], /Zendesk.*Verified.*Acme Ltd.*Checked \d/s);
  assert.ok(texts[1].includes("Drifted") && texts[1].includes(`now calls the organisation “${HOSTILE}”`), texts[1]);
  assert.match(texts[2], /Broken.*The organisation no longer exists/s);
  assert.match(texts[3], /our own.*Not verified.*Never checked/s);
  const link = byId(page, "link").first().locator("a");
  const [target, rel, href] = await Promise.all(["target", "rel", "href"].map((name) => link.getAttribute(name)));
  assert.deepEqual([target, rel], ["_blank", "noopener noreferrer"]);
  assert.ok(href.startsWith(systems.of.zendesk.url), href);
  await shoot(page, "site-links", byId(page, "link").nth(3));

  // What a check changed is in the history, as waymark's own word, which nobody puts back.
  await byId(page, "history").locator("summary").click();
  const entry = byId(page, "history-change").first();
  await entry.filter({ hasText: "Ticketing links checked" }).waitFor();
  const told = await entry.textContent();
  assert.match(told, /waymark/);
  for (const [far, state] of [["Acme Ltd", "Verified"], ["Apex", "Drifted"], ["Gone Inc", "Broken"]]) {
    assert.match(told, new RegExp(`${far}, Not verified.*→.*${far}, ${state}`, "s"));
  }
  assert.equal(await entry.locator('[data-testid="history-restore"]').count(), 0);
  await shoot(page, "site-links-history", entry);

  await systems.set("zendesk", { failing: [500, {}] });
  await byId(page, "links-verify").click();
  await byId(page, "error-banner").filter({ hasText: "Zendesk cannot be reached" }).waitFor();
  await becomes(0, "verified");
  await shoot(page, "site-failure", byId(page, "links-verify"));

  // The reverse question: who else is tied to it. Another site's page opens from there.
  const { sites } = await server.call("SiteService", "ListSites", { parent: ACCOUNT }, editor);
  const other = sites.find((site) => site.name !== opened.name);
  await put(other.name, `Other ${HOSTILE}`, ["zendesk", "1"]);
  const linked = byId(page, "linked-sites").first();
  await linked.locator("summary").click();
  await linked.getByText("2 sites are linked to this organisation.").waitFor();
  await shoot(page, "site-linked", linked);
  await linked.locator('[data-testid="linked-site"]').click();
  await byId(page, "site-name").filter({ hasText: "Other <img" }).waitFor();
  await put(other.name, other.displayName);
  await close(opened);
});

test("an organisation and a site of it are picked by typing, or typed as ids", async () => {
  const opened = await openSite();
  const { page, name } = opened;
  const many = Object.fromEntries(Array.from({ length: 600 }, (_, index) => [index + 10, `Company ${index}`]));
  await systems.set("autotask", {
    organizations: { 1: HOSTILE, 2: ["Apex Holding", "Laugavegur 1", "101", "Reykjavík"], 3: "Apex Two", ...many },
    sites: { 2: { 21: "Head Office", 22: "Warehouse" } },
  });
  await connect("autotask");
  await reload(page, name);
  await put(name, "Apex");
  await page.getByText("Not linked to any ticketing system.").waitFor();
  await byId(page, "links-edit").click();
  await byId(page, "link-system").fill("Datto Autotask");
  const organization = byId(page, "link-organization");
  const choice = byId(page, "choice");
  // All are listed until something is typed; more come page by page.
  await organization.click();
  await choice.first().waitFor();
  const first = await choice.count();
  assert.ok((await choice.allTextContents()).some((text) => text.includes(HOSTILE)));
  await byId(page, "link-form").getByRole("button", { name: "Show more" }).click();
  await page.waitForFunction((count) => document.querySelectorAll('[data-testid="choice"]').length > count, first);
  // A pointer above the list would choose, too.
  await page.mouse.move(0, 0);
  await organization.fill("apex");
  await page.waitForFunction(() => document.querySelectorAll('[data-testid="choice"]').length === 2);
  await shoot(page, "site-picking", organization);
  await organization.press("ArrowDown");
  await organization.press("ArrowDown");
  await organization.press("ArrowUp");
  assert.equal(await organization.getAttribute("aria-activedescendant"), await choice.first().getAttribute("id"));
  await organization.press("Enter");
  assert.equal(await organization.inputValue(), "Apex Holding");
  // What is typed and not chosen names nothing.
  await organization.fill("something else");
  await organization.press("Tab");
  assert.equal(await organization.inputValue(), "Apex Holding");
  await byId(page, "link-site").click();
  await choice.filter({ hasText: "Warehouse" }).click();
  await byId(page, "links-save").click();
  await byId(page, "link").filter({ hasText: "Site Warehouse" }).waitFor();
  assert.match(await byId(page, "link").textContent(), /Apex Holding.*Site Warehouse.*Never checked/s);
  await shoot(page, "site-link-with-site", byId(page, "link"));
  const fields = ["system", "organizationId", "organizationName", "externalSiteId", "externalSiteName"];
  const saved = (await siteOf(name)).ticketingLinks.map((link) => fields.map((field) => link[field]));
  assert.deepEqual(saved, [["autotask", "2", "Apex Holding", "22", "Warehouse"]]);
  // The site is called otherwise there by now: what was picked stays, and the page tells both.
  await systems.set("autotask", { sites: { 2: { 21: "Head Office", 22: "Depot" } } });
  await byId(page, "links-verify").click();
  await byId(page, "link-found").filter({ hasText: "The ticketing system now calls the site “Depot”." }).waitFor();
  assert.match(await byId(page, "link").textContent(), /Drifted.*Site Warehouse/s);
  await shoot(page, "site-link-site-drifted", byId(page, "link"));
  await byId(page, "links-edit").click();
  assert.equal(await byId(page, "link-site").inputValue(), "Warehouse");
  await byId(page, "link-by-hand").click();
  await byId(page, "link-organizationId").fill("3");
  await byId(page, "link-externalSiteId").fill("");
  // A name stands beside an id.
  const isMissing = (field) => field.evaluate((input) => input.validity.valueMissing);
  assert.equal(await isMissing(byId(page, "link-externalSiteId")), true);
  assert.equal(await byId(page, "link-externalSiteName").inputValue(), "Warehouse");
  await byId(page, "link-externalSiteName").fill("");
  assert.equal(await isMissing(byId(page, "link-externalSiteId")), false);
  await byId(page, "links-save").click();
  await byId(page, "link").first().waitFor();
  assert.equal((await siteOf(name)).ticketingLinks[0].organizationId, "3");
  await close(opened);
});

test("suggestions tell why, a tie is a tie, and nothing is linked but by a person", async () => {
  const opened = await openSite();
  const { page, name } = opened;
  await systems.set("autotask", {
    organizations: {
      1: ["Acme Ltd", "Laugavegur 1", "101", "Reykjavík"],
      2: ["Acme ehf", "Hafnarstræti 5", "600", "Akureyri"],
    },
  });
  await systems.set("zendesk", { organizations: { 3: "Nordur hf", 4: "Nordur", 5: HOSTILE } });
  await connect("autotask");
  await connect("zendesk");
  await put(name, "Nordur");
  await reload(page, name);
  await byId(page, "links-suggest").click();
  const proposal = page.locator('[data-testid="proposal"][data-system="zendesk"]');
  await proposal.locator('[data-testid="verdict"]').filter({ hasText: "A tie: 2 organisations fit equally well" }).waitFor();
  const offered = proposal.locator('[data-testid="link-suggestion"]');
  assert.equal(await offered.count(), 2);
  assert.match(await offered.first().textContent(), /Nordur hf.*ID 3.*same name/s);
  assert.equal(await page.getByText("Clear match").count(), 0);
  await page.locator('[data-testid="proposal"][data-system="autotask"]').getByText("No organisation in this system resembles").waitFor();
  assert.deepEqual((await siteOf(name)).ticketingLinks ?? [], []);
  await shoot(page, "site-suggestions", offered.last());
  await offered.nth(1).getByRole("button").click();
  await byId(page, "link").first().waitFor();
  assert.deepEqual((await siteOf(name)).ticketingLinks.map((link) => link.organizationId), ["4"]);
  assert.equal(await proposal.count(), 0, "it has a link now");

  await put(name, "Acme");
  await page.getByRole("heading", { name: "Acme" }).waitFor();
  await byId(page, "links-suggest").click();
  const twins = page.locator('[data-testid="proposal"][data-system="autotask"]');
  await twins.locator('[data-testid="verdict"]').filter({ hasText: "A tie: 2 organisations fit equally well" }).waitFor();
  // An address decides between twins, and the page says what of it is the same.
  await server.call("LocationService", "SetAddress", { site: name, addressLine: "Hafnarstræti 5, 600 Akureyri" }, editor);
  await byId(page, "links-suggest").click();
  const match = twins.locator('[data-testid="link-suggestion"]').filter({ hasText: "Clear match" });
  await match.waitFor();
  const reasons = "same name, same postal code, same town, same street";
  assert.match(await match.textContent(), new RegExp(`Acme ehf.*Hafnarstræti 5, 600 Akureyri · ID 2.*${reasons}`, "s"));
  assert.equal(await twins.locator('[data-testid="verdict"]').count(), 0);
  await shoot(page, "site-suggestions-address", match);
  await close(opened);
});
