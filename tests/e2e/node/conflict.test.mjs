// Two people on one record: each field is merged or becomes a choice, and nothing that was typed is ever lost.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { byId, HOSTILE, launch, linkIs, logIn, openFirstSite, openPage, shoot } from "./browser.mjs";
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

test("the resident's access is merged part by part, asks where both chose, and stays while another site is open", async () => {
  const { page, faults, name } = await openRecord();
  const ask = (method, request) => server.call("ResidentAccessService", method, request, server.adminToken);
  const access = () => ask("GetResidentAccess", { name: `${name}/residentAccess` });
  const change = async (fields, updateMask) =>
    ask("UpdateResidentAccess", { residentAccess: { name: `${name}/residentAccess`, etag: (await access()).etag, ...fields }, updateMask });
  const devices = [
    { id: "cam", displayName: "Camera", kind: "camera", canPower: true },
    { id: "tv", displayName: "Television", kind: "tv", canBlock: true },
  ];
  await ask("ReportDevices", { parent: name, devices });
  await byId(page, "resident").locator("summary").click();
  await byId(page, "resident-edit").click();
  const email = byId(page, "resident-email");
  const boxes = (device) => page.locator(`[data-testid="resident-device"][data-device="${device}"]`).getByRole("checkbox");
  await email.fill("mine@example.org");
  await boxes("tv").nth(0).check();
  const devicePermissions = [{ deviceId: "cam", visible: true }, { deviceId: "tv", visible: true, block: true }];
  const theirs = { ownerEmail: "theirs@example.org", enabled: true, devicePermissions };
  await change(theirs, "ownerEmail,enabled,devicePermissions");

  await clash(page, "ownerEmail").filter({ hasText: "theirs@example.org" }).waitFor();
  assert.equal(await clash(page, "device tv").getByTestId("clash-theirs").textContent(), "See, Block");
  assert.match(await clash(page, "device tv").textContent(), /Somebody else changed Television/);
  assert.equal(await email.inputValue(), "mine@example.org", "what is typed stays");
  assert.ok(await boxes("cam").nth(0).isChecked(), "a device that nobody touched follows");
  assert.ok(await byId(page, "resident-enabled").isChecked());
  await byId(page, "followed").filter({ hasText: /Access is on.*Camera/ }).waitFor();
  await shoot(page, "conflict-resident", clash(page, "ownerEmail"));

  // Another site is opened, and the bar leads back: nothing is lost.
  await page.getByRole("button", { name: "Show the whole world" }).click();
  await page.locator(`[data-testid="site-row"]:not([data-site="${name}"])`).first().click();
  await page.locator(`[data-testid="site-panel"]:not([data-site="${name}"])`).waitFor();
  await byId(page, "unsaved").click();
  await clash(page, "ownerEmail").waitFor();
  assert.equal(await email.inputValue(), "mine@example.org");
  await byId(page, "resident-save").click();
  await byId(page, "error-banner").filter({ hasText: "Somebody changed this access meanwhile" }).waitFor();
  assert.equal((await access()).ownerEmail, "theirs@example.org", "nothing of theirs is overwritten unseen");
  await clash(page, "ownerEmail").getByTestId("clash-mine").click();
  await clash(page, "device tv").getByTestId("clash-take").click();
  await byId(page, "resident-save").click();
  await byId(page, "resident-owner").filter({ hasText: "mine@example.org" }).waitFor();
  const { ownerEmail, enabled, devicePermissions: saved } = await access();
  assert.deepEqual([ownerEmail, enabled, saved], ["mine@example.org", true, devicePermissions]);

  // A save that crosses another's is merged.
  await page.route("**/waymark.v1.MapService/*", (route) => route.abort());
  await byId(page, "resident-edit").click();
  await byId(page, "resident-enabled").uncheck();
  await change({ ownerEmail: "new@example.org" }, "ownerEmail");
  await byId(page, "resident-save").click();
  await byId(page, "resident-owner").filter({ hasText: "new@example.org" }).waitFor();
  const merged = await access();
  assert.deepEqual([merged.ownerEmail, merged.enabled ?? false], ["new@example.org", false]);
  assert.deepEqual(faults.filter((fault) => !fault.includes("ERR_FAILED")), []);
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

  const stopped = server.restart();
  await linkIs(page, "lost", "connecting");
  assert.equal(await field(page, "contractId").inputValue(), "not saved yet");
  await stopped;
  await linkIs(page, "back", "sound");
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
