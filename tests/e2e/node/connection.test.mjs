// What becomes of an open page when its server dies, stands still, lags behind, or ends its token: it says so, comes back by
// itself, and loses nothing that was typed.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { byId, launch, linkIs, logIn, openFirstSite, openPage, ownFaults, shoot, typeNote, typeToken } from "./browser.mjs";
import { Redis } from "./redis.mjs";
import { Server } from "./server.mjs";

/** Milliseconds for a page to notice what happened: a watch that is silent counts as lost after 25 seconds. */
const NOTICED_MS_MAX = 60_000;
const TYPED = "typed before the outage, and saved behind it";

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

async function saveNote(page, name, text) {
  await byId(page, "record-save").click();
  await byId(page, "record-note").waitFor({ state: "detached" });
  const { note } = await server.call("SiteService", "GetSite", { name }, token);
  assert.equal(note, text);
}

test("a server that is killed and comes back: the page says so, resumes, and keeps what was typed", async () => {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await linkIs(page, "sound");
  const name = await typeNote(page, TYPED);
  await server.kill();
  await linkIs(page, "lost");
  await page.getByText("what you type is kept").waitFor();
  await shoot(page, "connection-lost");
  // Saving does not go now, says so, and keeps the words.
  await byId(page, "record-save").click();
  await page.getByText("The server cannot be reached").first().waitFor();
  assert.equal(await byId(page, "record-note").inputValue(), TYPED);

  await server.revive();
  await linkIs(page, "back");
  await shoot(page, "connection-back");
  await saveNote(page, name, TYPED);
  // The watch lives again: what others change is seen.
  const site = { name, displayName: "renamed behind the outage" };
  await server.call("SiteService", "UpdateSite", { site, updateMask: "displayName" }, token);
  await byId(page, "site-panel").getByText(site.displayName).first().waitFor();
  assert.deepEqual(ownFaults(faults), []);
  await page.context().close();
});

test("a server that stands still is slow, then lost, and is found again", async () => {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await linkIs(page, "sound");
  const name = await typeNote(page, `${TYPED} again`);
  server.process.kill("SIGSTOP");
  try {
    await linkIs(page, "slow");
    await shoot(page, "connection-slow");
    await linkIs(page, "lost");
  } finally {
    server.process.kill("SIGCONT");
  }
  await linkIs(page, "back", "sound");
  await saveNote(page, name, `${TYPED} again`);
  const site = { name, displayName: "renamed behind the standstill" };
  await server.call("SiteService", "UpdateSite", { site, updateMask: "displayName" }, token);
  await byId(page, "site-panel").getByText(site.displayName).first().waitFor();
  assert.deepEqual(ownFaults(faults), []);
  await page.context().close();
});

test("a token that is revoked hides the account, and another one of the same right finds everything as it was typed", async () => {
  const request = { parent: "accounts/demo", token: { scope: "TOKEN_SCOPE_EDITOR", displayName: "one of two" } };
  const [first, second] = await Promise.all([0, 1].map(() => server.call("AdminService", "CreateToken", request, server.adminToken)));
  const { page, faults } = await openPage({ browser, server, token: first.secret });
  await logIn(page, server, first.secret);
  const name = await typeNote(page, TYPED);
  await server.call("AdminService", "RevokeToken", { name: first.token.name }, server.adminToken);
  await byId(page, "login-token").waitFor({ timeout: NOTICED_MS_MAX });
  await page.getByText("Your session ended").waitFor();
  assert.equal(await byId(page, "site-panel").isVisible(), false, "nothing of the account is seen");
  assert.equal(await page.evaluate(() => sessionStorage.getItem("waymark.token")), null);
  await shoot(page, "connection-renewal");

  // A wrong one changes nothing.
  await byId(page, "login-token").fill("wmk_nonsense");
  await byId(page, "login-submit").click();
  await page.getByRole("alert").getByText("This token is not accepted").waitFor();
  await typeToken(page, second.secret);
  await byId(page, "site-panel").waitFor();
  assert.equal(await byId(page, "record-note").inputValue(), TYPED);
  await saveNote(page, name, TYPED);
  const site = { name, displayName: "renamed behind the renewal" };
  await server.call("SiteService", "UpdateSite", { site, updateMask: "displayName" }, token);
  await byId(page, "site-panel").getByText(site.displayName).first().waitFor();
  assert.deepEqual(ownFaults(faults), []);
  await page.context().close();
});

test("a token of another right finds nothing of what the former one showed", async () => {
  const make = async (contacts) => {
    const request = { parent: "accounts/demo", token: { scope: "TOKEN_SCOPE_VIEWER", contacts } };
    return server.call("AdminService", "CreateToken", request, server.adminToken);
  };
  const [seeing, masked] = [await make("CONTACT_ACCESS_READ"), await make("CONTACT_ACCESS_MASKED")];
  const { page } = await openPage({ browser, server, token: seeing.secret });
  await logIn(page, server, seeing.secret);
  await openFirstSite(page);
  const name = await page.locator('[data-testid="site-row"][aria-current="true"]').getAttribute("data-site");
  await server.call("SiteService", "UpdateSite", { site: { name, note: "for few eyes" }, updateMask: "note" }, token);
  await byId(page, "site-panel").getByText("for few eyes").waitFor();
  await server.call("AdminService", "RevokeToken", { name: seeing.token.name }, server.adminToken);
  await byId(page, "login-token").waitFor({ timeout: NOTICED_MS_MAX });
  await typeToken(page, masked.secret);
  await byId(page, "site-row").first().waitFor();
  // The address names the site, so it opens again, as the new token sees it.
  await byId(page, "site-panel").getByText("•••").first().waitFor();
  assert.ok(!(await page.content()).includes("for few eyes"));
  await page.context().close();
});

test("an import waits for a server that is gone, and goes on by itself", async () => {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await byId(page, "open-more").click();
  await byId(page, "open-exchange").click();
  const rows = Array.from({ length: 300 }, (_, at) => `Outage ${String(at).padStart(4, "0")}`);
  const file = { name: "outage.csv", mimeType: "text/csv", buffer: Buffer.from(`name\n${rows.join("\n")}\n`) };
  await byId(page, "import-file").setInputFiles(file);
  await byId(page, "import-run").waitFor();
  await server.kill();
  await byId(page, "import-run").click();
  await page.getByText("The import waits and goes on automatically.").waitFor();
  await server.revive();
  await page.locator('[data-testid="import-progress"][data-phase="done"]').waitFor({ timeout: NOTICED_MS_MAX });
  const request = { parent: "accounts/demo", filter: 'display_name : "Outage"', pageSize: 1000 };
  const { sites } = await server.call("SiteService", "ListSites", request, token);
  assert.equal(sites.length, rows.length, "each row is one site");
  assert.deepEqual(ownFaults(faults), []);
  await page.context().close();
});

test("a replica that has lost the others says how old what it shows may be", async () => {
  const redis = await Redis.start();
  let replica;
  try {
    replica = await Server.bare([], redis.configuration());
    const secret = await replica.fill(3);
    const { page } = await openPage({ browser, server: replica, token: secret });
    await logIn(page, replica, secret);
    await byId(page, "site-row").first().waitFor();
    await linkIs(page, "sound");
    redis.signal("SIGSTOP");
    await linkIs(page, "stale");
    await page.getByText(/has had no contact with the other servers for \d+ seconds/).waitFor();
    await shoot(page, "connection-stale");
    redis.signal("SIGCONT");
    await linkIs(page, "sound");
    await page.context().close();
    await replica.stop();
    replica = undefined;
  } finally {
    replica?.process.kill("SIGKILL");
    await redis.stop();
  }
});
