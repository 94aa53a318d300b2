// Sites whose records the server cannot read: the lists that they may belong to say so, and claim nothing that nobody knows.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { byId, launch, logIn, openPage, shoot } from "./browser.mjs";
import { Server } from "./server.mjs";

const DAMAGED = "accounts/demo/sites/0193a6b0-0000-7000-8000-000000000000";
/** Numbers of `unreachable` in the answers of these methods. */
const UNREACHABLE = { ListSites: 3, ListAttention: 6 };
/** Bytes before a message of gRPC-Web: a flag and the length. */
const HEAD_BYTES = 5;

let server, token, browser;

before(async () => {
  server = await Server.bare();
  token = await server.fill(5);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A page that hears of a damaged site in all answers of these methods, whatever else is in them; and how many did so. */
async function openDamaged() {
  const { page, faults } = await openPage({ browser, server, token });
  const named = { ListSites: 0, ListAttention: 0 };
  for (const [method, field] of Object.entries(UNREACHABLE)) {
    await page.route(`**/waymark.v1.*/${method}`, async (route) => {
      const response = await route.fetch();
      const headers = { ...response.headers() };
      delete headers["content-length"];
      named[method] += 1;
      await route.fulfill({ status: response.status(), headers, body: withText(await response.body(), field, DAMAGED) });
    });
  }
  await logIn(page, server, token);
  return { page, faults, named };
}

/** A whole answer of gRPC-Web with one more text in its message. */
function withText(body, field, text) {
  assert.equal(body[0], 0, "the answer begins with its message");
  const end = HEAD_BYTES + body.readUInt32BE(1);
  const value = Buffer.from(text);
  assert.ok(value.length < 128, "its length is one byte");
  const more = Buffer.concat([Buffer.from([(field << 3) | 2, value.length]), value]);
  const head = Buffer.from(body.subarray(0, HEAD_BYTES));
  head.writeUInt32BE(end - HEAD_BYTES + more.length, 1);
  return Buffer.concat([head, body.subarray(HEAD_BYTES, end), more, body.subarray(end)]);
}

const told = (page) => byId(page, "error-banner").filter({ hasText: `1 site is perhaps missing here, because its record is damaged: ${DAMAGED}.` });

test("the list of sites without a position names a site that cannot be read, once, and does not say that all have one", async () => {
  const { name } = await server.call("SiteService", "CreateSite", { parent: "accounts/demo", site: { displayName: "Nowhere" } }, token);
  const { page, faults, named } = await openDamaged();
  await byId(page, "unplaced").click();
  await byId(page, "site-row").filter({ hasText: "Nowhere" }).waitFor();
  await told(page).waitFor();
  assert.equal(await told(page).count(), 1);
  await shoot(page, "damaged-unplaced");
  // Of the sites in view nobody says so: the map knows of none that is damaged.
  await byId(page, "list-back").click();
  await told(page).waitFor({ state: "detached" });

  await byId(page, "unplaced").click();
  await told(page).waitFor();
  await server.call("SiteService", "DeleteSite", { name }, token);
  await page.getByText("Every site whose record can be read has a position.").waitFor();
  assert.equal(await told(page).count(), 1);
  assert.ok(named.ListSites > 1);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("the queues of what needs attention name it, and none says that all is done", async () => {
  const { page, faults, named } = await openDamaged();
  await byId(page, "open-attention").click();
  await byId(page, "attention").waitFor();
  await told(page).waitFor();
  await byId(page, "attention-none").filter({ hasText: "No other sites are left here." }).waitFor();
  assert.ok(named.ListAttention > 0);
  // What a filter finds is listed by another method.
  const before = named.ListSites;
  await byId(page, "attention-kind").filter({ hasText: "Offline" }).click();
  await byId(page, "attention-name").filter({ hasText: "Site" }).waitFor();
  await told(page).waitFor();
  assert.ok(named.ListSites > before);
  await shoot(page, "damaged-attention");
  assert.deepEqual(faults, []);
  await page.context().close();
});
