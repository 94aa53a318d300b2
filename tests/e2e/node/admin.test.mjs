// Who gets in: tokens that are made, copied, and ended; accounts that the operator makes and goes between; persons of all sites.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { byId, HOSTILE, launch, logIn, openPage, shoot } from "./browser.mjs";
import { Server } from "./server.mjs";

let server, token, browser;

before(async () => {
  server = await Server.bare();
  token = await server.fill(12);
  const enrolment = await made({ scope: "TOKEN_SCOPE_ENROLLMENT", displayName: "lets agents in" });
  const agent = { parent: "accounts/demo", agentId: "router-1", agentKey: randomBytes(32).toString("base64") };
  await server.call("ActivationService", "ActivateAgent", agent, enrolment.secret);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

async function openAccess(page) {
  await byId(page, "open-more").click();
  await byId(page, "open-access").click();
  await byId(page, "tokens").waitFor();
}

/** A token of the demo account, made outside of the page. */
async function made(token) {
  return server.call("AdminService", "CreateToken", { parent: "accounts/demo", token }, server.adminToken);
}

const whoAmI = (secret) => server.call("AdminService", "WhoAmI", {}, secret);

test("a token is made, its secret shown once and copied, and ended at once", async () => {
  const admin = await made({ scope: "TOKEN_SCOPE_ADMIN", displayName: "the keeper" });
  const { page, faults } = await openPage({ browser, server, token: admin.secret });
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await logIn(page, server, admin.secret);
  await openAccess(page);
  assert.equal(await byId(page, "accounts").count(), 0, "an account's admin keeps no accounts");
  await byId(page, "token").filter({ hasText: "the keeper" }).filter({ hasText: "Used by this page" }).waitFor();

  await byId(page, "token-create").click();
  await byId(page, "token-name").fill(`hall ${HOSTILE}`);
  await byId(page, "token-scope").selectOption({ label: "Viewer" });
  await byId(page, "token-days").selectOption({ label: "In 30 days" });
  await byId(page, "token-masked").check();
  await shoot(page, "token-form", byId(page, "token-form"));
  await byId(page, "token-make").click();
  await byId(page, "token-made").waitFor();
  const secret = await byId(page, "token-secret").inputValue();
  assert.match(secret, /^wmk_/);
  await byId(page, "copy-secret").click();
  await byId(page, "copy-secret").filter({ hasText: "Copied" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
  assert.equal(await byId(page, "token-link").inputValue(), `${server.url}/#token=${secret}`);
  assert.equal(await byId(page, "token-wallboard").count(), 0, "what reads sites is not offered to a screen in a hall");
  await shoot(page, "token-made", byId(page, "token-made"));
  const who = await whoAmI(secret);
  assert.deepEqual([who.scope, who.contacts], ["TOKEN_SCOPE_VIEWER", "CONTACT_ACCESS_MASKED"]);

  // Put away, the secret is nowhere on the page, and does not come back.
  await byId(page, "token-stored").click();
  await byId(page, "token-made").waitFor({ state: "detached" });
  await byId(page, "access-close").click();
  await openAccess(page);
  const row = byId(page, "token").filter({ hasText: "hall" });
  await row.waitFor();
  assert.match(await row.textContent(), /Viewer.*Masks contacts.*ends/s);
  assert.ok(!(await page.content()).includes(secret));
  assert.equal(await page.title(), "waymark");

  // A new secret is asked for twice, too, and both are good for a while.
  await row.locator('[data-testid="token-rotate"]').click();
  await row.locator('[data-testid="token-rotate-now"]').click();
  const anew = await byId(page, "token-secret").inputValue();
  assert.notEqual(anew, secret);
  assert.deepEqual((await whoAmI(anew)).token, (await whoAmI(secret)).token);
  await shoot(page, "token-rotated", byId(page, "token-made"));
  await byId(page, "token-stored").click();
  assert.match(await row.textContent(), /last used.*previous secret valid until/s);

  // Ending is asked for twice.
  await row.locator('[data-testid="token-revoke"]').click();
  await whoAmI(secret);
  await shoot(page, "token-revoking", row);
  await row.locator('[data-testid="token-revoke-now"]').click();
  await page.locator('[data-testid="token"][data-state="revoked"]').filter({ hasText: "hall" }).waitFor();
  await assert.rejects(whoAmI(secret), /unauthenticated/);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a wallboard's token comes with the link of a wallboard, and opens nothing else", async () => {
  const admin = await made({ scope: "TOKEN_SCOPE_ADMIN", displayName: "the keeper of screens" });
  const { page } = await openPage({ browser, server, token: admin.secret });
  await logIn(page, server, admin.secret);
  await openAccess(page);
  await byId(page, "token-create").click();
  await byId(page, "token-name").fill("screen in the hall");
  await byId(page, "token-scope").selectOption({ label: "Wallboard" });
  assert.ok(await byId(page, "token-masked").isChecked(), "it sees no contacts anyway");
  assert.ok(await byId(page, "token-masked").isDisabled());
  await shoot(page, "token-form-wallboard", byId(page, "token-form"));
  await byId(page, "token-make").click();
  await byId(page, "token-made").waitFor();
  const secret = await byId(page, "token-secret").inputValue();
  const link = await byId(page, "token-wallboard").inputValue();
  assert.equal(link, `${server.url}/?wallboard#token=${secret}`);
  assert.equal(await byId(page, "token-link").count(), 0, "it opens no map page");
  const who = await whoAmI(secret);
  assert.deepEqual([who.scope, who.contacts], ["TOKEN_SCOPE_WALLBOARD", "CONTACT_ACCESS_MASKED"]);
  await page.context().close();
});

test("tokens that ended are told apart, and those of agents are left out", async () => {
  const HOUR_MS = 3_600_000;
  const expireTime = new Date(Date.now() + HOUR_MS).toISOString();
  await made({ scope: "TOKEN_SCOPE_VIEWER", displayName: "of an hour", expireTime });
  const { page, faults } = await openPage({ browser, server, token: server.adminToken });
  await logIn(page, server, server.adminToken);
  await openAccess(page);
  await page.getByText("Agents’ and residents’ own tokens are left out.").waitFor();
  assert.equal(await byId(page, "token").getByText("Agent", { exact: true }).count(), 0);
  await page.locator('[data-testid="token"][data-state="good"]').filter({ hasText: "of an hour" }).waitFor();
  // Two hours later by the page's clock.
  await page.clock.setFixedTime(Date.now() + 2 * HOUR_MS);
  await byId(page, "access-close").click();
  await openAccess(page);
  await page.locator('[data-testid="token"][data-state="expired"]').filter({ hasText: "of an hour" }).waitFor();

  // The operator's last token stays.
  await byId(page, "tokens-whose").selectOption({ label: "The operator" });
  const own = byId(page, "token").filter({ hasText: "Used by this page" });
  await own.waitFor();
  await own.locator('[data-testid="token-revoke"]').click();
  await page.getByText("you will have to sign in again").waitFor();
  await own.locator('[data-testid="token-revoke-now"]').click();
  await page.getByText("This is the operator’s last valid token.").waitFor();
  assert.deepEqual(faults.filter((fault) => !fault.includes("400")), []);
  await page.context().close();
});

test("the operator makes an account, goes to it, and back to the other", async () => {
  const { page, faults } = await openPage({ browser, server, token: server.adminToken });
  await logIn(page, server, server.adminToken);
  await openAccess(page);
  await byId(page, "account-create").click();
  await byId(page, "account-id").fill("harbours");
  await byId(page, "account-name").fill(`Harbours ${HOSTILE}`);
  await shoot(page, "account-form", byId(page, "account-form"));
  await byId(page, "account-make").click();
  const item = byId(page, "account-item").filter({ hasText: "Harbours" });
  await item.waitFor();
  await shoot(page, "accounts", byId(page, "accounts"));

  // The same id again is refused in words.
  await byId(page, "account-create").click();
  await byId(page, "account-id").fill("harbours");
  await byId(page, "account-make").click();
  await page.getByText("There is already an account with this ID.").waitFor();

  await item.getByRole("button").click();
  await page.locator("header .account").filter({ hasText: "harbours" }).waitFor();
  await byId(page, "site-list").getByText("No sites yet.").waitFor();
  await shoot(page, "account-empty", byId(page, "site-list"));
  await byId(page, "open-more").click();
  await byId(page, "switch-account").click();
  await byId(page, "account").filter({ hasText: "demo" }).click();
  await page.locator("header .account").filter({ hasText: "demo" }).waitFor();
  await byId(page, "site-row").first().waitFor();
  assert.equal(await page.title(), "waymark");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("who keeps no tokens is told so", async () => {
  const viewer = await made({ scope: "TOKEN_SCOPE_VIEWER" });
  const { page, faults } = await openPage({ browser, server, token: viewer.secret });
  await logIn(page, server, viewer.secret);
  await byId(page, "open-more").click();
  await byId(page, "open-access").click();
  await byId(page, "access").getByText("Your token cannot manage tokens").waitFor();
  // Escape closes a page, and the keys go on where it was opened.
  await page.keyboard.press("Escape");
  await byId(page, "access").waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => document.activeElement.id), "open-more");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("what is held of persons of all sites is exported, and erased once the account's id is typed", async () => {
  const { sites } = await server.call("SiteService", "ListSites", { parent: "accounts/demo", orderBy: "display_name" }, token);
  const [first, second] = sites.filter(({ displayName }) => displayName.startsWith("Site"));
  const person = (word) => ({ contact: { email: `${word}@example.org`, lastName: HOSTILE }, note: `The key is at ${word}'s` });
  for (const [{ name }, word] of [[first, "jo"], [first, "kim"], [second, "pat"]]) {
    await server.call("SiteService", "UpdateSite", { site: { name, ...person(word) }, updateMask: "contact,note" }, token);
  }
  const get = ({ name }) => server.call("SiteService", "GetSite", { name }, token);
  const admin = await made({ scope: "TOKEN_SCOPE_ADMIN" });
  const { page, faults } = await openPage({ browser, server, token: admin.secret });
  await logIn(page, server, admin.secret);
  // A site's page lies open below, and shows its person.
  await byId(page, "search").fill(first.displayName);
  await byId(page, "hit").first().click();
  const shown = async () => (await byId(page, "site-panel").textContent()).includes("at kim's");
  await byId(page, "site-panel").getByText("The key is at kim's").waitFor();
  await openAccess(page);
  const download = page.waitForEvent("download");
  await byId(page, "account-export").click();
  const lines = (await readFile(await (await download).path(), "utf8")).trim().split("\n").map((line) => JSON.parse(line));
  const held = lines.filter(({ site }) => site);
  assert.equal(held.length, sites.length);
  assert.equal(held.find(({ site }) => site.name === second.name).site.contact.email, "pat@example.org");
  assert.ok(lines.some(({ change }) => JSON.stringify(change ?? "").includes("at jo's")), "former notes are in it");
  await byId(page, "account-data-done").filter({ hasText: "demo-personal-data.jsonl" }).waitFor();

  const erase = async (typed, location) => {
    await byId(page, "account-erase").click();
    if (location) await byId(page, "account-erase-location").check();
    await byId(page, "account-erase-name").fill(typed);
  };
  await erase("dem", false);
  assert.ok(await byId(page, "account-erase-confirm").isDisabled());
  await byId(page, "account-erase-name").press("Enter");
  await shoot(page, "account-erase", byId(page, "account-erase-form"));
  await byId(page, "account-erase-form").getByRole("button", { name: "Cancel" }).click();
  await page.locator('[data-testid="account-erase"]:focus').waitFor();
  assert.equal((await get(second)).contact.email, "pat@example.org", "nothing is erased unless its id is typed");

  await erase("demo", false);
  await byId(page, "account-erase-confirm").click();
  await byId(page, "account-data-done").filter({ hasText: `Erased from ${sites.length} sites.` }).waitFor();
  await shoot(page, "account-erased", byId(page, "account-data"));
  for (const site of [first, second]) {
    const { contact, note = "", location } = await get(site);
    assert.deepEqual([contact, note, location.confirmed], [{}, "", true], "where it is stays");
  }
  assert.equal(await shown(), false, "the page below is loaded again");
  await erase("demo", true);
  await byId(page, "account-erase-name").press("Enter");
  await byId(page, "account-erase-form").waitFor({ state: "detached" });
  await byId(page, "account-data-done").filter({ hasText: "Erased" }).waitFor();
  assert.ok(!(await get(first)).location.confirmed);
  assert.notEqual(await page.title(), "hit");
  assert.deepEqual(faults, []);
  await page.context().close();
});
