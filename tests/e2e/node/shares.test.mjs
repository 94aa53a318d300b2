// Shares of sites on the page: proposed in one account, taken up by the code in another one, looked at there as a guest, and ended.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { byId, HOSTILE, launch, logIn, openFirstSite, openMore, openPage, ownFaults, shoot, siteName, symbolsDrawn } from "./browser.mjs";
import { Server } from "./server.mjs";

const NORTH = 'labels.team = "north"';
// What the page would ask an account's own people about, and is refused to guests.
const NOT_ASKED = [
  "ListAttention", "GetResidentAccess", "ListTicketingConnections", "ListTicketingSystems", "ListTokens", "ListDevices", "ListSiteChanges",
];
// What of a site's page changes something, or tells what a guest is not told.
const NOT_OFFERED = [
  "record-edit", "labels-edit", "links-edit", "links-verify", "place-pin", "replacement-begin", "history", "resident", "personal-data",
];

let server, editor, owner, browser, sites;

before(async () => {
  server = await Server.bare();
  editor = await server.fill(12);
  owner = await member("demo", "ADMIN");
  sites = (await server.call("SiteService", "ListSites", { parent: "accounts/demo", orderBy: "display_name" }, editor)).sites;
  for (const { name } of sites.slice(0, 3)) {
    const site = { name, labels: { team: "north" }, note: "the key is at the gate" };
    await server.call("SiteService", "UpdateSite", { site, updateMask: "labels,note" }, editor);
  }
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** The secret of a new token of an account. */
async function member(account, scope) {
  const request = { parent: `accounts/${account}`, token: { scope: `TOKEN_SCOPE_${scope}`, displayName: "of the tests" } };
  return (await server.call("AdminService", "CreateToken", request, server.adminToken)).secret;
}

/** A new account that sites may be shared with; an admin's secret. */
async function accountOf(accountId, displayName) {
  await server.call("AdminService", "CreateAccount", { accountId, account: { displayName } }, server.adminToken);
  return member(accountId, "ADMIN");
}

/** A share that the demo account proposes, and its code. */
function proposed(share) {
  return server.call("ShareService", "ProposeShare", { parent: "accounts/demo", share: { sites: NORTH, ...share } }, owner);
}

function accept(account, code, token) {
  return server.call("ShareService", "AcceptShare", { parent: `accounts/${account}`, code }, token);
}

async function signedIn(token) {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  return { page, faults };
}

const openShares = (page) => openMore(page, "open-access", "shares");

/** Opens that page anew: it tells what there was when it was opened. */
async function reopenShares(page) {
  await byId(page, "access-close").click();
  await openShares(page);
}

/** A share in the list, by how far it is. */
const shareIn = (page, state) => page.locator(`[data-testid="share"][data-state="${state}"]`);
const isIn = (page, account) => page.locator("header .account").filter({ hasText: account }).waitFor();
const counts = (page, sites) => byId(page, "matching").filter({ hasText: new RegExp(`^\\s*${sites}\\b`) }).waitFor();

/** Types a code that somebody was handed, and looks at what it opens. */
async function look(page, code) {
  if ((await byId(page, "share-typed").count()) === 0) await byId(page, "share-enter").click();
  await byId(page, "share-typed").fill(code);
  await byId(page, "share-look").click();
}

const says = (page, part, text) => byId(page, part).filter({ hasText: text }).waitFor();

test("a share is proposed, its code taken up, its sites and no others seen as a guest, until it ends", async () => {
  const harbour = await accountOf("harbour", "The harbour");
  const { page, faults } = await signedIn(owner);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await openShares(page);
  await byId(page, "share-propose").click();
  await byId(page, "share-name").fill(`for the harbour ${HOSTILE}`);
  await byId(page, "share-sites").fill("labels.team = north");
  await byId(page, "share-days").selectOption({ label: "In 30 days" });
  await shoot(page, "share-form", byId(page, "share-form"));
  await byId(page, "share-make").click();
  await byId(page, "share-made").waitFor();
  const code = await byId(page, "share-code").inputValue();
  assert.match(code, /^wms_demo\./);
  await byId(page, "copy-share-code").click();
  await says(page, "copy-share-code", "Copied");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), code);
  await shoot(page, "share-code", byId(page, "share-made"));
  // It outlives the page that lies over the map, and is nowhere once it is put away.
  await reopenShares(page);
  assert.equal(await byId(page, "share-code").inputValue(), code);
  await byId(page, "share-stored").click();
  await byId(page, "share-made").waitFor({ state: "detached" });
  assert.ok(!(await page.content()).includes(code));
  const told = await shareIn(page, "proposed").textContent();
  assert.match(told, /labels\.team = "north".*Contacts and notes are shown as •••.*can be accepted until/s);

  const guest = await signedIn(harbour);
  await takeUp(guest.page, code);
  const asked = new Set();
  guest.page.on("request", (request) => asked.add(new URL(request.url()).pathname.split("/").at(-1)));
  await byId(guest.page, "share-show").click();
  await seesTheNorthAlone(guest.page);
  for (const method of NOT_ASKED) assert.ok(!asked.has(method), `${method} was asked in vain`);

  // A page that is loaded anew is where it was; the way back and the choice of accounts lead out of it, and to it.
  await guest.page.reload();
  await says(guest.page, "guest-sign", "Shared by Demo");
  await byId(guest.page, "guest-back").click();
  await isIn(guest.page, "harbour");
  assert.equal(await byId(guest.page, "guest-sign").count(), 0);
  await byId(guest.page, "open-attention").waitFor();
  await byId(guest.page, "open-more").click();
  await byId(guest.page, "switch-account").click();
  await byId(guest.page, "account").filter({ hasText: "your own" }).waitFor();
  await shoot(guest.page, "share-accounts", byId(guest.page, "account"));
  await byId(guest.page, "account").filter({ hasText: "Demo" }).click();
  await counts(guest.page, 3);

  await reopenShares(page);
  assert.match(await shareIn(page, "active").textContent(), /shared with The harbour \(harbour\)/);
  await shareIn(page, "active").locator('[data-testid="share-end"]').click();
  await says(page, "shares", "stops seeing these sites at once");
  await counts(guest.page, 3);
  await shareIn(page, "active").locator('[data-testid="share-end-now"]').click();
  await shareIn(page, "ended").waitFor();
  await says(guest.page, "error-banner", "Demo does not share sites with your account any more.");
  assert.equal(await byId(guest.page, "map").count(), 0, "nothing of them stays on the screen");
  assert.equal(await byId(guest.page, "account").filter({ hasText: "Demo" }).count(), 0);
  await shoot(guest.page, "share-over", byId(guest.page, "error-banner"));
  await byId(guest.page, "choose-home").click();
  await isIn(guest.page, "harbour");
  assert.deepEqual([faults, ownFaults(guest.faults)], [[], []]);
  assert.notEqual(await guest.page.title(), "hit");
  await page.context().close();
  await guest.page.context().close();
});

/** Looks at what a code opens, leaves it, comes back, and accepts it. */
async function takeUp(page, code) {
  await openShares(page);
  await look(page, code);
  await byId(page, "share-offer").waitFor();
  const offered = await byId(page, "share-offer").textContent();
  assert.match(offered, /Demo \(demo\).*for the harbour.*labels\.team = "north".*positions are exact.*Ends/s);
  await shoot(page, "share-offer", byId(page, "share-offer"));
  await byId(page, "share-leave").click();
  assert.equal(await shareIn(page, "active").count(), 0, "who looks accepts nothing");
  await look(page, code);
  await byId(page, "share-accept").click();
  await says(page, "share-done", "your account sees sites of Demo (demo)");
  await shareIn(page, "active").waitFor();
}

/** What a guest of the north sees, and is offered. */
async function seesTheNorthAlone(page) {
  await isIn(page, "demo");
  await says(page, "guest-sign", "Shared by Demo: you can see these sites, and cannot change them.");
  await counts(page, 3);
  await symbolsDrawn(page);
  for (const id of ["open-attention", "open-ticketing", "access", "exchange"]) assert.equal(await byId(page, id).count(), 0, id);
  await byId(page, "open-more").click();
  await byId(page, "switch-account").waitFor();
  for (const id of ["open-exchange", "open-access", "open-wallboard", "menu-ticketing"]) assert.equal(await byId(page, id).count(), 0, id);
  await page.keyboard.press("Escape");
  await byId(page, "site-row").first().waitFor();
  const shared = sites.slice(0, 3).map(({ name }) => name);
  const listed = await byId(page, "site-row").evaluateAll((rows) => rows.map((row) => row.dataset.site));
  for (const name of listed.map(siteName)) assert.ok(shared.includes(name), `${name} is not shared`);
  await takesAlong(page);
  await byId(page, "search").fill(sites[5].displayName);
  await says(page, "hits-total", "No hits");
  await byId(page, "search").fill("");
  await shoot(page, "guest", byId(page, "guest-sign"));
  await openFirstSite(page);
  await byId(page, "site-position").waitFor();
  for (const id of NOT_OFFERED) assert.equal(await byId(page, id).count(), 0, id);
  assert.doesNotMatch(await byId(page, "site-panel").textContent(), /the key is at the gate/, "notes are not shown");
  assert.equal(await byId(page, "error-banner").count(), 0);
  await byId(page, "site-close").click();
  // Its pages have no address either.
  await page.evaluate(() => history.pushState(null, "", `${location.hash}&page=access`));
  await page.reload();
  await counts(page, 3);
  assert.equal(await byId(page, "access").count(), 0);
}

/** What a guest may do with sites that are selected: take them along as they are shown, and change nothing. */
async function takesAlong(page) {
  const inView = Number((await byId(page, "list-total").textContent()).replaceAll(/\D/g, ""));
  await byId(page, "select-all").click();
  await says(page, "selected-count", `${inView} selected`);
  for (const id of ["bulk-set-status", "bulk-set-label"]) assert.equal(await byId(page, id).count(), 0, id);
  const downloading = page.waitForEvent("download");
  await byId(page, "bulk-export").click();
  const file = await readFile(await (await downloading).path(), "utf8");
  assert.equal(file.split("\r\n").filter(Boolean).length, inView + 1, "a line for each, and the heading");
  assert.doesNotMatch(file, /the key is at the gate/, "notes are not shown");
  await byId(page, "select-none").click();
}

test("what is no share, no code, or not possible is told in words", async () => {
  const pier = await accountOf("pier", "The pier");
  const { page, faults } = await signedIn(owner);
  await openShares(page);
  await byId(page, "share-propose").click();
  await byId(page, "share-sites").fill("status = ONLINE");
  await byId(page, "share-make").click();
  await says(page, "share-form", "sites are assigned by labels");
  assert.equal(await byId(page, "share-made").count(), 0);
  await byId(page, "share-form").getByRole("button", { name: "Cancel" }).click();
  const first = await proposed({ displayName: "first" });
  const second = await proposed({ displayName: "second" });
  const withdrawn = await proposed({ displayName: "to be withdrawn" });
  await look(page, first.code);
  await says(page, "share-enter-form", "the account's own sites");

  await reopenShares(page);
  const row = byId(page, "share").filter({ hasText: "to be withdrawn" });
  await row.locator('[data-testid="share-end"]').click();
  await says(page, "shares", "The code of this share stops working.");
  await row.locator('[data-testid="share-end-now"]').click();
  await shareIn(page, "ended").filter({ hasText: "to be withdrawn" }).waitFor();

  const other = await signedIn(pier);
  await openShares(other.page);
  for (const code of ["wms_nothing", `${first.code.slice(0, -4)}AAAA`, withdrawn.code]) {
    await look(other.page, code);
    await says(other.page, "share-enter-form", "This code does not work");
  }
  await accept("pier", first.code, pier);
  await look(other.page, first.code);
  await says(other.page, "share-offer", "Your account accepted this share before");
  assert.equal(await byId(other.page, "share-accept").count(), 0);
  await byId(other.page, "share-leave").click();
  await look(other.page, second.code);
  await says(other.page, "share-enter-form", "already sees sites of that account by another share");
  assert.deepEqual([ownFaults(faults), ownFaults(other.faults)], [[], []]);
  await page.context().close();
  await other.page.context().close();
});

test("a share is declined, once that is meant, and its owner sees that it was", async () => {
  const quay = await accountOf("quay", "The quay");
  const { code } = await proposed({ displayName: "not wanted" });
  const { page, faults } = await signedIn(quay);
  await openShares(page);
  await look(page, code);
  await byId(page, "share-decline").click();
  await says(page, "share-offer", "the code stops working for everybody");
  await byId(page, "share-decline-now").click();
  await says(page, "share-done", "Declined.");
  await look(page, code);
  await says(page, "share-enter-form", "This code does not work");
  assert.deepEqual(ownFaults(faults), []);
  await page.context().close();

  const theirs = await signedIn(owner);
  await openShares(theirs.page);
  await shareIn(theirs.page, "declined").filter({ hasText: "not wanted" }).waitFor();
  assert.deepEqual(theirs.faults, []);
  await theirs.page.context().close();
});

test("a viewer switches to what is shared, about where it is; what is shared without positions is not opened", async () => {
  const wharf = await accountOf("wharf", "The wharf");
  const rough = await proposed({ positions: "POSITION_ACCESS_APPROXIMATE" });
  await accept("wharf", rough.code, wharf);
  // An account with nothing to show on a map.
  const lighthouse = await accountOf("lighthouse", "The lighthouse");
  const share = { sites: NORTH, positions: "POSITION_ACCESS_HIDDEN" };
  const hidden = await server.call("ShareService", "ProposeShare", { parent: "accounts/lighthouse", share }, lighthouse);
  await accept("wharf", hidden.code, wharf);
  const viewer = await member("wharf", "VIEWER");
  const { page, faults } = await signedIn(viewer);
  await byId(page, "open-more").click();
  await byId(page, "switch-account").click();
  const closed = byId(page, "account").filter({ hasText: "The lighthouse" });
  await closed.filter({ hasText: "no map" }).waitFor();
  assert.ok(await closed.isDisabled());
  await byId(page, "account").filter({ hasText: "Demo" }).click();
  await says(page, "guest-sign", "Shared by Demo");
  await byId(page, "map-rough").waitFor();
  await counts(page, 3);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("who belongs to one account is offered no other", async () => {
  const jetty = await accountOf("jetty", "The jetty");
  const { page, faults } = await signedIn(jetty);
  const told = page.waitForResponse((response) => response.url().endsWith("/ListShares"));
  await byId(page, "open-more").click();
  await (await told).finished();
  await byId(page, "open-access").click();
  // Which lists them again, and says when it has.
  await says(page, "shares-received", "Nothing is shared with this account.");
  assert.equal(await byId(page, "switch-account").count(), 0);
  assert.deepEqual(faults, []);
  await page.context().close();
});
