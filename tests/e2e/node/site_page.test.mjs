// The page of a site in a real browser: its labels, its ticketing links, and its resident, from invitation to acceptance.
import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { byId, HOSTILE, launch, logIn, openFirstSite, openFound, openPage, openResidentOf, shoot } from "./browser.mjs";
import { MailServer } from "./mail.mjs";
import { clock, Server } from "./server.mjs";

const SITES = 20;
/** Fewer than the last test lets go by. */
const RAW_IP_DAYS = 7;

let server, token, browser, mail, dir;

before(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "waymark-mail-"));
  mail = await MailServer.start(dir);
  await appendFile(mail.config, `\n[service]\nraw_ip_days = ${RAW_IP_DAYS}\n`);
  server = await Server.start(["--config", mail.config]);
  token = await server.demo(SITES);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await mail?.stop();
  if (dir) await rm(dir, { recursive: true, force: true });
});

async function openSite() {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  const name = await openFirstSite(page);
  await byId(page, "site-position").waitFor();
  return { page, faults, name };
}

const openResident = (displayName) => openResidentOf({ browser, server, token }, displayName);

test("labels are added, changed and removed, and text is text", async () => {
  const { page, faults, name } = await openSite();
  const site = () => server.call("SiteService", "GetSite", { name }, token);
  await byId(page, "labels-edit").click();
  const rows = byId(page, "label-row");
  for (let left = await rows.count(); left > 0; left -= 1) await rows.first().getByRole("button").click();
  for (const [key, value] of [["region", "north"], ["note", HOSTILE]]) {
    await byId(page, "labels-add").click();
    const inputs = rows.last().locator("input");
    await inputs.nth(0).fill(key);
    await inputs.nth(1).fill(value);
  }
  await shoot(page, "labels-edit", byId(page, "labels-save"));
  await byId(page, "labels-save").click();
  await byId(page, "label").first().waitFor();
  await shoot(page, "labels", byId(page, "label"));
  assert.deepEqual((await site()).labels, { note: HOSTILE, region: "north" });
  assert.deepEqual(await byId(page, "label").allTextContents(), [`note${HOSTILE}`, "regionnorth"]);

  // What somebody else changed elsewhere meanwhile keeps it from nothing, and stays.
  await byId(page, "labels-edit").click();
  await rows.last().locator("input").nth(1).fill("south");
  await server.call("SiteService", "UpdateSite", { site: { name, customerId: "C-7" }, updateMask: "customerId" }, token);
  await byId(page, "labels-save").click();
  await byId(page, "label").first().waitFor();
  assert.equal((await site()).customerId, "C-7");
  assert.equal((await site()).labels.region, "south");
  assert.notEqual(await page.title(), "hit");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("ticketing links are set and taken away, and a wrong id is told so", async () => {
  const { page, faults, name } = await openSite();
  const site = () => server.call("SiteService", "GetSite", { name }, token);
  await byId(page, "links-edit").click();
  const field = (which, nth = 0) => byId(page, `link-${which}`).nth(nth);
  await field("system").fill("Zendesk");
  await field("organizationId").fill("no number");
  await field("organizationName").fill(HOSTILE);
  await field("uri").fill("https://acme.zendesk.com/agent/organizations/17");
  // What somebody else writes before a save that is refused is not overwritten by the next one.
  await server.call("SiteService", "UpdateSite", { site: { name, contractId: "K-7" }, updateMask: "contractId" }, token);
  await byId(page, "links-save").click();
  await byId(page, "error-banner").filter({ hasText: "Organisation’s ID (1): the id of a Zendesk organization" }).waitFor();
  await field("organizationId").fill("17");
  // Any other system is called as one likes.
  await byId(page, "links-add").click();
  const far = { externalSiteId: "attic", externalSiteName: "The <i>attic" };
  const ours = { system: "Our own desk", organizationId: "no. 4 <b>", organizationName: "Ours", ...far };
  for (const [which, text] of Object.entries(ours)) await field(which, 1).fill(text);
  await shoot(page, "links-by-hand", byId(page, "links-save"));
  await byId(page, "links-save").click();
  const link = byId(page, "link").first();
  await link.waitFor();
  // A name of one's own is kept in small letters, like those of the systems that are known.
  await byId(page, "link").nth(1).filter({ hasText: /our own desk.*Ours.*ID no\. 4 <b> · Site The <i>attic/s }).waitFor();
  await shoot(page, "links-saved", byId(page, "link"));
  assert.match(await link.textContent(), /Zendesk.*Not verified.*<img/s);
  assert.equal(await link.locator("a").getAttribute("rel"), "noopener noreferrer");
  assert.equal((await site()).contractId, "K-7");
  const [{ system, organizationId, state }, { state: _, ...other }] = (await site()).ticketingLinks;
  assert.deepEqual(other, { ...ours, system: "our own desk" });
  assert.deepEqual([system, organizationId, state], ["zendesk", "17", "TICKETING_LINK_STATE_UNVERIFIED"]);
  await byId(page, "links-edit").click();
  for (const nth of [1, 0]) await byId(page, "link-remove").nth(nth).click();
  await byId(page, "links-save").click();
  await page.getByText("Not linked to any ticketing system.").waitFor();
  assert.deepEqual((await site()).ticketingLinks ?? [], []);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a resident is no user of the account, may block what can be blocked, and is let in while access is on", async () => {
  const ask = (service, method, request) => server.call(service, method, request, server.adminToken);
  const account = { name: "accounts/demo", userEmails: ["staff@example.org"] };
  await ask("AdminService", "UpdateAccount", { account, updateMask: "userEmails" });
  const { sites } = await ask("SiteService", "ListSites", { parent: account.name, orderBy: "display_name" });
  const { name, displayName } = sites.at(-2);
  const devices = [{ id: "tv", displayName: "Television", kind: "tv", canBlock: true }];
  await ask("ResidentAccessService", "ReportDevices", { parent: name, devices });
  const access = () => ask("ResidentAccessService", "GetResidentAccess", { name: `${name}/residentAccess` });

  const { page, faults, isShown } = await openResident(displayName);
  await byId(page, "resident-edit").click();
  const email = byId(page, "resident-email");
  // Without an address nothing is sent: the browser asks for it.
  await byId(page, "resident-save").click();
  assert.ok(await email.evaluate((input) => input.validity.valueMissing));
  await email.fill("Staff@Example.org");
  await byId(page, "resident-enabled").check();
  const boxes = page.locator('[data-testid="resident-device"][data-device="tv"]').getByRole("checkbox");
  assert.ok(await boxes.nth(1).isDisabled(), "the television's power cannot be switched");
  for (const nth of [0, 2]) await boxes.nth(nth).check();
  await byId(page, "resident-save").click();
  await byId(page, "error-banner").filter({ hasText: "Resident's e-mail: this is the address of a user of the account" }).waitFor();
  await shoot(page, "resident-refused", byId(page, "resident-save"));
  assert.equal((await access()).state, "RESIDENT_ACCESS_STATE_NONE");
  assert.ok(await boxes.nth(2).isChecked(), "what was chosen stays");
  await email.fill("kim@example.org");
  await byId(page, "resident-save").click();
  await isShown("Ready to invite.");
  await shoot(page, "resident-block", byId(page, "resident-invite"));
  assert.deepEqual((await access()).devicePermissions, [{ deviceId: "tv", visible: true, block: true }]);

  await byId(page, "resident-invite").click();
  await isShown("Invited");
  const { code } = await mail.to("kim@example.org");
  await byId(page, "resident-edit").click();
  await byId(page, "resident-enabled").uncheck();
  await byId(page, "resident-save").click();
  await isShown("Access is off.");
  await shoot(page, "resident-off", byId(page, "resident-edit"));
  const guest = await openPage({ browser, server, token }, { width: 420, height: 800 });
  const accept = async () => {
    await guest.page.goto("about:blank");
    await guest.page.goto(`${server.url}/invitation#${code}`);
    await byId(guest.page, "accept").click();
  };
  await accept();
  await byId(guest.page, "fault").waitFor();
  await shoot(guest.page, "invitation-off");
  assert.equal((await access()).state, "RESIDENT_ACCESS_STATE_INVITED");
  await byId(page, "resident-edit").click();
  await byId(page, "resident-enabled").check();
  await byId(page, "resident-save").click();
  await byId(page, "resident-state").filter({ hasNotText: "Access is off." }).waitFor();
  await accept();
  await byId(guest.page, "done").waitFor();
  assert.match(await byId(guest.page, "devices").textContent(), /Television.*block its internet/);
  assert.ok(await byId(guest.page, "support").isHidden(), "the account names nobody to ask");
  await shoot(guest.page, "invitation-block");
  assert.deepEqual(faults, []);
  await guest.page.context().close();
  await page.context().close();
});

test("a resident is invited, accepts by the link of the mail, once, and is shown out again", async () => {
  const account = { name: "accounts/demo", displayName: `Home Desk ${HOSTILE}`, supportContact: `+354 555 1234 ${HOSTILE}` };
  await server.call("AdminService", "UpdateAccount", { account, updateMask: "displayName,supportContact" }, server.adminToken);
  const { page, faults, name } = await openSite();
  const devices = [
    { id: "cam", displayName: HOSTILE, kind: "camera", canPower: true },
    { id: "tv", displayName: "Television", kind: "tv", canBlock: true },
  ];
  await server.call("ResidentAccessService", "ReportDevices", { parent: name, devices }, server.adminToken);
  await byId(page, "resident").locator("summary").click();
  const isShown = (text) => byId(page, "resident-state").filter({ hasText: text }).waitFor();
  await isShown("Not set up.");
  await shoot(page, "resident-none", byId(page, "resident-edit"));
  await byId(page, "resident-edit").click();
  await byId(page, "resident-email").fill("jo@example.org");
  await byId(page, "resident-enabled").check();
  const camera = page.locator('[data-testid="resident-device"][data-device="cam"]').getByRole("checkbox");
  await camera.nth(0).check();
  await camera.nth(1).check();
  assert.ok(await camera.nth(2).isDisabled(), "the camera's internet cannot be blocked");
  await shoot(page, "resident-edit", byId(page, "resident-save"));
  await byId(page, "resident-save").click();
  await isShown("Ready to invite.");
  await shoot(page, "resident-ready", byId(page, "resident-invite"));
  // Whoever only reads sees what the resident may do, too.
  const may = page.locator('[data-testid="resident-device"][data-device="cam"] [data-may]');
  assert.deepEqual(await may.evaluateAll((cells) => cells.map((cell) => cell.dataset.may)), ["visible", "power"]);
  assert.equal(await byId(page, "resident-devices").getByRole("checkbox").count(), 0);
  await byId(page, "resident-invite").click();
  await isShown("Invited");
  const { code } = await mail.to("jo@example.org");
  // The page looks again while a mail waits.
  await byId(page, "resident-state").filter({ hasText: "The mail was sent." }).waitFor();
  await shoot(page, "resident-invited", byId(page, "resident-revoke"));

  const guest = await openPage({ browser, server, token }, { width: 420, height: 800 });
  await guest.page.goto(`${server.url}/invitation#${code}`);
  const access = () => {
    return server.call("ResidentAccessService", "GetResidentAccess", { name: `${name}/residentAccess` }, token);
  };
  assert.equal((await access()).state, "RESIDENT_ACCESS_STATE_INVITED", "opening the page accepts nothing");
  await shoot(guest.page, "invitation");
  assert.ok(!(await guest.page.content()).includes("Home Desk"), "who invited is told to who accepted");
  assert.equal(new URL(guest.page.url()).hash, "", "the code stands in the address no more");
  // The answer of the first try is lost on its way: the server let the resident in, and the page does not know it.
  const lose = async (route) => {
    await route.fetch();
    await route.abort("connectionreset");
  };
  await guest.page.route("**/invitation/redeem", lose, { times: 1 });
  await byId(guest.page, "accept").click();
  await byId(guest.page, "fault").filter({ hasText: "try again within ten minutes" }).waitFor();
  await shoot(guest.page, "invitation-lost");
  assert.equal((await access()).state, "RESIDENT_ACCESS_STATE_ACCEPTED");
  await byId(guest.page, "accept").click();
  await byId(guest.page, "done").waitFor();
  await shoot(guest.page, "invitation-accepted");
  assert.match(await byId(guest.page, "done").textContent(), /You now have access to .*, from\s+Home Desk/s);
  assert.equal(await byId(guest.page, "account").textContent(), account.displayName);
  assert.equal(await byId(guest.page, "support").textContent(), `Questions: ${account.supportContact}`);
  assert.equal(await byId(guest.page, "devices").textContent(), `${HOSTILE}: you may switch its power`);
  assert.match(await byId(guest.page, "key").inputValue(), /^wmk_/);
  await isShown("Accepted.");
  await shoot(page, "resident-accepted", byId(page, "resident-revoke"));

  // The link works once.
  await guest.page.goto("about:blank");
  await guest.page.goto(`${server.url}/invitation#${code}`);
  await byId(guest.page, "accept").click();
  await byId(guest.page, "fault").filter({ hasText: "does not work any more" }).waitFor();
  assert.notEqual(await guest.page.title(), "hit");
  // The browser itself tells of the 404 that the page asked for, and of the answer that was lost.
  const told = guest.faults.filter((fault) => !/status of 404|ERR_CONNECTION_RESET/.test(fault));
  assert.deepEqual(told, []);

  await byId(page, "resident-revoke").click();
  await isShown("Revoked.");
  await shoot(page, "resident-revoked", byId(page, "resident-invite"));
  assert.deepEqual(faults, []);
  await guest.page.context().close();
  await page.context().close();
});

test("what a site holds of persons is exported, and erased after a second question, by an administrator alone", async () => {
  const { sites } = await server.call("SiteService", "ListSites", { parent: "accounts/demo", orderBy: "display_name" }, token);
  const { name, displayName } = sites.at(-3);
  const contact = { email: "jo@example.org", firstName: "Jo", lastName: HOSTILE };
  const update = (site, updateMask) => server.call("SiteService", "UpdateSite", { site: { name, ...site }, updateMask }, token);
  await update({ contact, note: "The key is at Jo's" }, "contact,note");
  await update({ customerId: "C-1", note: "The key is at Kim's" }, "customerId,note");
  const locate = (method, request) => server.call("LocationService", method, { site: name, ...request }, token);
  await locate("SetAddress", { addressLine: "Xyzzyqwv Plughkjh 99999" });
  await locate("SetPin", { position: { lat: 47.12345, lng: 8.54321 } });
  const residentAccess = { name: `${name}/residentAccess`, ownerEmail: "owner@example.org", enabled: true };
  await server.call("ResidentAccessService", "UpdateResidentAccess", { residentAccess, updateMask: "ownerEmail,enabled" }, token);
  const open = async (token) => {
    const { page, faults } = await openPage({ browser, server, token });
    await logIn(page, server, token);
    await openFound(page, displayName);
    return { page, faults };
  };
  const editor = await open(token);
  await byId(editor.page, "history").waitFor();
  assert.equal(await byId(editor.page, "personal-data").count(), 0, "an editor does not answer to persons");
  await editor.page.context().close();

  const admin = { parent: "accounts/demo", token: { scope: "TOKEN_SCOPE_ADMIN" } };
  const { page, faults } = await open((await server.call("AdminService", "CreateToken", admin, server.adminToken)).secret);
  await byId(page, "personal-data").locator("summary").click();
  const download = page.waitForEvent("download");
  await byId(page, "personal-export").click();
  const file = JSON.parse(await readFile(await (await download).path(), "utf8"));
  assert.deepEqual([file[0].site.name, file[0].site.contact], [name, contact]);
  assert.ok(file.some(({ change }) => JSON.stringify(change ?? "").includes("at Jo's")), "former notes are in it");
  assert.equal(file[0].site.address.typed, "Xyzzyqwv Plughkjh 99999");
  await byId(page, "personal-done").filter({ hasText: "personal-data.json" }).waitFor();
  // What is open on the page, and what of the past it shows.
  await byId(page, "history").locator("summary").click();
  await byId(page, "history-change").first().waitFor();
  await byId(page, "resident").locator("summary").click();
  await byId(page, "resident-owner").waitFor();
  const shown = async (texts) => {
    const text = await byId(page, "site-panel").textContent();
    return texts.filter((part) => text.includes(part));
  };
  const person = ["jo@example.org", "at Jo's", "at Kim's", "owner@example.org"];
  const home = ["Xyzzyqwv", "47.1234"];
  assert.deepEqual(await shown([...person, ...home]), [...person, ...home]);

  await byId(page, "personal-erase").click();
  await shoot(page, "personal-data", byId(page, "personal-erase-confirm"));
  await page.keyboard.press("Enter");
  // The question is answered, and what was asked for is done, once the button that asks has the focus again.
  await page.locator('[data-testid="personal-erase"]:focus').waitFor();
  const site = () => server.call("SiteService", "GetSite", { name }, token);
  assert.deepEqual((await site()).contact, contact, "the harmless answer is in focus");
  await byId(page, "personal-erase").click();
  await byId(page, "personal-erase-confirm").click();
  await byId(page, "personal-done").filter({ hasText: "Erased" }).waitFor();
  await shoot(page, "personal-erased", byId(page, "personal-done"));
  const left = await site();
  assert.deepEqual([left.contact, left.note ?? "", left.customerId], [{}, "", "C-1"]);
  assert.deepEqual(await shown([...person, ...home]), home, "where it is stays");
  assert.equal(await byId(page, "history-change").count(), 0);
  assert.match(await byId(page, "resident-state").textContent(), /Not set up/);

  await byId(page, "personal-erase").click();
  await byId(page, "personal-data").getByText("labels, ticketing links and position.").waitFor();
  await byId(page, "personal-location").check();
  await byId(page, "personal-data").getByText("the position that databases give for its network").waitFor();
  await shoot(page, "personal-location", byId(page, "personal-erase-confirm"));
  await byId(page, "personal-erase-confirm").click();
  await byId(page, "site-address").waitFor({ state: "detached" });
  await byId(page, "personal-done").filter({ hasText: "Erased" }).waitFor();
  assert.deepEqual(await shown(home), []);
  const { location } = await site();
  assert.ok(!location.address && !location.confirmed && location.fixes.every(({ source }) => source === "FIX_SOURCE_GEOIP"));
  assert.notEqual(await page.title(), "hit");
  assert.deepEqual(faults, []);
  await page.context().close();
});

// Restarts the server a week later, so that it comes last.
test("an invitation that nobody takes is shown as expired, and goes out again", { skip: !clock("+8d") }, async () => {
  const editor = { scope: "TOKEN_SCOPE_EDITOR" };
  const made = await server.call("AdminService", "CreateToken", { parent: "accounts/demo", token: editor }, server.adminToken);
  token = made.secret;
  const { sites } = await server.call("SiteService", "ListSites", { parent: "accounts/demo", orderBy: "display_name" }, token);
  const name = `${sites.at(-1).name}/residentAccess`;
  const residentAccess = { name, ownerEmail: "late@example.org", enabled: true };
  const residents = (method, request) => server.call("ResidentAccessService", method, request, token);
  await residents("UpdateResidentAccess", { residentAccess, updateMask: "ownerEmail,enabled" });
  await residents("InviteResident", { name });
  const first = await mail.to("late@example.org");
  await server.restart(clock("+8d"));

  const { page, faults, isShown } = await openResident(sites.at(-1).displayName);
  await isShown("Invitation expired.");
  await isShown("the link worked until");
  await shoot(page, "resident-expired", byId(page, "resident-resend"));
  await byId(page, "resident-resend").click();
  await isShown("Invited");
  const second = await mail.to("late@example.org", 2);
  assert.notEqual(second.code, first.code);

  // Of the address that the site came from, its network is left.
  const { publicIp } = await server.call("SiteService", "GetSite", { name: sites.at(-1).name }, token);
  assert.match(publicIp, /^\d+\.\d+\.\d+\.0\/24$/);
  await byId(page, "site-panel").getByText(publicIp, { exact: true }).first().waitFor();
  await shoot(page, "record-cut-address", byId(page, "site-panel").getByText(publicIp, { exact: true }));
  assert.deepEqual(faults, []);
  await page.context().close();
});
