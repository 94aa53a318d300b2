// Two people on one record: each field is merged or becomes a choice, and nothing that was typed is ever lost.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { byId, HOSTILE, launch, logIn, openFirstSite, openPage, shoot } from "./browser.mjs";
import { Server } from "./server.mjs";

const SITES = 12;

let server, token, browser;

before(async () => {
  server = await Server.start();
  token = await server.demo(SITES);
  // A page belongs to one address: the server comes back where it was.
  server.args[server.args.indexOf("--listen") + 1] = new URL(server.url).host;
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

async function openRecord(secret = token) {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, secret);
  const name = await openFirstSite(page);
  await byId(page, "record-edit").click();
  return { page, faults, name };
}

const get = (name) => server.call("SiteService", "GetSite", { name }, token);
const write = (site, updateMask) => server.call("SiteService", "UpdateSite", { site, updateMask }, token);
const field = (page, which) => byId(page, `record-${which}`);
const clash = (page, which) => page.locator(`[data-testid="clash"][data-field="${which}"]`);

test("what others write arrives live: untouched fields follow, touched ones are a choice", async () => {
  const { page, faults, name } = await openRecord();
  await field(page, "note").fill("what I saw");
  await field(page, "customerId").fill("MINE-1");
  await field(page, "firstName").fill("Anna");
  const theirs = { name, note: HOSTILE, customerId: "THEIRS-1", contractId: "K-99" };
  await write(theirs, "note,customerId,contractId");

  await clash(page, "note").waitFor();
  assert.equal(await clash(page, "note").getByTestId("clash-theirs").textContent(), HOSTILE);
  assert.equal(await field(page, "note").inputValue(), "what I saw", "what is typed stays");
  assert.equal(await field(page, "contractId").inputValue(), "K-99", "an untouched field follows");
  await byId(page, "followed").filter({ hasText: "Contract ID" }).waitFor();
  assert.equal(await clash(page, "contractId").count(), 0);
  await shoot(page, "conflict", clash(page, "note"));

  // Nothing goes before each is chosen.
  await byId(page, "record-save").click();
  await byId(page, "error-banner").filter({ hasText: "Somebody changed this site meanwhile" }).waitFor();
  assert.equal((await get(name)).customerId, "THEIRS-1");
  await clash(page, "note").getByTestId("clash-take").click();
  await clash(page, "customerId").getByTestId("clash-mine").click();
  await byId(page, "clashes-open").waitFor({ state: "detached" });
  assert.equal(await field(page, "note").inputValue(), HOSTILE);
  await byId(page, "record-save").click();
  await page.getByText("Saved.", { exact: true }).waitFor();
  const { note, customerId, contractId, contact } = await get(name);
  assert.deepEqual([note, customerId, contractId, contact.firstName], [HOSTILE, "MINE-1", "K-99", "Anna"]);
  assert.notEqual(await page.title(), "hit");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a save that crosses another's is merged, and asks only where both wrote the same field", async () => {
  const { page, faults, name } = await openRecord();
  // The page hears of no change: the conflict is told by the save alone.
  await page.route("**/waymark.v1.MapService/*", (route) => route.abort());
  await field(page, "customerId").fill("C-2");
  await write({ name, contractId: "K-2" }, "contractId");
  await byId(page, "record-save").click();
  await page.getByText("Saved.", { exact: true }).waitFor();
  let site = await get(name);
  assert.deepEqual([site.customerId, site.contractId], ["C-2", "K-2"]);

  await byId(page, "record-edit").click();
  await field(page, "customerId").fill("C-3");
  await write({ name, customerId: "C-4" }, "customerId");
  await byId(page, "record-save").click();
  await clash(page, "customerId").filter({ hasText: "C-4" }).waitFor();
  assert.equal((await get(name)).customerId, "C-4", "nothing of theirs is overwritten unseen");
  await clash(page, "customerId").getByTestId("clash-mine").click();
  await byId(page, "record-save").click();
  await page.getByText("Saved.", { exact: true }).waitFor();
  site = await get(name);
  assert.equal(site.customerId, "C-3");
  assert.deepEqual(faults.filter((fault) => !fault.includes("ERR_FAILED")), []);
  await page.context().close();
});

test("labels are merged by their keys", async () => {
  const { page, faults, name } = await openRecord();
  await write({ name, labels: { tier: "gold", floor: "1" } }, "labels");
  await page.locator('[data-testid="label"]').filter({ hasText: "gold" }).waitFor();
  await byId(page, "labels-edit").click();
  const value = (key) => byId(page, "label-row").filter({ has: page.locator(`input`) }).nth(key).locator("input").nth(1);
  // In the order of their keys: floor, tier.
  await value(1).fill("silver");
  await write({ name, labels: { tier: "bronze", floor: "2", door: "red" } }, "labels");
  await clash(page, "tier").filter({ hasText: "bronze" }).waitFor();
  await clash(page, "tier").getByTestId("clash-mine").click();
  await byId(page, "labels-save").click();
  await byId(page, "label").first().waitFor();
  assert.deepEqual((await get(name)).labels, { door: "red", floor: "2", tier: "silver" });
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("an edit outlives its page, a restart of the server, a revoked token, and asks before it is left", async () => {
  const scope = { parent: "accounts/demo", token: { scope: "TOKEN_SCOPE_EDITOR" } };
  const editor = () => server.call("AdminService", "CreateToken", scope, server.adminToken);
  const made = await editor();
  const { page, name } = await openRecord(made.secret);
  await field(page, "contractId").fill("not saved yet");

  // Another site is opened, and the bar leads back.
  await page.getByRole("button", { name: "Show the whole world" }).click();
  await page.locator(`[data-testid="site-row"]:not([data-site="${name}"])`).first().click();
  await page.waitForFunction((name) => document.querySelector('[data-testid="site-panel"]').dataset.site !== name, name);
  await byId(page, "unsaved").click();
  await field(page, "contractId").waitFor();
  assert.equal(await field(page, "contractId").inputValue(), "not saved yet");

  const link = (kinds) => page.locator(kinds.map((kind) => `[data-testid="link-state"][data-kind="${kind}"]`).join(", "));
  const stopped = server.restart();
  await link(["lost", "connecting"]).waitFor();
  assert.equal(await field(page, "contractId").inputValue(), "not saved yet");
  await stopped;
  await link(["back", "sound"]).waitFor({ state: "attached" });
  assert.equal(await field(page, "contractId").inputValue(), "not saved yet");
  await shoot(page, "unsaved", byId(page, "unsaved"));

  await server.call("AdminService", "RevokeToken", { name: made.token.name }, server.adminToken);
  await byId(page, "login-token").fill((await editor()).secret);
  await byId(page, "login-submit").click();
  await byId(page, "unsaved").click();
  await field(page, "contractId").waitFor();
  assert.equal(await field(page, "contractId").inputValue(), "not saved yet");

  const asked = page.waitForEvent("dialog");
  const reload = page.reload({ timeout: 5_000 }).catch(() => undefined);
  const dialog = await asked;
  assert.equal(dialog.type(), "beforeunload");
  await dialog.dismiss();
  await reload;
  await byId(page, "record-save").click();
  await page.getByText("Saved.", { exact: true }).waitFor();
  assert.equal((await get(name)).contractId, "not saved yet");
  await byId(page, "unsaved").waitFor({ state: "detached" });
  await page.context().close();
});
