// The record of a site in a real browser: each field is shown, edited, and refused in words; a new name shows everywhere.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { byId, HOSTILE, launch, logIn, openFirstSite, openFound, openPage, shoot, siteName } from "./browser.mjs";
import { ROOT, Server } from "./server.mjs";

const SITES = 20;
const ASN = path.join(ROOT, "data/built/asn.mmdb");
const NOTE_BYTES_MAX = 65_536;

let server, token, browser;

before(async () => {
  server = await Server.start(["--geoip", ASN]);
  token = await server.demo(SITES);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

async function openSite(viewport) {
  const { page, faults } = await openPage({ browser, server, token }, viewport);
  await logIn(page, server, token);
  const name = await openFirstSite(page);
  await byId(page, "site-position").waitFor();
  return { page, faults, name };
}

const get = (name) => server.call("SiteService", "GetSite", { name }, token);
const shown = (page, label) => page.locator(`[data-testid="record-value"][data-label="${label}"]`);
const textOf = (page, label) => shown(page, label).textContent();

test("what machines know of a site is shown", async () => {
  const { page, faults, name } = await openSite();
  const site = await get(name);
  assert.equal(await textOf(page, "Agent"), site.agentId);
  assert.equal(await textOf(page, "Public IP"), site.publicIp);
  const { asn, isp, network } = site.network;
  const parts = await textOf(page, "Network");
  for (const part of [isp, `AS${asn}`, network]) assert.ok(part && parts.includes(part), `${part} in ${parts}`);
  const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "short", timeZone: site.timeZone });
  const [zone, time] = (await textOf(page, "Time zone")).split(/ \(| there\)/);
  assert.equal(zone, site.timeZone);
  const minutes = (text) => text.split(":").reduce((hours, minutes) => Number(hours) * 60 + Number(minutes), 0);
  const late = (minutes(clock.format(Date.now())) - minutes(time) + 1_440) % 1_440;
  assert.ok(late <= 1, `${time} is ${late} minutes old`);
  assert.match(await textOf(page, "Activated"), /^\d+ \w+ \d{4}, \d\d:\d\d$/);
  assert.match(await textOf(page, "Last seen"), /\d\d:\d\d \(.+\)$/);
  await shoot(page, "location", byId(page, "site-source"));
  await shoot(page, "record", shown(page, "Changed"));
  // The legend is folded where it would lie on sites.
  const legend = () => byId(page, "legend").evaluate((details) => details.open);
  assert.equal(await legend(), false);
  await page.setViewportSize({ width: 1700, height: 900 });
  await page.waitForFunction(() => document.querySelector('[data-testid="legend"]').open);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.waitForFunction(() => !document.querySelector('[data-testid="legend"]').open);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("all that people say is edited in place, and a new name shows everywhere", async () => {
  const { page, faults, name } = await openSite({ width: 1280, height: 1000 });
  await byId(page, "record-edit").click();
  const texts = {
    displayName: "Harbour Office 7", firstName: "Anna", lastName: HOSTILE, email: "anna@example.org",
    customerId: "C-0017", contractId: "K/2026-9", note: `Key at the desk.\n${HOSTILE}`,
  };
  for (const [field, text] of Object.entries(texts)) await byId(page, `record-${field}`).fill(text);
  await byId(page, "record-status").selectOption({ label: "Maintenance" });
  for (const index of [0, 1]) {
    await byId(page, "phone-add").click();
    await byId(page, `phone-number-${index}`).fill(`+354 545 100${index}`);
  }
  await byId(page, "phone-kind-1").selectOption({ label: "mobile" });
  await byId(page, "phone-extension-0").fill("12");
  await shoot(page, "record-edit", byId(page, "record-save"));
  await byId(page, "record-save").click();
  await page.getByText("Saved.", { exact: true }).waitFor();

  const { contact, status, ...site } = await get(name);
  const said = { ...contact, displayName: site.displayName, customerId: site.customerId, contractId: site.contractId };
  const { phones, ...rest } = { ...said, note: site.note };
  assert.deepEqual(rest, texts);
  assert.deepEqual(phones, [
    { number: "+3545451000", kind: "PHONE_KIND_WORK", extension: "12" },
    { number: "+3545451001", kind: "PHONE_KIND_MOBILE" },
  ]);
  assert.equal(status, "SITE_STATUS_MAINTENANCE");
  const lines = (await textOf(page, "Contact")).split("\n");
  assert.deepEqual(lines.slice(0, 2), [`Anna ${HOSTILE}`, "anna@example.org"]);
  assert.match(lines[2], /^\+3545451000 ext\. 12 work/);
  assert.equal(await textOf(page, "Note"), texts.note);
  assert.equal(await shown(page, "Note").locator("img").count(), 0);

  await byId(page, "site-name").filter({ hasText: texts.displayName }).waitFor();
  await byId(page, "site-row").filter({ hasText: texts.displayName }).waitFor();
  // The map stands at the site, whose name is drawn below it.
  await page.waitForFunction(
    (name) => JSON.parse(document.querySelector('[data-testid="map"]').dataset.names ?? "[]").includes(name),
    texts.displayName,
  );
  await byId(page, "search").fill("harbour off");
  await byId(page, "hit").filter({ hasText: texts.displayName }).waitFor();
  await byId(page, "search").press("Escape");
  await shoot(page, "record-saved", byId(page, "record-edit"));
  await byId(page, "history").locator("summary").click();
  await byId(page, "history-change").first().waitFor();
  await shoot(page, "history", byId(page, "history-change"));
  assert.notEqual(await page.title(), "hit");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("what a field cannot hold is told, and nothing that was typed is lost", async () => {
  const { page, name } = await openSite({ width: 390, height: 844 });
  const before = await get(name);
  const rows = await server.call("SiteService", "ListSites", { parent: "accounts/demo" }, token);
  const other = rows.sites.find((site) => siteName(site.name) !== name);
  await byId(page, "record-edit").click();
  const refused = async (field, text, words) => {
    const input = byId(page, `record-${field}`);
    const kept = await input.inputValue();
    await input.fill(text);
    await byId(page, "record-save").click();
    await byId(page, "error-banner").filter({ hasText: words }).waitFor();
    assert.equal(await input.inputValue(), text);
    await input.fill(kept);
  };
  await byId(page, "record-note").fill("typed before");
  await refused("displayName", other.displayName.toUpperCase(), "name");
  await shoot(page, "record-refused", byId(page, "error-banner"));
  // What is no address the browser tells itself.
  await byId(page, "record-email").fill("anna");
  await byId(page, "record-save").click();
  assert.ok(await byId(page, "record-email").evaluate((input) => input.matches(":invalid")));
  await byId(page, "record-email").fill("");
  // Bytes, whatever the letters; and twice as many bytes are not sent at all. (Of ten megabytes the page would hear of a connection that ended; a text box takes a minute for them.)
  let sent = 0;
  page.on("request", (request) => (sent += Number(request.url().endsWith("/UpdateSite"))));
  await refused("note", "þ".repeat(NOTE_BYTES_MAX / 2 + 1), `Note: at most ${NOTE_BYTES_MAX} bytes, got ${NOTE_BYTES_MAX + 2}`);
  const long = `${"x".repeat(127)}\n`.repeat((2 * NOTE_BYTES_MAX) / 128);
  await refused("note", long, `got ${long.length}`);
  assert.equal(sent, 0);
  await byId(page, "phone-add").click();
  const index = (before.contact?.phones ?? []).length;
  await byId(page, `phone-number-${index}`).fill("+999 1");
  await byId(page, "record-save").click();
  await byId(page, "phone-fault").waitFor();
  assert.equal(await byId(page, "record-note").inputValue(), "typed before");
  assert.equal((await get(name)).etag, before.etag, "nothing of it was written");
  await page.context().close();
});

test("a token that masks contacts shows neither them nor the note, and changes the rest", async () => {
  const contact = { email: "anna@example.org", firstName: "Anna" };
  const { sites } = await server.call("SiteService", "ListSites", { parent: "accounts/demo" }, token);
  const { name, displayName } = sites.at(-1);
  const site = { name, contact, note: "The key lies under the third stone." };
  await server.call("SiteService", "UpdateSite", { site, updateMask: "contact,note" }, token);
  const scope = { scope: "TOKEN_SCOPE_EDITOR", contacts: "CONTACT_ACCESS_MASKED" };
  const made = await server.call("AdminService", "CreateToken", { parent: "accounts/demo", token: scope }, server.adminToken);
  const { page, faults } = await openPage({ browser, server, token: made.secret });
  await logIn(page, server, made.secret);
  await byId(page, "search").fill(displayName);
  await byId(page, "hit").filter({ hasText: displayName }).first().click();
  await byId(page, "record-masked").filter({ hasText: "contacts and notes" }).waitFor();
  assert.equal(await textOf(page, "Note"), "•••");
  await shoot(page, "record-masked", byId(page, "record-masked"));
  await byId(page, "record-edit").click();
  assert.ok(await byId(page, "record-note").isDisabled() && await byId(page, "record-email").isDisabled());
  await byId(page, "record-customerId").fill("C-0099");
  await shoot(page, "record-masked-edit", byId(page, "record-save"));
  await byId(page, "record-save").click();
  await page.getByText("Saved.", { exact: true }).waitFor();
  const now = await get(name);
  assert.deepEqual([now.customerId, now.note, now.contact.email], ["C-0099", site.note, contact.email]);
  await byId(page, "history").locator("summary").click();
  await page.locator('[data-testid="history-edit"][data-field="note"]').first().waitFor();
  assert.doesNotMatch(await page.content(), /third stone|anna@example/);
  await shoot(page, "history-masked", page.locator('[data-testid="history-edit"][data-field="note"]'));
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("what machines report is in the history: the network that a site comes from, and its devices", async () => {
  const parent = "accounts/demo";
  const ask = (service, method, request) => server.call(service, method, request, server.adminToken);
  const { name } = await ask("SiteService", "CreateSite", { parent, site: { displayName: "Told by machines" } });
  const report = { site: name, status: "SITE_STATUS_ONLINE", publicIp: "213.167.128.1" };
  await ask("ActivationService", "BatchReportStatus", { parent, reports: [report] });
  const cam = { id: "cam", displayName: `Camera ${HOSTILE}`, kind: "camera", canPower: true };
  const tv = { id: "tv" };
  await ask("ResidentAccessService", "ReportDevices", { parent: name, devices: [cam, tv] });
  await ask("SiteService", "UpdateSite", { site: { name, note: "a person" }, updateMask: "note" });
  await ask("ResidentAccessService", "ReportDevices", { parent: name, devices: [{ ...cam, canBlock: true }] });

  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await openFound(page, "Told by machines");
  await byId(page, "history").locator("summary").click();
  await byId(page, "history-change").nth(2).waitFor();
  const told = async (at) => {
    const rows = byId(page, "history-change").nth(at).locator('[data-testid="history-edit"]');
    const texts = await rows.evaluateAll((all) => all.map((row) => row.textContent.replace(/\s+/g, " ").trim()));
    assert.equal(await rows.locator('[data-testid="history-restore"]').count(), 0, "what machines say is not put back");
    return texts;
  };
  const camera = `Camera ${HOSTILE}, camera, power can be switched`;
  const last = await told(0);
  for (const line of ["Devices 2 → 1", `Device cam ${camera} → ${camera}, internet can be blocked`, "Device tv tv → —"]) {
    assert.ok(last.includes(line), `${line} in ${last.join("\n")}`);
  }
  const { network } = await get(name);
  assert.ok(network.isp && network.asn);
  const first = await told(2);
  for (const line of [`Network (ASN) — → ${network.asn}`, `Provider (ISP) — → ${network.isp}`, `Device cam — → ${camera}`]) {
    assert.ok(first.includes(line), `${line} in ${first.join("\n")}`);
  }
  await shoot(page, "history-devices", byId(page, "history-change").first());
  await shoot(page, "history-network", byId(page, "history-change").nth(2));
  assert.notEqual(await page.title(), "hit");
  assert.deepEqual(faults, []);
  await page.context().close();
});
