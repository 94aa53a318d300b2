// What lies behind a click as axe-core sees it: the queue, other lists, choices to make, and the parts of pages that open.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { look } from "./axe.mjs";
import { byId, launch, logIn, openFirstSite, openMore, openPage, symbolsDrawn } from "./browser.mjs";
import { Server } from "./server.mjs";

const PARENT = "accounts/demo";
/** More lines than a choice or a history shows at once. */
const LONG_NOTE = Array.from({ length: 40 }, (_, at) => `line ${at}`).join("\n");
/** A name of many places, far apart. */
const AMBIGUOUS = "Springfield";

let server, token, admin, browser;

before(async () => {
  server = await Server.start();
  token = await server.fill(12);
  const request = { parent: PARENT, token: { scope: "TOKEN_SCOPE_ADMIN", displayName: "of the views" } };
  admin = (await server.call("AdminService", "CreateToken", request, server.adminToken)).secret;
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const call = (service, method, request) => server.call(service, method, request, token);

async function open(secret = token) {
  const { page } = await openPage({ browser, server, token: secret });
  await logIn(page, server, secret);
  await symbolsDrawn(page);
  await byId(page, "site-row").first().waitFor();
  return page;
}

test("the queue with places to choose from, and the sites without a position", async () => {
  const found = [];
  const { name } = await call("SiteService", "CreateSite", { parent: PARENT, site: { displayName: "Twofold" } });
  await call("LocationService", "SetAddress", { site: name, addressLine: AMBIGUOUS });
  const page = await open();
  await byId(page, "open-attention").click();
  await byId(page, "attention-kind").filter({ hasText: "Ambiguous address" }).click();
  await byId(page, "attention-choice").nth(1).waitFor();
  await page.locator(".candidate-mark").nth(1).waitFor();
  await look(page, "the queue", found);
  await byId(page, "attention-back").click();
  await byId(page, "unplaced").click();
  await byId(page, "site-row").filter({ hasText: "Twofold" }).waitFor();
  await look(page, "sites without a position", found);
  assert.deepEqual(found, []);
  await page.context().close();
});

test("the globe with its legend, more filters, what is done with selected sites and what of it was refused", async () => {
  const found = [];
  const page = await open();
  await byId(page, "globe").click();
  await byId(page, "legend").locator("summary").click();
  await byId(page, "more-filters").click();
  await byId(page, "label-input").fill("no good label!");
  await byId(page, "label-input").press("Enter");
  await page.locator('[data-testid="label-input"][aria-invalid="true"]').waitFor();
  await look(page, "globe, legend and more filters", found);

  await byId(page, "select-all").click();
  await byId(page, "bulk-set-status").waitFor();
  await look(page, "selected sites", found);
  const { sites } = await call("SiteService", "ListSites", { parent: PARENT, filter: 'display_name = "Site 011"' });
  await call("SiteService", "DeleteSite", { name: sites[0].name });
  await byId(page, "bulk-set-label").click();
  await byId(page, "bulk-key").fill("tour");
  await look(page, "a label for the selected sites", found);
  await byId(page, "bulk-apply").click();
  await byId(page, "bulk-failures").waitFor();
  await look(page, "a site that was refused", found);
  assert.deepEqual(found, []);
  await page.context().close();
});

test("a site's page: candidates, a pin, another's change, the history, the resident, and what is personal", async () => {
  const found = [];
  const page = await open(admin);
  const name = await openFirstSite(page);
  await byId(page, "address-input").fill(AMBIGUOUS);
  await byId(page, "address-find").click();
  await byId(page, "candidate").nth(1).waitFor();
  await look(page, "candidates of an address", found);
  await byId(page, "place-pin").click();
  await byId(page, "pin-coordinates").fill("somewhere");
  await byId(page, "pin-coordinates").press("Enter");
  await byId(page, "pin-coordinates-fault").waitFor();
  await look(page, "a pin", found);
  await byId(page, "pin-cancel").click();

  await byId(page, "record-edit").click();
  await byId(page, "record-note").fill("mine");
  await call("SiteService", "UpdateSite", { site: { name, note: LONG_NOTE }, updateMask: "note" });
  await byId(page, "clash").waitFor();
  await look(page, "a change of somebody else", found);
  await byId(page, "clash-mine").click();
  await byId(page, "record-save").click();
  await byId(page, "record-note").waitFor({ state: "detached" });
  await byId(page, "history").locator("summary").click();
  await byId(page, "history-restore").first().click();
  await byId(page, "history-confirm").waitFor();
  await look(page, "the history", found);

  const devices = [{ id: "tv", displayName: "Television", kind: "tv", canBlock: true }];
  await server.call("ResidentAccessService", "ReportDevices", { parent: name, devices }, server.adminToken);
  await byId(page, "resident").locator("summary").click();
  await byId(page, "resident-edit").click();
  await byId(page, "resident-email").waitFor();
  await look(page, "the resident's access", found);
  await byId(page, "personal-data").locator("summary").click();
  await byId(page, "personal-erase").click();
  await byId(page, "personal-erase-confirm").waitFor();
  await look(page, "erasure", found);
  await openMore(page, "open-access", "access");
  await byId(page, "account-erase").click();
  await byId(page, "account-erase-form").waitFor();
  await look(page, "erasure from all sites", found);
  assert.deepEqual(found, []);
  await page.context().close();
});

test("shares: one to propose, its code, the list, an offer; the choice of accounts, and what a guest sees", async () => {
  const found = [];
  const guests = { accountId: "harbour", account: { displayName: "The harbour" } };
  await server.call("AdminService", "CreateAccount", guests, server.adminToken);
  const request = { parent: "accounts/harbour", token: { scope: "TOKEN_SCOPE_ADMIN", displayName: "of the views" } };
  const { secret } = await server.call("AdminService", "CreateToken", request, server.adminToken);
  const { sites } = await call("SiteService", "ListSites", { parent: PARENT, orderBy: "display_name", pageSize: 1 });
  await call("SiteService", "UpdateSite", { site: { name: sites[0].name, labels: { team: "north" } }, updateMask: "labels" });
  const page = await open(admin);
  await openMore(page, "open-access", "shares");
  await byId(page, "share-propose").click();
  await byId(page, "share-sites").fill("labels.team = north");
  await look(page, "a share to propose", found);
  await byId(page, "share-make").click();
  await byId(page, "share-made").waitFor();
  const code = await byId(page, "share-code").inputValue();
  await byId(page, "share-end").click();
  await byId(page, "share-end-now").waitFor();
  await look(page, "a code, and a share to withdraw", found);
  await page.context().close();

  const guest = await openPage({ browser, server, token: secret });
  await logIn(guest.page, server, secret);
  await openMore(guest.page, "open-access", "shares");
  await byId(guest.page, "share-enter").click();
  await byId(guest.page, "share-typed").fill("wms_nothing");
  await byId(guest.page, "share-look").click();
  await byId(guest.page, "share-enter-form").getByRole("alert").waitFor();
  await look(guest.page, "a code that opens nothing", found);
  await byId(guest.page, "share-typed").fill(code);
  await byId(guest.page, "share-look").click();
  await byId(guest.page, "share-offer").waitFor();
  await look(guest.page, "an offer", found);
  await byId(guest.page, "share-accept").click();
  await byId(guest.page, "share-show").waitFor();
  await look(guest.page, "an accepted share", found);
  await byId(guest.page, "share-show").click();
  await byId(guest.page, "guest-sign").waitFor();
  await symbolsDrawn(guest.page);
  await look(guest.page, "what a guest sees", found);
  await byId(guest.page, "open-more").click();
  await byId(guest.page, "switch-account").click();
  await byId(guest.page, "account").nth(1).waitFor();
  await look(guest.page, "the choice of accounts", found);
  assert.deepEqual(found, []);
  await guest.page.context().close();
});
