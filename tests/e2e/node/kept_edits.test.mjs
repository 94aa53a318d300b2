// What becomes of unsaved edits when a token ends and another one signs in: whoever may save them goes on, whoever may not is told of
// them, and nobody is shown what the token is not.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { byId, launch, logIn, openPage, ownFaults, shoot, typeNote, typeToken } from "./browser.mjs";
import { Server } from "./server.mjs";

const TYPED = "typed and not saved when the token ended";

let server, token, browser;

before(async () => {
  server = await Server.bare();
  token = await server.fill(12);
  const account = { accountId: "other", account: { displayName: "Other" } };
  await server.call("AdminService", "CreateAccount", account, server.adminToken);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A new token; its secret, and its name to revoke it by. */
async function make(scope, more = {}, account = "demo") {
  const request = { parent: `accounts/${account}`, token: { scope: `TOKEN_SCOPE_${scope}`, ...more } };
  const made = await server.call("AdminService", "CreateToken", request, server.adminToken);
  return { secret: made.secret, name: made.token.name };
}

/** Ends the token of a page, and waits until it asks for another one. */
async function end(page, made) {
  await server.call("AdminService", "RevokeToken", { name: made.name }, server.adminToken);
  await byId(page, "login-token").waitFor({ timeout: 60_000 });
}

/** A page of an editor with a note that is typed and not saved; the site's name. */
async function editing() {
  const made = await make("EDITOR");
  const { page, faults } = await openPage({ browser, server, token: made.secret });
  await logIn(page, server, made.secret);
  const name = await typeNote(page, TYPED);
  return { page, faults, made, name };
}

/** All that the page holds, typed texts and texts in fields with it. */
const allTexts = (page) =>
  page.evaluate(() => {
    const fields = [...document.querySelectorAll("input, textarea")].map(({ value }) => value);
    return [document.documentElement.outerHTML, ...fields].join("\n");
  });

async function saveNote(page, name) {
  assert.equal(await byId(page, "record-note").inputValue(), TYPED);
  await byId(page, "record-save").click();
  await byId(page, "record-note").waitFor({ state: "detached" });
  assert.equal((await server.call("SiteService", "GetSite", { name }, token)).note, TYPED);
  await byId(page, "unsaved").waitFor({ state: "detached" });
}

const clearNote = (name) => server.call("SiteService", "UpdateSite", { site: { name, note: "" }, updateMask: "note" }, token);

test("a token of other rights that may save the edit goes on with it", async () => {
  const { page, faults, made, name } = await editing();
  await end(page, made);
  await typeToken(page, (await make("ADMIN")).secret);
  await byId(page, "record-note").waitFor();
  assert.equal(await byId(page, "kept-readable").count(), 0);
  await saveNote(page, name);
  assert.deepEqual(ownFaults(faults), []);
  await clearNote(name);
  await page.context().close();
});

test("a viewer is told of the edits and may copy them, and the next editor saves them", async () => {
  const { page, faults, made, name } = await editing();
  await end(page, made);
  const viewer = await make("VIEWER");
  await typeToken(page, viewer.secret);
  await byId(page, "kept-readable").getByText("Unsaved edits of 1 site are kept in this tab, but this token cannot save them.").waitFor();
  await byId(page, "site-panel").waitFor();
  assert.equal(await byId(page, "record-note").count(), 0, "there is no form for a viewer");
  assert.equal(await byId(page, "unsaved").count(), 0);
  await page.locator("details", { has: byId(page, "kept-text") }).locator("summary").click();
  const { displayName } = await server.call("SiteService", "GetSite", { name }, token);
  assert.deepEqual((await byId(page, "kept-text").inputValue()).split("\n"), [displayName, `Note: ${TYPED}`], "by the site's name");
  await shoot(page, "kept-readable", byId(page, "kept-text"));

  // Reloading would lose them, and asks.
  const asked = page.waitForEvent("dialog");
  const reload = page.reload({ timeout: 5_000 }).catch(() => undefined);
  const dialog = await asked;
  assert.equal(dialog.type(), "beforeunload");
  await dialog.dismiss();
  await reload;

  await end(page, viewer);
  await typeToken(page, (await make("EDITOR")).secret);
  await byId(page, "record-note").waitFor();
  assert.equal(await byId(page, "kept-readable").count(), 0);
  await saveNote(page, name);
  assert.deepEqual(ownFaults(faults), []);
  await clearNote(name);
  await page.context().close();
});

for (const { who, token: next } of [
  { who: "another account", token: () => make("EDITOR", {}, "other") },
  { who: "somebody who does not see contacts", token: () => make("EDITOR", { contacts: "CONTACT_ACCESS_MASKED" }) },
]) {
  test(`a token of ${who} is not shown what was typed, and a token like the first one finds it`, async () => {
    const { page, faults, made, name } = await editing();
    await end(page, made);
    const other = await next();
    await typeToken(page, other.secret);
    await byId(page, "kept-hidden").getByText("Unsaved edits of 1 site are kept in this tab, but this token may not see them.").waitFor();
    assert.equal(await byId(page, "kept-readable").count(), 0);
    assert.equal(await byId(page, "unsaved").count(), 0);
    assert.ok(!(await allTexts(page)).includes(TYPED));
    await shoot(page, "kept-hidden");
    await end(page, other);
    await typeToken(page, (await make("EDITOR")).secret);
    await byId(page, "unsaved").click();
    await byId(page, "record-note").waitFor();
    await saveNote(page, name);
    assert.equal(await byId(page, "kept-hidden").count(), 0);
    assert.deepEqual(ownFaults(faults), []);
    await clearNote(name);
    await page.context().close();
  });
}

test("a form in which nothing is typed is closed with its page, and one that holds an edit is not", async () => {
  const { page, faults, name } = await editing();
  await byId(page, "labels-edit").click();
  await byId(page, "labels-save").waitFor();
  await page.getByRole("button", { name: "Show the whole world" }).click();
  await page.locator(`[data-testid="site-row"]:not([data-site="${name}"])`).first().click();
  await page.waitForFunction((name) => document.querySelector('[data-testid="site-panel"]').dataset.site !== name, name);
  await byId(page, "unsaved").click();
  await byId(page, "record-note").waitFor();
  assert.equal(await byId(page, "record-note").inputValue(), TYPED);
  assert.equal(await byId(page, "labels-save").count(), 0);
  await saveNote(page, name);
  assert.deepEqual(faults, []);
  await clearNote(name);
  await page.context().close();
});

test("what was put aside goes when that is wished, and only then", async () => {
  const { page, made } = await editing();
  await end(page, made);
  await typeToken(page, (await make("VIEWER")).secret);
  await byId(page, "kept-readable").waitFor();
  page.once("dialog", (dialog) => dialog.dismiss());
  await byId(page, "kept-discard").click();
  await byId(page, "kept-readable").waitFor();
  page.once("dialog", (dialog) => dialog.accept());
  await byId(page, "kept-discard").click();
  await byId(page, "kept-readable").waitFor({ state: "detached" });
  await page.context().close();
});
