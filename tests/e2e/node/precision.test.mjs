// A viewer's token that does not show exact positions: how it is made on the page, what the page says to its bearer, and what it leaves out.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { byId, launch, logIn, openFirstSite, openPage, shoot, symbolsDrawn } from "./browser.mjs";
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

/** The secret of a new token of the demo account. */
async function made(token) {
  const request = { parent: "accounts/demo", token };
  return (await server.call("AdminService", "CreateToken", request, server.adminToken)).secret;
}

test("a viewer's token is made with positions to about a kilometre, and says so in the list", async () => {
  const { page, faults } = await openPage({ browser, server, token: server.adminToken });
  const admin = await made({ scope: "TOKEN_SCOPE_ADMIN", displayName: "the keeper" });
  await logIn(page, server, admin);
  await byId(page, "open-more").click();
  await byId(page, "open-access").click();
  await byId(page, "token-create").click();
  await byId(page, "token-name").fill("for a partner");
  await byId(page, "token-scope").selectOption({ label: "Editor" });
  assert.equal(await byId(page, "token-positions").count(), 0, "whoever changes sites sees where they are");
  await byId(page, "token-scope").selectOption({ label: "Viewer" });
  await byId(page, "token-positions").selectOption({ label: "To about a kilometre" });
  await shoot(page, "token-form-precision", byId(page, "token-form"));
  await byId(page, "token-make").click();
  await byId(page, "token-made").waitFor();
  const who = await server.call("AdminService", "WhoAmI", {}, await byId(page, "token-secret").inputValue());
  assert.deepEqual([who.scope, who.positions], ["TOKEN_SCOPE_VIEWER", "POSITION_ACCESS_APPROXIMATE"]);
  await byId(page, "token-stored").click();
  const row = byId(page, "token").filter({ hasText: "for a partner" });
  assert.match(await row.textContent(), /Positions rounded to about a kilometre/);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("the page says that positions are rounded, and offers nothing that rests on exact ones", async () => {
  const secret = await made({ scope: "TOKEN_SCOPE_VIEWER", positions: "POSITION_ACCESS_APPROXIMATE" });
  const { page, faults } = await openPage({ browser, server, token: secret });
  const asked = new Set();
  page.on("request", (request) => asked.add(new URL(request.url()).pathname.split("/").at(-1)));
  await logIn(page, server, secret);
  await symbolsDrawn(page);
  await byId(page, "map-rough").filter({ hasText: "about a kilometre" }).waitFor();
  assert.equal(await byId(page, "open-attention").count(), 0);
  const name = await openFirstSite(page);
  await byId(page, "site-rough").waitFor();
  assert.equal(await byId(page, "history").count(), 0);
  await shoot(page, "site-rough", byId(page, "site-rough"));
  const shown = await byId(page, "site-position").getAttribute("data-lat");
  const exact = await server.call("SiteService", "GetSite", { name }, token);
  assert.notEqual(Number(shown), exact.location.position.lat);
  assert.ok(Math.abs(Number(shown) - exact.location.position.lat) < 0.0051);
  for (const method of ["ListAttention", "ListSiteChanges"]) assert.ok(!asked.has(method), `${method} was asked in vain`);
  assert.equal(await byId(page, "error-banner").count(), 0);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("who is shown nothing of where sites are is told that there is no page for it", async () => {
  const secret = await made({ scope: "TOKEN_SCOPE_VIEWER", positions: "POSITION_ACCESS_HIDDEN" });
  const { page, faults } = await openPage({ browser, server, token: secret });
  await page.goto(`${server.url}/`);
  await byId(page, "login-token").fill(secret);
  await byId(page, "login-submit").click();
  await byId(page, "error-banner").filter({ hasText: "there is no map for it" }).waitFor();
  assert.equal(await byId(page, "map").count(), 0);
  assert.deepEqual(faults, []);
  await page.context().close();
});
