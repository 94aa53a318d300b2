// The mail of an invitation in a real browser: how the site's page tells that it waits or was refused, and how the mail itself looks.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { byId, HOSTILE, launch, openResidentOf, shoot } from "./browser.mjs";
import { MailServer } from "./mail.mjs";
import { Server } from "./server.mjs";

const NAME = "Rowan Cottage";
const ACCOUNT = { name: "accounts/demo", displayName: "Northwind Home Care", supportContact: "help@northwind.example, +354 555 1234" };
/** Widths of a mail: of a reader's pane, and of a phone. */
const WIDTHS = [600, 390];

let server, token, browser, mail, dir;

const ask = (service, method, request) => server.call(service, method, request, server.adminToken);

before(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "waymark-mail-"));
  mail = await MailServer.start(dir);
  server = await Server.bare(["--config", mail.config]);
  token = await server.fill(3);
  await ask("AdminService", "UpdateAccount", { account: ACCOUNT, updateMask: "displayName,supportContact" });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await mail?.stop();
  if (dir) await rm(dir, { recursive: true, force: true });
});

/** A site of this name whose resident can be invited. */
async function home(displayName, ownerEmail, devices = []) {
  const { name } = await ask("SiteService", "CreateSite", { parent: "accounts/demo", site: { displayName } });
  await ask("LocationService", "SetPin", { site: name, position: { lat: 54.5, lng: -3.1 } });
  if (devices.length > 0) await ask("ResidentAccessService", "ReportDevices", { parent: name, devices });
  const residentAccess = { name: `${name}/residentAccess`, ownerEmail, enabled: true };
  await ask("ResidentAccessService", "UpdateResidentAccess", { residentAccess, updateMask: "ownerEmail,enabled" });
  return name;
}

const openResident = (displayName) => openResidentOf({ browser, server, token }, displayName);

test("a mail that waits for its server is shown to wait, and to be sent once the server is there", async () => {
  await home("Harbour Flat", "kim@example.org");
  const { page, faults, isShown } = await openResident("Harbour Flat");
  mail.tell("stop");
  await byId(page, "resident-invite").click();
  await isShown("Invited.");
  await isShown("The mail is waiting for the mail server and will be sent automatically.");
  await shoot(page, "mail-queued", byId(page, "resident-state"));
  assert.equal(mail.mails.length, 0);
  mail.tell("start");
  await mail.to("kim@example.org");
  await isShown("The mail was sent.");
  await shoot(page, "mail-sent", byId(page, "resident-state"));
  assert.equal(mail.mails.length, 1, "it came once");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a mail that is refused is told, can be sent again, and to another address", async () => {
  await home("Mill House", "nobody@example.org");
  const { page, faults, isShown } = await openResident("Mill House");
  mail.tell("refuse 550 no such user");
  await byId(page, "resident-invite").click();
  await isShown("The mail could not be sent.");
  await isShown("revoke the invitation and enter another address");
  assert.equal(await byId(page, "resident-state").locator(".fault").count(), 1, "it is marked as a fault");
  await shoot(page, "mail-refused", byId(page, "resident-state"));
  mail.tell("take");
  await byId(page, "resident-resend").click();
  await isShown("The mail was sent.");
  await mail.to("nobody@example.org");

  await byId(page, "resident-revoke").click();
  await isShown("Revoked.");
  await byId(page, "resident-edit").click();
  await byId(page, "resident-email").fill("robin@example.org");
  await byId(page, "resident-save").click();
  await byId(page, "resident-invite").click();
  const { code } = await mail.to("robin@example.org");
  await isShown("The mail was sent.");
  const { secret } = await ask("ResidentAccessService", "RedeemInvitation", { code });
  assert.match(secret, /^wmk_/);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a page says where no device's internet can be blocked, and offers it where one's can", async () => {
  const devices = [
    { id: "cam", displayName: "Front door", kind: "camera", canPower: true },
    { id: "lamp", displayName: "Lamp", kind: "light", canPower: true },
  ];
  const name = await home("Gate Lodge", "lee@example.org", devices);
  const { page, faults } = await openResident("Gate Lodge");
  await byId(page, "resident-edit").click();
  const told = byId(page, "resident-no-block");
  assert.match(await told.textContent(), /At this site, the internet cannot be blocked for any of these devices\./);
  for (const id of ["cam", "lamp"]) {
    const boxes = page.locator(`[data-testid="resident-device"][data-device="${id}"]`).getByRole("checkbox");
    assert.ok(await boxes.nth(2).isDisabled());
    assert.ok(await boxes.nth(1).isEnabled());
  }
  await shoot(page, "resident-no-block", told);
  await page.context().close();

  const tv = { id: "tv", displayName: "Television", kind: "tv", canBlock: true };
  await ask("ResidentAccessService", "ReportDevices", { parent: name, devices: [tv], merge: true });
  const again = await openResident("Gate Lodge");
  await byId(again.page, "resident-edit").click();
  const boxes = again.page.locator('[data-testid="resident-device"][data-device="tv"]').getByRole("checkbox");
  assert.ok(await boxes.nth(2).isEnabled());
  assert.equal(await byId(again.page, "resident-no-block").count(), 0);
  assert.deepEqual([...faults, ...again.faults], []);
  await again.page.context().close();
});

/** Shows a mail as a reader does that loads nothing and runs nothing. */
async function readMail(markup, width, colorScheme) {
  const context = await browser.newContext({ viewport: { width, height: 760 }, javaScriptEnabled: false, colorScheme });
  const page = await context.newPage();
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.setContent(markup);
  return { page, asked };
}

async function checkMail(markup, code, words, shot) {
  for (const width of WIDTHS) {
    for (const colorScheme of ["light", "dark"]) {
      const { page, asked } = await readMail(markup, width, colorScheme);
      if (process.env.SHOT_DIR) {
        await page.screenshot({ path: `${process.env.SHOT_DIR}/${shot}-${width}-${colorScheme}.png`, fullPage: true });
      }
      const text = await page.locator("body").innerText();
      for (const word of words) assert.ok(text.includes(word), `${word} is not in:\n${text}`);
      const button = page.getByRole("link", { name: "Accept the invitation" });
      const box = await button.boundingBox();
      assert.ok(box.height >= 44 && box.width >= 160, `a finger finds it: ${box.width} x ${box.height}`);
      assert.ok(box.x >= 0 && box.x + box.width <= width);
      const links = await page.locator("a").evaluateAll((all) => all.map(({ href }) => href));
      assert.ok(links.length > 0 && links.every((href) => href.endsWith(`/invitation#${code}`)), `${links}`);
      const [content, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(content <= shown, `${content} px are wider than ${shown}`);
      assert.deepEqual(asked, [], "a mail that asks a host tells who reads it");
      await page.context().close();
    }
  }
}

test("the mail is a good page at both widths, names who invites, and loads nothing", async () => {
  const name = await home(NAME, "jo@example.org");
  await ask("ResidentAccessService", "InviteResident", { name: `${name}/residentAccess` });
  const { code, html } = await mail.to("jo@example.org");
  await checkMail(html, code, [ACCOUNT.displayName, ACCOUNT.supportContact, NAME, "works once, until"], "mail");
});

test("whatever account and site are called is text in the mail, and breaks nothing", async () => {
  const account = { name: ACCOUNT.name, displayName: `${HOSTILE} {link} ${"x".repeat(120)}`, supportContact: `${HOSTILE} {{until}}` };
  await ask("AdminService", "UpdateAccount", { account, updateMask: "displayName,supportContact" });
  const site = `${HOSTILE} ${"y".repeat(120)}`;
  const name = await home(site, "sam@example.org");
  await ask("ResidentAccessService", "InviteResident", { name: `${name}/residentAccess` });
  const { code, html } = await mail.to("sam@example.org");
  assert.ok(!html.includes("<img"));
  await checkMail(html, code, [account.displayName, account.supportContact, site], "mail-hostile");
});
