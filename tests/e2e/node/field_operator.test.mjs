// A field operator's token: how it is made on the page, and what the page shows to who sees the sites of some labels alone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { apart, byId, launch, logIn, openFirstSite, openPage, shoot, SIZES, symbolsDrawn } from "./browser.mjs";
import { Server } from "./server.mjs";

const PARENT = "accounts/demo";
// What the page would ask an account's people about, and is refused to who works on site.
const NOT_ASKED = [
  "ListAttention", "GetResidentAccess", "ListTicketingConnections", "ListTicketingSystems", "ListTokens", "ListDevices",
];

let server, editor, browser, sites;

before(async () => {
  server = await Server.bare();
  editor = await server.fill(12);
  sites = (await server.call("SiteService", "ListSites", { parent: PARENT, orderBy: "display_name" }, editor)).sites;
  for (const { name } of sites.slice(0, 3)) await label(name, "north");
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Assigns a site to a team. */
function label(name, team) {
  return server.call("SiteService", "UpdateSite", { site: { name, labels: { team } }, updateMask: "labels" }, editor);
}

/** The secret of a new token of the demo account. */
async function made(token) {
  return (await server.call("AdminService", "CreateToken", { parent: PARENT, token }, server.adminToken)).secret;
}

function crew() {
  return made({ scope: "TOKEN_SCOPE_FIELD", assigned: "labels.team = north" });
}

test("a field operator's token is made with the labels of its sites, and says so in the list", async () => {
  const { page, faults } = await openPage({ browser, server, token: server.adminToken });
  await logIn(page, server, await made({ scope: "TOKEN_SCOPE_ADMIN", displayName: "the keeper" }));
  await byId(page, "open-more").click();
  await byId(page, "open-access").click();
  await byId(page, "token-create").click();
  await byId(page, "token-name").fill("the northern crew");
  assert.equal(await byId(page, "token-assigned").count(), 0, "a viewer sees all sites");
  await byId(page, "token-scope").selectOption({ label: "Field operator" });
  await byId(page, "token-assigned").fill("labels.team = north");
  await shoot(page, "token-form-field", byId(page, "token-form"));
  await byId(page, "token-make").click();
  await byId(page, "token-made").waitFor();
  const who = await server.call("AdminService", "WhoAmI", {}, await byId(page, "token-secret").inputValue());
  assert.deepEqual([who.scope, who.assigned], ["TOKEN_SCOPE_FIELD", 'labels.team = "north"']);
  assert.match(await byId(page, "token-link").inputValue(), /#token=wmk_/);
  await byId(page, "token-stored").click();
  const row = byId(page, "token").filter({ hasText: "the northern crew" });
  assert.match(await row.textContent(), /Field operator/);
  assert.match(await row.textContent(), /labels\.team = "north"/);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("labels that say nothing make no token, and the form tells why", async () => {
  const { page } = await openPage({ browser, server, token: server.adminToken });
  await logIn(page, server, await made({ scope: "TOKEN_SCOPE_ADMIN", displayName: "the keeper" }));
  await byId(page, "open-more").click();
  await byId(page, "open-access").click();
  await byId(page, "token-create").click();
  await byId(page, "token-name").fill("nobody's");
  await byId(page, "token-scope").selectOption({ label: "Field operator" });
  await byId(page, "token-assigned").fill("status = ONLINE");
  await byId(page, "token-make").click();
  await byId(page, "error-banner").filter({ hasText: "sites are assigned by labels" }).waitFor();
  assert.equal(await byId(page, "token-made").count(), 0);
  await page.context().close();
});

test("the page shows the assigned sites, offers what may be done to them, and asks for nothing else", async () => {
  const secret = await crew();
  const { page, faults } = await openPage({ browser, server, token: secret });
  const asked = new Set();
  page.on("request", (request) => asked.add(new URL(request.url()).pathname.split("/").at(-1)));
  await logIn(page, server, secret);
  await symbolsDrawn(page);
  await byId(page, "map-assigned").waitFor();
  await byId(page, "matching").filter({ hasText: /^\s*3\b/ }).waitFor();
  for (const id of ["open-attention", "open-ticketing"]) assert.equal(await byId(page, id).count(), 0, id);
  assert.equal(await byId(page, "open-more").isVisible(), false, "there is nothing of the account behind it");
  await shoot(page, "field-operator", byId(page, "map-assigned"));
  const before = page.viewportSize();
  for (const size of SIZES) await apart(page, size, ['[data-testid="map-assigned"]', ".maplibregl-ctrl-scale", ".buttons"]);
  await page.setViewportSize(before);
  const name = await openFirstSite(page);
  assert.ok(sites.slice(0, 3).some((site) => site.name === name));
  await byId(page, "place-pin").waitFor();
  for (const id of ["labels-edit", "links-edit", "resident", "replacement-begin"]) {
    assert.equal(await byId(page, id).count(), 0, id);
  }
  await byId(page, "record-edit").click();
  for (const field of ["displayName", "customerId", "contractId", "status"]) {
    assert.equal(await byId(page, `record-${field}`).isDisabled(), true, field);
  }
  await byId(page, "record-note").fill("the key is at the gate");
  await byId(page, "record-firstName").fill("Anna");
  await byId(page, "record-save").click();
  await byId(page, "record-note").waitFor({ state: "detached" });
  await byId(page, "history").locator("summary").click();
  await byId(page, "history-edit").first().waitFor();
  const saved = await server.call("SiteService", "GetSite", { name }, editor);
  assert.deepEqual([saved.note, saved.contact.firstName, saved.labels], ["the key is at the gate", "Anna", { team: "north" }]);
  for (const method of NOT_ASKED) assert.ok(!asked.has(method), `${method} was asked in vain`);
  assert.equal(await byId(page, "error-banner").count(), 0);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("pages of the account have no address for it, nor has the wallboard", async () => {
  const secret = await crew();
  const { page, faults } = await openPage({ browser, server, token: secret });
  await logIn(page, server, secret);
  for (const address of ["/?page=access", "/?page=exchange", "/?page=ticketing", "/?wallboard"]) {
    await page.goto(`${server.url}${address}`);
    await byId(page, "map-assigned").waitFor();
    for (const id of ["access", "exchange", "wallboard"]) assert.equal(await byId(page, id).count(), 0, `${address} ${id}`);
  }
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a site that is labelled comes to the screen, and leaves it with its label", async () => {
  const secret = await crew();
  const { page, faults } = await openPage({ browser, server, token: secret });
  await logIn(page, server, secret);
  await byId(page, "matching").filter({ hasText: /^\s*3\b/ }).waitFor();
  await label(sites[5].name, "North");
  await byId(page, "matching").filter({ hasText: /^\s*4\b/ }).waitFor();
  await label(sites[5].name, "south");
  await byId(page, "matching").filter({ hasText: /^\s*3\b/ }).waitFor();
  assert.deepEqual(faults, []);
  await page.context().close();
});
