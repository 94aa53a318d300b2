// What strangers write into every field: nothing of it runs, the policy has nothing to report, and no page comes apart.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { byId, launch, logIn, openPage, shoot } from "./browser.mjs";
import { isSound, LINE_BYTES_MAX, refused, TEXTS } from "./hostile.mjs";
import { Server } from "./server.mjs";

const LONG_LETTERS = 10_000;

let server, token, browser;
const sites = {};

before(async () => {
  server = await Server.bare();
  token = await server.fill(1);
  const made = Object.entries(TEXTS).map(async ([kind, text]) => (sites[kind] = await hostileSite(kind, text)));
  await Promise.all(made);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A site with a text in every field that takes it, as people's clients may write it; what refuses it keeps none. */
async function hostileSite(kind, text) {
  const create = (displayName) =>
    server.call("SiteService", "CreateSite", { parent: "accounts/demo", site: { displayName } }, token);
  // Overrides and controls are refused in names, not in notes.
  const displayName = kind === "long" ? text : `${text} ${kind}`;
  const { name } = await create(displayName).catch((error) => (refused(error), create(`Site of ${kind}`)));
  const note = kind === "long" ? text.repeat(LONG_LETTERS / LINE_BYTES_MAX + 1) : `${text}\n${text}`;
  const fields = {
    note,
    customerId: text,
    contractId: text,
    contact: { firstName: text, lastName: text },
    labels: { tier: text },
    ticketingLinks: [
      { system: "zendesk", organizationId: "17", organizationName: text },
      { system: "our own", organizationId: "17", externalSiteId: "22", externalSiteName: text },
    ],
  };
  for (const [field, value] of Object.entries(fields)) {
    const request = { site: { name, [field]: value }, updateMask: field };
    await server.call("SiteService", "UpdateSite", request, token).catch(refused);
  }
  // Addresses of links that would run are refused by the server; if one were not, the page would have to bear it.
  const bad = [{ system: "zendesk", organizationId: "18", uri: text }];
  await server.call("SiteService", "UpdateSite", { site: { name, ticketingLinks: bad }, updateMask: "ticketingLinks" }, token).catch(refused);
  await server.call("LocationService", "SetPin", { site: name, position: { lat: 64, lng: -21 } }, token);
  await server.call("LocationService", "SetAddress", { site: name, addressLine: text }, token).catch(refused);
  return name;
}

test("list, search and site page bear every text, and show it as text", async () => {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await byId(page, "site-row").nth(Object.keys(TEXTS).length - 1).waitFor();
  await isSound(page, "list");
  await shoot(page, "hostile-list");
  for (const [kind, name] of Object.entries(sites)) {
    await page.locator(`[data-testid="site-row"][data-site$="${name.split("/").at(-1)}"]`).click();
    await page.locator(`[data-testid="site-panel"][data-site="${name}"]`).waitFor();
    await byId(page, "site-name").waitFor();
    const { displayName } = await server.call("SiteService", "GetSite", { name }, token);
    assert.equal(await byId(page, "site-name").textContent(), displayName, kind);
    await isSound(page, `site page, ${kind}`);
    await byId(page, "history").locator("summary").click();
    await byId(page, "history-change").first().waitFor();
    await isSound(page, `history, ${kind}`);
    await byId(page, "record-edit").click();
    await byId(page, "record-note").waitFor();
    await isSound(page, `form, ${kind}`);
    if (kind === "long" || kind === "handler") await shoot(page, `hostile-${kind}`);
    await byId(page, "site-close").click();
  }
  await byId(page, "search").fill("hit");
  await byId(page, "hit").first().waitFor();
  await isSound(page, "search");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a text that runs backwards does not turn what stands beside it", async () => {
  const { page } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await page.locator(`[data-testid="site-row"][data-site$="${sites.backwards.split("/").at(-1)}"]`).click();
  await byId(page, "site-name").waitFor();
  const isolated = await page.evaluate(() => {
    // A block is a paragraph of its own.
    const isIsolated = (element) => {
      const { display, unicodeBidi } = getComputedStyle(element);
      return display === "block" || ["isolate", "isolate-override", "plaintext"].includes(unicodeBidi);
    };
    return ['[data-testid="site-name"]', '[data-testid="site-row"] .name', '[data-testid="record-value"]'].map(
      (selector) => isIsolated(document.querySelector(selector)),
    );
  });
  assert.deepEqual(isolated, [true, true, true]);
  await page.context().close();
});

test("reports, tokens, accounts and wallboards bear them, too", async () => {
  for (const text of Object.values(TEXTS)) {
    const own = { parent: "accounts/demo", token: { scope: "TOKEN_SCOPE_VIEWER", displayName: text } };
    await server.call("AdminService", "CreateToken", own, server.adminToken).catch(refused);
  }
  const account = { accountId: "hostile", account: { displayName: TEXTS.handler } };
  await server.call("AdminService", "CreateAccount", account, server.adminToken);
  const { page, faults } = await openPage({ browser, server, token: server.adminToken });
  await page.goto(`${server.url}/`);
  await byId(page, "login-token").fill(server.adminToken);
  await byId(page, "login-submit").click();
  await byId(page, "account").nth(1).waitFor();
  await isSound(page, "choice of an account");
  await byId(page, "account").first().click();
  await byId(page, "map").waitFor();
  await byId(page, "open-more").click();
  await byId(page, "open-access").click();
  await byId(page, "token").nth(3).waitFor();
  await isSound(page, "tokens and accounts");
  await shoot(page, "hostile-tokens");
  await byId(page, "access-close").click();

  await byId(page, "open-more").click();
  await byId(page, "open-exchange").click();
  const quoted = Object.values(TEXTS).map((text) => `"${text.replaceAll('"', '""')}","${text.replaceAll('"', '""')}"`);
  const buffer = Buffer.from(`name,status\n${quoted.join("\n")}\n"${"N".repeat(LONG_LETTERS)}",online\n`);
  await byId(page, "import-file").setInputFiles({ name: `${TEXTS.handler.replaceAll("/", "")}.csv`, mimeType: "text/csv", buffer });
  await byId(page, "import-row").nth(Object.keys(TEXTS).length - 1).waitFor();
  await isSound(page, "report");
  await shoot(page, "hostile-report", byId(page, "import-progress"));
  const heading = Buffer.from(`name,${TEXTS.handler}\nA,B\n`);
  await byId(page, "import-file").setInputFiles({ name: "heading.csv", mimeType: "text/csv", buffer: heading });
  await page.getByText("The known columns are").waitFor();
  await isSound(page, "a heading that is none");

  await page.goto(`${server.url}/?wallboard&names&seconds=${encodeURIComponent(TEXTS.script)}`);
  await byId(page, "wallboard-region").waitFor();
  await isSound(page, "wallboard");
  assert.deepEqual(faults, []);
  await page.context().close();
});
