// The wallboard: reached by a link, goes from region to region by itself, shows tallies and problems, and no person.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { byId, launch, logIn, openPage, shoot, symbolsDrawn } from "./browser.mjs";
import { Gate } from "./gate.mjs";
import { Server } from "./server.mjs";

const PERSON = { firstName: "Guðrún", lastName: "Secretdóttir", email: "gudrun@secret.example", phones: [{ number: "+3545551234" }] };
const NOTE = "the key is under the secret stone";

let server, token, browser, masked;

before(async () => {
  server = await Server.bare();
  token = await server.fill(30);
  const { sites } = await server.call("SiteService", "ListSites", { parent: "accounts/demo", pageSize: 1000 }, token);
  for (const { name } of sites.slice(0, 10)) {
    const site = { name, contact: PERSON, note: NOTE };
    await server.call("SiteService", "UpdateSite", { site, updateMask: "contact,note" }, token);
  }
  await server.call("SiteService", "CreateSite", { parent: "accounts/demo", site: { displayName: "Nowhere" } }, token);
  const request = { parent: "accounts/demo", token: { scope: "TOKEN_SCOPE_VIEWER", contacts: "CONTACT_ACCESS_MASKED" } };
  masked = await server.call("AdminService", "CreateToken", request, server.adminToken);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A wallboard, as its link opens it, all that the server told it, and by which methods it was asked. */
async function openBoard(wish, secret = masked.secret) {
  const { page, faults } = await openPage({ browser, server, token: secret });
  const answers = [];
  const asked = new Set();
  page.on("request", (request) => {
    const method = /waymark\.v1\.\w+\/(\w+)$/.exec(request.url())?.[1];
    if (method) asked.add(method);
  });
  page.on("response", (response) => {
    // A watch has no end, and tells of tallies alone.
    const isCall = response.url().includes("waymark.v1") && !response.url().includes("/Watch");
    if (isCall) answers.push(response);
  });
  // Time goes on as it does, and leaps where a test says so.
  await page.clock.install();
  await page.goto(`${server.url}/?wallboard${wish}#token=${secret}`);
  await byId(page, "wallboard-region").waitFor();
  return { page, faults, answers, asked };
}

/** All that a wallboard asks, and that would tell it names. */
const ASKED = ["QueryViewport", "WatchViewport", "FitSites", "WhoAmI", "tiles.json", "ListViewportSites", "ListSites"];

/** An account with three sites that stand alone; makes tokens of it. */
async function lonelyAccount(accountId) {
  await server.call("AdminService", "CreateAccount", { accountId, account: { displayName: "Lonely" } }, server.adminToken);
  const parent = `accounts/${accountId}`;
  const tokenOf = async (scope) => {
    return (await server.call("AdminService", "CreateToken", { parent, token: { scope } }, server.adminToken)).secret;
  };
  const rows = [[64, -22], [-33, 151], [10, 20]].map(([lat, lng], at) => {
    return { site: { displayName: `Lighthouse ${at}` }, position: { lat, lng } };
  });
  await server.call("ImportService", "ImportSites", { parent, rows }, await tokenOf("TOKEN_SCOPE_EDITOR"));
  return tokenOf;
}

const region = (page) => byId(page, "wallboard-region").textContent();
const place = (page) => page.locator(".title span").textContent();

test("a link opens it, and it rotates by itself, stops and goes on by hand", async () => {
  const { page, faults } = await openBoard("&seconds=600");
  await symbolsDrawn(page);
  assert.ok(!page.url().includes("wmk_"), "no token is in the address");
  assert.ok(page.url().includes("?wallboard"), "the address stays that of the wallboard");
  assert.equal(await region(page), "All sites");
  const tally = byId(page, "wallboard-tally").first();
  assert.match(await tally.textContent(), /30\s*sites on the map/);
  await byId(page, "wallboard-problems").filter({ hasText: "1 without a position" }).waitFor();
  await shoot(page, "wallboard-world");

  // By itself, to another part of the world.
  const center = await byId(page, "map").getAttribute("data-center");
  await page.clock.fastForward(601_000);
  await page.waitForFunction(() => document.querySelector(".title span").textContent === "2 of 4");
  await page.waitForFunction((center) => document.querySelector('[data-testid="map"]').dataset.center !== center, center);
  await byId(page, "wallboard-pause").click();
  await symbolsDrawn(page);
  await shoot(page, "wallboard-region");
  const stopped = await place(page);
  await page.clock.fastForward(3_600_000);
  assert.equal(await place(page), stopped, "stopped, it stays");
  await byId(page, "wallboard-next").click();
  assert.notEqual(await place(page), stopped);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("it shows no person and no name, and with a token that masks contacts none ever comes to it", async () => {
  const { page, faults, answers } = await openBoard("&seconds=600");
  const seen = new Set();
  for (let steps = 0; steps < 4; steps += 1) {
    await byId(page, "wallboard-next").click();
    await symbolsDrawn(page);
    seen.add(await page.locator("body").innerText());
  }
  const shown = [...seen].join("\n");
  for (const secret of ["Guðrún", "Secretdóttir", "secret", "5551234", "Site 0", "Nowhere"])
    assert.ok(!shown.includes(secret), `${secret} is shown`);
  for (const answer of answers) {
    const body = await answer.body();
    for (const secret of ["Secretdóttir", "gudrun@", "5551234", "under the secret"])
      assert.ok(!body.includes(secret), `${secret} is in ${answer.url()}`);
  }
  // Nothing can be opened on it, or hovered.
  const box = await byId(page, "map").boundingBox();
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  assert.equal(await byId(page, "site-panel").count(), 0);
  assert.equal(await page.locator('input:not([type="hidden"]), textarea, select').count(), 0);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("whatever its token may read, it asks for tallies and symbols alone, and calls regions by their countries", async () => {
  const request = { parent: "accounts/demo", token: { scope: "TOKEN_SCOPE_VIEWER", contacts: "CONTACT_ACCESS_READ" } };
  const seeing = await server.call("AdminService", "CreateToken", request, server.adminToken);
  const { page, faults, answers, asked } = await openBoard("&seconds=600", seeing.secret);
  const titles = [];
  for (let steps = 0; steps < 4; steps += 1) {
    await byId(page, "wallboard-next").click();
    await symbolsDrawn(page);
    titles.push(await region(page));
  }
  const all = titles.join(" | ");
  for (const country of [/Iceland/, /Switzerland|Germany|Austria/, /Australia/, /All sites/]) assert.match(all, country);
  assert.deepEqual([...asked].sort(), ["FitSites", "QueryViewport", "WatchViewport", "WhoAmI"]);
  for (const answer of answers) {
    const body = await answer.body();
    for (const secret of ["Secretdóttir", "gudrun@", "5551234", "under the secret"])
      assert.ok(!body.includes(secret), `${secret} is in ${answer.url()}`);
  }
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("names of sites that are offline are told where the address asks for them", async () => {
  const { page, faults } = await openBoard("&names");
  await byId(page, "wallboard-next").click();
  await byId(page, "wallboard-names").filter({ hasText: /Offline here: Site \d+/ }).waitFor();
  await shoot(page, "wallboard-names");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("with a wallboard's own token it shows the same, wherever it is opened, and no name whatever its address asks for", async () => {
  const gate = await Gate.before(server);
  const tokenOf = await lonelyAccount("hall");
  const [editor, secret] = [await tokenOf("TOKEN_SCOPE_EDITOR"), await tokenOf("TOKEN_SCOPE_WALLBOARD")];
  await server.call("SiteService", "CreateSite", { parent: "accounts/hall", site: { displayName: "Lighthouse ship" } }, editor);
  for (const method of ASKED) gate.keep(method);
  const { page, faults } = await openPage({ browser, server: gate, token: secret });
  // The page of the map is nothing for it.
  for (const path of ["/", "/?wallboard&names&seconds=600"]) {
    await page.goto(`${gate.url}${path}#token=${secret}`);
    await byId(page, "wallboard-region").filter({ hasText: "All sites" }).waitFor();
    await byId(page, "wallboard-tally").first().filter({ hasText: /3\s*sites on the map/ }).waitFor();
    await byId(page, "wallboard-problems").filter({ hasText: "1 without a position" }).waitFor();
    await page.waitForFunction(() => document.querySelector('[data-testid="map"]').dataset.pins === "3");
    await byId(page, "wallboard-next").click();
    await byId(page, "wallboard-region").filter({ hasNotText: "All sites" }).waitFor();
    await symbolsDrawn(page);
    assert.equal(await byId(page, "wallboard-names").count(), 0);
    assert.equal(await byId(page, "wallboard-leave").count(), 0, "there is nothing to leave it for");
    assert.equal(await byId(page, "wallboard-sign-out").count(), 0, "a link opened it, on a screen that anybody may touch");
    await byId(page, "attribution").filter({ hasText: "Natural Earth" }).waitFor();
  }
  const told = Buffer.concat(ASKED.map((method) => gate.kept(method)));
  assert.ok(told.includes("accounts/hall/sites/"), "symbols of single sites came");
  assert.ok(!told.includes("Lighthouse"), "and their names did not");
  await shoot(page, "wallboard-own-token");
  assert.deepEqual(faults, []);
  await page.context().close();
  await gate.stop();
});

/** Who had typed a wallboard's token by mistake had no way back but to close the tab. */
test("who typed a wallboard's token signs out again", async () => {
  const secret = await (await lonelyAccount("lobby"))("TOKEN_SCOPE_WALLBOARD");
  const { page, faults } = await openPage({ browser, server, token: secret });
  await logIn(page, server, secret);
  await byId(page, "wallboard-sign-out").waitFor();
  await shoot(page, "wallboard-by-hand");
  await page.reload();
  await byId(page, "wallboard-sign-out").click();
  await byId(page, "login-token").waitFor();
  assert.equal(await byId(page, "wallboard").count(), 0);
  await page.reload();
  await byId(page, "login-token").waitFor();
  const kept = await page.evaluate(() => ["token", "account", "byHand"].map((key) => sessionStorage.getItem(`waymark.${key}`)));
  assert.deepEqual(kept, [null, null, null]);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("it follows what changes, and asks for a token when its own is revoked", async () => {
  const request = { parent: "accounts/demo", token: { scope: "TOKEN_SCOPE_VIEWER" } };
  const own = await server.call("AdminService", "CreateToken", request, server.adminToken);
  const { page } = await openBoard("", own.secret);
  const site = { displayName: "One more" };
  const { name } = await server.call("SiteService", "CreateSite", { parent: "accounts/demo", site }, token);
  await server.call("LocationService", "SetPin", { site: name, position: { lat: 64.2, lng: -21.8 } }, token);
  await byId(page, "wallboard-tally").first().filter({ hasText: /31\s*sites on the map/ }).waitFor();
  await server.call("AdminService", "RevokeToken", { name: own.token.name }, server.adminToken);
  await byId(page, "login-token").waitFor();
  assert.equal(await byId(page, "wallboard").isVisible(), false);
  await page.context().close();
});

test("no name of a site comes to it, not even of those that stand alone on its map", async () => {
  const gate = await Gate.before(server);
  const tokenOf = await lonelyAccount("lonely");
  const viewer = await tokenOf("TOKEN_SCOPE_VIEWER");
  for (const method of ASKED) gate.keep(method);
  const told = () => Buffer.concat(ASKED.map((method) => gate.kept(method)));
  const { page, faults } = await openPage({ browser, server: gate, token: viewer });
  await page.goto(`${gate.url}/?wallboard&seconds=600#token=${viewer}`);
  await byId(page, "wallboard-region").waitFor();
  await page.waitForFunction(() => document.querySelector('[data-testid="map"]').dataset.pins === "3");
  for (let steps = 0; steps < 3; steps += 1) {
    await byId(page, "wallboard-next").click();
    await symbolsDrawn(page);
  }
  assert.ok(told().includes("accounts/lonely/sites/"), "symbols of single sites came");
  assert.ok(!told().includes("Lighthouse"), "and their names did not");
  // Whoever opens sites sees what they are called.
  await page.goto(`${gate.url}/`);
  await page.waitForFunction(() => document.querySelector('[data-testid="map"]')?.dataset.pins === "3");
  assert.ok(told().includes("Lighthouse 0"));
  assert.deepEqual(faults, []);
  await page.context().close();
  await gate.stop();
});

/**
 * A change that came while the style of another colour was loading, for a frame as a rule and for as long as a page gets none,
 * was dropped, and the map went without it until the next one.
 */
test("a change that comes while the map takes another colour is on it", async () => {
  const tokenOf = await lonelyAccount("dusk");
  const [editor, viewer] = [await tokenOf("TOKEN_SCOPE_EDITOR"), await tokenOf("TOKEN_SCOPE_VIEWER")];
  const { page, faults } = await openBoard("&seconds=600", viewer);
  const drawn = (sites, scheme) => {
    const isSo = ([sites, scheme]) => {
      const { dataset } = document.querySelector('[data-testid="map"]');
      return dataset.idle === "true" && dataset.sites === sites && dataset.scheme === scheme;
    };
    return page.waitForFunction(isSo, [sites, scheme]);
  };
  await drawn("3", "light");
  // The page gets no frame from now on. The moment has to lie ahead when the page hears of it, on a busy machine too.
  await page.clock.pauseAt(Date.now() + 5_000);
  await page.emulateMedia({ colorScheme: "dark" });
  await page.waitForFunction(() => document.querySelector('[data-testid="map"]').dataset.idle === "false");
  const request = { parent: "accounts/dusk", site: { displayName: "Lighthouse in the dusk" } };
  const { name } = await server.call("SiteService", "CreateSite", request, editor);
  await server.call("LocationService", "SetPin", { site: name, position: { lat: 40, lng: -100 } }, editor);
  await byId(page, "wallboard-tally").first().filter({ hasText: /4\s*sites on the map/ }).waitFor();
  await page.clock.resume();
  await drawn("4", "dark");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("an account without a site says so, and a load that failed is made again", async () => {
  const gate = await Gate.before(server);
  const account = { accountId: "hollow", account: { displayName: "Hollow" } };
  await server.call("AdminService", "CreateAccount", account, server.adminToken);
  const request = { parent: "accounts/hollow", token: { scope: "TOKEN_SCOPE_VIEWER" } };
  const { secret } = await server.call("AdminService", "CreateToken", request, server.adminToken);
  const { page } = await openPage({ browser, server: gate, token: secret });
  await page.clock.install();
  gate.refuse("QueryViewport");
  const refused = page.waitForResponse((response) => response.url().endsWith("/QueryViewport"));
  await page.goto(`${gate.url}/?wallboard#token=${secret}`);
  await refused;
  await page.locator(".region").getByText("Loading the sites…").waitFor();
  gate.open("QueryViewport");
  // Nothing changes in the account, so nothing else asks.
  await page.clock.fastForward(20_000);
  await byId(page, "wallboard-empty").getByText("No sites yet.").waitFor();
  await shoot(page, "wallboard-empty");
  await page.context().close();
  await gate.stop();
});
