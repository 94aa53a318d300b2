// The dashboard in a real browser: log in, see the map, correct one site's address, and watch its pin move.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { byId, launch, logIn, openPage, shoot, siteName, symbolsDrawn } from "./browser.mjs";
import { Server } from "./server.mjs";

const SITES = 200;
// Laugavegur 1, Reykjavík: the pin must come to within half a kilometre of it.
const TARGET = { lat: 64.146, lng: -21.93 };
const NEAR_DEG = 0.005;

let server, token, browser;

before(async () => {
  server = await Server.start();
  token = await server.demo(SITES);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Opens the first listed site that only a machine has located so far: the demo's people have corrected some. */
async function openApproximateSite(page) {
  await byId(page, "site-row").first().waitFor();
  for (const row of await byId(page, "site-row").all()) {
    const name = siteName(await row.getAttribute("data-site"));
    const site = await server.call("SiteService", "GetSite", { name }, token);
    if (site.location.source === "FIX_SOURCE_GEOIP") {
      await row.click();
      await byId(page, "site-panel").waitFor();
      await byId(page, "site-position").waitFor();
      return;
    }
  }
  assert.fail("no listed site is located by GeoIP");
}

async function position(page) {
  const element = byId(page, "site-position");
  return { lat: Number(await element.getAttribute("data-lat")), lng: Number(await element.getAttribute("data-lng")) };
}

const isAtTarget = ({ lat, lng }) => Math.abs(lat - TARGET.lat) < NEAR_DEG && Math.abs(lng - TARGET.lng) < NEAR_DEG;

test("log in, see clusters, correct an address, watch the pin move, go back to automatic", async () => {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await symbolsDrawn(page);
  const clusters = Number(await byId(page, "map").getAttribute("data-clusters"));
  assert.ok(clusters > 0, `${clusters} clusters in view`);

  await openApproximateSite(page);
  const before = await position(page);
  assert.ok(!isAtTarget(before), "the site starts elsewhere");

  await byId(page, "address-input").fill("Laugavegur 1, Reykjavík");
  await byId(page, "address-find").click();
  await byId(page, "candidate").first().waitFor();
  await shoot(page, "location-candidates", byId(page, "candidate"));
  await byId(page, "candidate-apply").first().click();
  await page.waitForFunction(
    ([lat, lng, near]) => {
      const data = document.querySelector('[data-testid="site-position"]')?.dataset ?? {};
      return Math.abs(Number(data.lat) - lat) < near && Math.abs(Number(data.lng) - lng) < near;
    },
    [TARGET.lat, TARGET.lng, NEAR_DEG],
  );
  // The map follows: its centre comes to the new place, and the pin is drawn there.
  await page.waitForFunction(
    ([lat, lng]) => {
      const data = document.querySelector('[data-testid="map"]')?.dataset ?? {};
      const [x, y] = (data.center ?? "").split(",").map(Number);
      const near = (a, b) => Math.abs(a - b) < 1;
      return Number(data.pins ?? 0) > 0 && ((near(x, lat) && near(y, lng)) || (near(y, lat) && near(x, lng)));
    },
    [TARGET.lat, TARGET.lng],
  );

  await byId(page, "reset-location").click();
  await page.waitForFunction(
    ([lat, lng]) => {
      const data = document.querySelector('[data-testid="site-position"]')?.dataset ?? {};
      return Math.abs(Number(data.lat) - lat) < 1e-6 && Math.abs(Number(data.lng) - lng) < 1e-6;
    },
    [before.lat, before.lng],
  );
  assert.deepEqual(faults, []);
});

/** Waits until the open site stands within `near` degrees of a position. */
async function standsAt(page, { lat, lng }, near) {
  await page.waitForFunction(
    ([lat, lng, near]) => {
      const data = document.querySelector('[data-testid="site-position"]')?.dataset ?? {};
      return Math.abs(Number(data.lat) - lat) < near && Math.abs(Number(data.lng) - lng) < near;
    },
    [lat, lng, near],
  );
}

test("type, choose a suggestion by keyboard, drag the pin, go back to automatic", async () => {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await symbolsDrawn(page);
  await openApproximateSite(page);
  const estimate = await position(page);

  // A town is a suggestion, and never a move.
  const input = byId(page, "address-input");
  await input.pressSequentially("Reykjav");
  await byId(page, "suggestion").first().waitFor();
  assert.equal(await input.getAttribute("aria-expanded"), "true");
  await page.keyboard.press("Escape");
  assert.equal(await byId(page, "suggestion").count(), 0);

  await input.fill("");
  await input.pressSequentially("laugavegur 1 reyk");
  await byId(page, "suggestion").filter({ hasText: /^Laugavegur 1\b/ }).first().waitFor();
  await shoot(page, "location-suggestions", byId(page, "suggestion"));
  await page.keyboard.press("ArrowDown");
  const active = await input.getAttribute("aria-activedescendant");
  assert.match(await page.locator(`#${active}`).textContent(), /Laugavegur 1\b/);
  await page.keyboard.press("Enter");
  await standsAt(page, TARGET, NEAR_DEG);
  assert.match(await byId(page, "site-address").textContent(), /Laugavegur 1\b/);

  // A pin, dropped beside it and dragged: each place is told with its address before anything is saved.
  await byId(page, "place-pin").click();
  await page.waitForFunction(() => document.querySelector('[data-testid="map"]').dataset.idle === "true");
  const box = await byId(page, "map").boundingBox();
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  await page.mouse.click(middle.x + 60, middle.y + 40);
  const pin = page.locator(".draft-mark");
  await pin.waitFor();
  await byId(page, "pin-address").waitFor();
  const dropped = await page.locator(".placing").textContent();
  const grip = await pin.boundingBox();
  await page.mouse.move(grip.x + grip.width / 2, grip.y + grip.height / 2);
  await page.mouse.down();
  await page.mouse.move(grip.x + 80, grip.y - 50, { steps: 8 });
  await page.mouse.up();
  await page.waitForFunction((before) => document.querySelector(".placing").textContent !== before, dropped);
  await byId(page, "pin-address").waitFor();
  await shoot(page, "location-dragged", byId(page, "pin-save"));
  const applied = await position(page);
  await byId(page, "pin-save").click();
  await byId(page, "locate-message").filter({ hasText: /^Moved/ }).waitFor();
  const pinned = await position(page);
  await shoot(page, "location-pinned", byId(page, "locate-message"));
  assert.notDeepEqual(pinned, applied);

  // The address that was suggested is written beside the pin, which stays.
  await byId(page, "adopt-address").click();
  await byId(page, "adopt-address").waitFor({ state: "detached" });
  await page.waitForFunction(() => document.querySelector('[data-testid="site-address"]')?.textContent.includes("does not move the site"));
  assert.deepEqual(await position(page), pinned);

  await byId(page, "reset-location").click();
  await standsAt(page, estimate, 1e-6);
  await shoot(page, "location-automatic", byId(page, "site-position"));
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("what others change shows on the open page, whose panel stays open, until the token is revoked", async () => {
  const own = { parent: "accounts/demo", token: { scope: "TOKEN_SCOPE_VIEWER", displayName: "a wallboard's" } };
  const made = await server.call("AdminService", "CreateToken", own, server.adminToken);
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, made.secret);
  await byId(page, "site-row").nth(1).waitFor();
  const [opened, deleted] = await Promise.all(
    [0, 1].map((at) => byId(page, "site-row").nth(at).getAttribute("data-site").then(siteName)),
  );
  await page.locator(`[data-site="${opened}"]`).click();
  await byId(page, "site-panel").waitFor();

  const site = { name: opened, displayName: "renamed by somebody else" };
  await server.call("SiteService", "UpdateSite", { site, updateMask: "displayName" }, token);
  await byId(page, "site-panel").getByText(site.displayName).first().waitFor();
  await server.call("SiteService", "DeleteSite", { name: deleted }, token);
  await page.locator(`[data-site="${deleted}"]`).waitFor({ state: "detached" });
  assert.ok(await byId(page, "site-panel").isVisible());
  assert.deepEqual(faults, []);

  await server.call("AdminService", "RevokeToken", { name: made.token.name }, server.adminToken);
  await byId(page, "login-token").waitFor();
  await page.context().close();
});

test("the history tells apart what reads alike, and of which change a value came back", async () => {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await byId(page, "site-row").first().waitFor();
  const row = byId(page, "site-row").nth(1);
  const name = siteName(await row.getAttribute("data-site"));
  const update = (uri) => {
    const ticketingLinks = [{ system: "autotask", organizationId: "17", organizationName: "Acme", uri }];
    return server.call("SiteService", "UpdateSite", { site: { name, ticketingLinks }, updateMask: "ticketingLinks" }, token);
  };
  await update("https://one.example/17");
  await update("https://two.example/17");
  await row.click();
  await byId(page, "history").locator("summary").click();
  const newest = byId(page, "history-change").first();
  await newest.waitFor();
  assert.match(await newest.textContent(), /one\.example.*→.*two\.example/s);
  const [{ name: change }] = (await server.call("HistoryService", "ListSiteChanges", { parent: name, pageSize: 1 }, token)).changes;
  await byId(page, "history-restore").first().click();
  await byId(page, "history-confirm").click();
  const restored = `Former value restored, from before change ${change.split("/").at(-1)}`;
  await byId(page, "history-change").filter({ hasText: restored }).first().waitFor();

  // Reports that were merged: how many they are.
  await server.call("SiteService", "UpdateSite", { site: { name, status: "SITE_STATUS_ONLINE" }, updateMask: "status" }, token);
  for (const status of ["SITE_STATUS_OFFLINE", "SITE_STATUS_ONLINE"]) {
    const reports = [{ site: name, status }];
    await server.call("ActivationService", "BatchReportStatus", { parent: "accounts/demo", reports }, server.adminToken);
  }
  await byId(page, "history-change").filter({ hasText: "2 changes from" }).first().waitFor();
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("the history tells who changed what, page by page, and puts a former value back", async () => {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await byId(page, "site-row").first().waitFor();
  // Another one may be the first by the time that it is clicked.
  const id = await byId(page, "site-row").first().getAttribute("data-site");
  const [row, name] = [page.locator(`[data-testid="site-row"][data-site="${id}"]`), siteName(id)];
  const update = (note) => server.call("SiteService", "UpdateSite", { site: { name, note }, updateMask: "note" }, token);
  for (let number = 0; number < 25; number += 1) await update(`note ${number}`);
  await row.click();
  await byId(page, "history").locator("summary").click();
  const entries = byId(page, "history-change");
  await entries.first().waitFor();
  assert.equal(await entries.count(), 20);
  assert.match(await entries.first().textContent(), /Edited.*Note.*note 23.*→.*note 24/s);
  await byId(page, "history-more").click();
  await page.waitForFunction(() => document.querySelectorAll('[data-testid="history-change"]').length > 20);

  // Nothing is put back before it is confirmed.
  await byId(page, "history-restore").first().click();
  const { note } = await server.call("SiteService", "GetSite", { name }, token);
  assert.equal(note, "note 24");
  await shoot(page, "history-confirm", byId(page, "history-confirm"));
  await byId(page, "history-confirm").click();
  await page.getByText("The former value was restored.").waitFor();
  await entries.first().filter({ hasText: "Former value restored" }).waitFor();
  const restored = await server.call("SiteService", "GetSite", { name }, token);
  assert.equal(restored.note, "note 23");
  await shoot(page, "history-restored", entries);

  // What somebody else changes meanwhile comes on top, and older pages stay.
  const before = await entries.count();
  await update("of somebody else");
  await entries.filter({ hasText: "of somebody else" }).first().waitFor();
  assert.equal(await entries.count(), before + 1);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("a link with a token logs in and leaves no token in the address bar", async () => {
  const { page, faults } = await openPage({ browser, server, token });
  await page.goto(`${server.url}/#token=${token}`);
  await byId(page, "map").waitFor();
  await symbolsDrawn(page);
  assert.ok(!page.url().includes("wmk_"), page.url());
  // Nor is it where it would outlive the tab, or where a server is told of it by itself.
  const kept = await page.evaluate(async () => {
    return JSON.stringify([{ ...localStorage }, document.cookie, history.state, await indexedDB.databases(), await caches.keys()]);
  });
  assert.ok(!kept.includes("wmk_"), kept);
  assert.deepEqual(faults, []);
});

test("a wrong token is told so", async () => {
  const { page } = await openPage({ browser, server, token });
  await page.goto(`${server.url}/`);
  await byId(page, "login-token").fill("wmk_nonsense");
  await byId(page, "login-submit").click();
  await byId(page, "error-banner").waitFor();
  assert.equal(await byId(page, "map").count(), 0);
});

test("the data's attribution is on the page", async () => {
  const { page } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await page.locator('a[href^="https://db-ip.com"]').first().waitFor({ state: "attached" });
});

test("the page's headers forbid everything that it does not need", async () => {
  const answer = await fetch(`${server.url}/`);
  const policy = answer.headers.get("content-security-policy") ?? "";
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe-(inline|eval)|\*/);
  for (const closed of ["frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "script-src 'self'"]) {
    assert.ok(policy.split(/; */).includes(closed), `${closed}: ${policy}`);
  }
  assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
  assert.equal(answer.headers.get("cross-origin-opener-policy"), "same-origin");
  assert.equal(answer.headers.get("referrer-policy"), "no-referrer");
});

test("a status and a word filter map, list and counts alike", async () => {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await symbolsDrawn(page);
  const offline = page.locator('[data-testid="status-chip"][data-status="offline"]');
  const expected = Number((await offline.locator(".number").textContent()).replaceAll(/\D/g, ""));
  assert.ok(expected > 0 && expected < SITES, `${expected} of the demo's sites are offline`);
  await offline.click();
  await page.waitForFunction(
    (expected) => document.querySelector('[data-testid="matching"]').textContent.includes(`${expected} of`),
    expected,
  );
  // Whatever is listed is offline, and the map's symbols stand for as many sites.
  await page.waitForFunction(() => {
    const rows = [...document.querySelectorAll('[data-testid="site-row"] .unseen')];
    return rows.length > 0 && rows.every((row) => row.textContent === "Offline");
  });
  await page.waitForFunction(
    (expected) => document.querySelector('[data-testid="map"]').dataset.sites === String(expected),
    expected,
  );
  await offline.click();
  await byId(page, "search").fill('no such "site"');
  await byId(page, "hits-total").filter({ hasText: "No hits" }).waitFor();
  await byId(page, "search").press("Enter");
  await page.waitForFunction(() => document.querySelector('[data-testid="matching"]').textContent.startsWith("0 of"));
  await page.locator('[data-testid="site-row"]').first().waitFor({ state: "detached" });
  await page.locator('[data-testid="search"]').fill("");
  await page.locator('[data-testid="site-row"]').first().waitFor();
  assert.deepEqual(faults, []);
});

test("a search shows the best hits as one types, marked and as text, and opens one by the keys", async () => {
  const { page, faults } = await openPage({ browser, server, token });
  await logIn(page, server, token);
  await byId(page, "site-row").first().waitFor();
  const name = siteName(await byId(page, "site-row").first().getAttribute("data-site"));
  const { displayName } = await server.call("SiteService", "GetSite", { name }, token);
  // Markup in a note, with letters of several bytes before what is looked for.
  const note = "Þór <img src=x onerror=owned()> Quuxgarður";
  const contact = { phones: [{ number: "+3545559876" }] };
  const site = { name, note, contact, customerId: "CU-4711/b", contractId: "K2026-08" };
  await server.call("SiteService", "UpdateSite", { site, updateMask: "note,contact,customerId,contractId" }, token);
  const field = byId(page, "search");
  const steps = await page.evaluate(() => history.length);
  await field.pressSequentially("quuxgar");
  const hit = byId(page, "hit");
  await hit.first().waitFor();
  assert.equal(await hit.count(), 1);
  assert.equal(await hit.locator("mark").textContent(), "Quuxgar");
  assert.ok((await hit.textContent()).includes("<img src=x onerror=owned()>"), "markup is text");
  assert.equal(await hit.locator("img").count(), 0);
  assert.match((await byId(page, "hits-total").textContent()).trim(), /^1 hit/);
  // The newest text alone is answered: the phone's last digits, and what is written in groups.
  await field.fill("555 9876");
  await page.waitForFunction(() => document.querySelector('[data-testid="hit"] mark')?.textContent === "5559876");
  await shoot(page, "search");
  // By the customer's and the contract's number, as they are written on a bill.
  for (const [words, told] of [["cu 4711", /CU-4711\/b/], ["k2026", /K2026-08/]]) {
    await field.fill(words);
    await hit.filter({ hasText: told }).waitFor();
    assert.equal(await hit.count(), 1);
    await shoot(page, `search-${words.replace(" ", "-")}`);
  }
  // A filter would be a step of the browser's history: map and list stay as they are while one types.
  assert.equal(await page.evaluate(() => history.length), steps);
  await field.press("Escape");
  await hit.first().waitFor({ state: "detached" });
  await field.fill(displayName);
  await hit.first().waitFor();
  assert.equal(await hit.first().locator(".name").textContent(), displayName, "the whole name comes first");
  await field.press("ArrowDown");
  assert.equal(await field.getAttribute("aria-activedescendant"), "hit-0");
  assert.equal(await hit.first().getAttribute("aria-selected"), "true");
  await field.press("Enter");
  await byId(page, "site-panel").getByText(displayName).first().waitFor();
  assert.equal(await hit.count(), 0, "the hits close");
  assert.equal(await field.inputValue(), "");
  await page.waitForFunction(() => !document.querySelector('[data-testid="matching"]').textContent.includes(" of "));
  assert.deepEqual(faults, []);
});
