// The page on which many sites come from a file and go to one: dry run, report, import, cancel, resume, export.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { byId, comes, HOSTILE, launch, logIn, openPage, shoot } from "./browser.mjs";
import { Server } from "./server.mjs";

const MANY = 600;
/** Longest file that the page reads, in bytes. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

let server, token, browser;

before(async () => {
  server = await Server.bare();
  token = await server.fill(60);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A page that shows the import, and of which faults are kept. */
async function openImport(context = openPage({ browser, server, token }), secret = token) {
  const { page, faults } = await context;
  await logIn(page, server, secret);
  await openExchange(page);
  return { page, faults };
}

async function openExchange(page) {
  await byId(page, "open-more").click();
  await byId(page, "open-exchange").click();
  await byId(page, "exchange").waitFor();
}

function choose(page, name, text, mimeType = "text/csv") {
  return byId(page, "import-file").setInputFiles({ name, mimeType, buffer: Buffer.from(text) });
}

const phase = (page, name) => page.locator(`[data-testid="import-progress"][data-phase="${name}"]`).waitFor();

/** How many rows have an outcome, as the report's buttons tell. */
async function counts(page) {
  const texts = await byId(page, "outcome").evaluateAll((buttons) =>
    buttons.map((button) => [button.dataset.outcome, Number(button.querySelector("b").textContent.replaceAll(",", ""))]),
  );
  return Object.fromEntries(texts);
}

async function named(filter) {
  const { sites = [] } = await server.call("SiteService", "ListSites", { parent: "accounts/demo", filter, pageSize: 1000 }, token);
  return sites;
}

test("a sheet is looked at row by row, nothing changes before it is told to, and then exactly that happens", async () => {
  const known = { displayName: "Known Harbour", note: "as before" };
  await server.call("SiteService", "CreateSite", { parent: "accounts/demo", site: known }, token);
  const { page, faults } = await openImport();
  const sheet = [
    "\ufeffname;note;status;lat;lng;label.tier;info.rank",
    "New Harbour;made by a sheet;online;64.1;-21.9;gold;1",
    '"known  HARBOUR";"changed by a sheet\nin two lines";;;;;2',
    "Broken Status;;sideways;;;;3",
    `"${HOSTILE.replaceAll('"', '""')}";hostile;;;;;4`,
    "Half a Position;;;64.1;;;5",
    "Twice;;;;;;6",
    "twice;;;;;;7",
    "Too short;x",
    "Formula;=1+1;;;;;9",
    "=2+2;a name;;;;;10",
  ].join("\r\n");
  await choose(page, "harbours.csv", sheet);
  await phase(page, "checked");
  assert.deepEqual(await counts(page), { all: 10, refused: 7, created: 2, updated: 1, unchanged: 0 });
  // Lines are those of an editor: a cell of two lines moves all that follow.
  const lines = await byId(page, "import-row").evaluateAll((rows) => rows.map((row) => row.innerText.replaceAll(/\s+/g, " ")));
  assert.match(lines[0], /^2 New Harbour Would be created note, status, label.tier, pin/);
  assert.match(lines[1], /^3 .*Would be changed note/);
  assert.match(lines[2], /^5 Broken Status Refused status: .*“sideways”/);
  assert.match(lines[4], /^7 Half a Position Refused lat: a position needs both/);
  assert.match(lines[5], /^8 Twice Refused name: line 9 is about the same site/);
  assert.match(lines[7], /^10 .*Refused the row has 2 cells, and the heading has 7/);
  assert.match(lines[8], /^11 Formula Refused note: the cell is a formula/);
  assert.match(lines[9], /^12 =2\+2 Refused name: the cell is a formula/);
  assert.deepEqual(await named('display_name = "New Harbour"'), [], "a look changes nothing");
  await shoot(page, "import-preview", byId(page, "import-progress"));

  await page.locator('[data-outcome="refused"][data-testid="outcome"]').click();
  assert.equal(await byId(page, "import-row").count(), 7);
  await page.locator('[data-outcome="all"]').click();

  const download = page.waitForEvent("download");
  await byId(page, "import-report").click();
  const report = await readFile(await (await download).path(), "utf8");
  assert.match(report, /5,Broken Status,,refused,status,/);
  assert.match(report, /\r\n12,'=2\+2,,refused,name,/, "a report holds no formula");

  await byId(page, "import-run").click();
  await phase(page, "done");
  assert.deepEqual(await counts(page), { all: 10, refused: 7, created: 2, updated: 1, unchanged: 0 });
  const [made] = await named('display_name = "New Harbour"');
  assert.equal(made.location.source, "FIX_SOURCE_PIN");
  assert.equal(made.labels.tier, "gold");
  const [changed] = await named('display_name = "Known Harbour"');
  assert.equal(changed.note, "changed by a sheet\nin two lines");
  assert.equal(await page.title(), "waymark", "markup of a sheet is text");
  await shoot(page, "import-done", byId(page, "import-progress"));

  // A site that was made is a click away.
  await byId(page, "import-row").getByRole("button", { name: "New Harbour" }).click();
  await byId(page, "site-panel").getByText("New Harbour").first().waitFor();
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("features give points as pins, and lists and nulls as what they are", async () => {
  const { page, faults } = await openImport();
  const feature = (name, properties, geometry = null) => ({ type: "Feature", geometry, properties: { name, ...properties } });
  const features = [
    feature("Feature Pin", { phones: [{ number: "+3545451000", type: "work" }], labels: { a: "b" } }, { type: "Point", coordinates: [-21.9, 64.1] }),
    feature("Feature Estimate", { "info.source": "geoip" }, { type: "Point", coordinates: [1, 2] }),
    feature("Feature Line", {}, { type: "LineString", coordinates: [[1, 2], [3, 4]] }),
    feature("Feature Cleared", { note: null }),
    feature("Feature Odd", { colour: "red" }),
  ];
  await choose(page, "sites.geojson", JSON.stringify({ type: "FeatureCollection", features }), "application/geo+json");
  await phase(page, "checked");
  assert.deepEqual(await counts(page), { all: 5, refused: 2, created: 3, updated: 0, unchanged: 0 });
  await byId(page, "import-run").click();
  await phase(page, "done");
  const [pinned] = await named('display_name = "Feature Pin"');
  assert.deepEqual(pinned.contact.phones, [{ number: "+3545451000", kind: "PHONE_KIND_WORK" }]);
  assert.deepEqual(pinned.location.position, { lat: 64.1, lng: -21.9 });
  const [estimate] = await named('display_name = "Feature Estimate"');
  assert.equal(estimate.location?.position, undefined, "a point that waymark found out is no pin");
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("what is no sheet is told so in words", async () => {
  const { page, faults } = await openImport();
  const said = (words) => byId(page, "exchange").locator('[data-testid="error-banner"]').filter({ hasText: words }).waitFor();
  const told = async (name, bytes, words) => {
    await byId(page, "import-file").setInputFiles({ name, mimeType: "text/csv", buffer: bytes });
    await said(words);
  };
  await told("empty.csv", Buffer.from(""), "The file is empty");
  await told("heading.csv", Buffer.from("name,adress\nA,B\n"), "The column “adress” is unknown");
  await told("noname.csv", Buffer.from("note\nA\n"), "The column name is missing");
  await told("norows.csv", Buffer.from("name\n"), "no rows");
  await told("utf16.csv", Buffer.from("\ufeffname\nÅ\n", "utf16le"), "not text in UTF-8");
  await told("latin1.csv", Buffer.from([0x6e, 0x61, 0x6d, 0x65, 0x0a, 0xe9, 0x0a]), "not text in UTF-8");
  await told("text.geojson", Buffer.from("name,note\n"), "Line 1 is not a feature");
  const dir = await mkdtemp(path.join(tmpdir(), "waymark-sheet-"));
  try {
    // Of holes alone: it takes no room on the disk.
    const large = path.join(dir, "large.csv");
    await writeFile(large, "");
    await truncate(large, FILE_BYTES_MAX + 1);
    await byId(page, "import-file").setInputFiles(large);
    await said("A file has at most 64 MiB.");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("an import is cancelled and resumed, by the page and behind a reload, and makes nothing twice", async () => {
  const { page, faults } = await openImport();
  const rows = Array.from({ length: MANY }, (_, at) => `Bulk ${String(at).padStart(5, "0")},row ${at}`);
  const sheet = `name,note\n${rows.join("\n")}\n`;
  await choose(page, "bulk.csv", sheet);
  await phase(page, "checked");
  assert.equal((await counts(page)).created, MANY);

  // The third call is held until the import is cancelled, so that it is cancelled in the middle, however fast the machine is.
  let calls = 0;
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await page.route("**/waymark.v1.ImportService/ImportSites", async (route) => {
    calls += 1;
    if (calls > 2) await held;
    // One that was cancelled meanwhile has nowhere to go.
    await route.continue().catch(() => {});
  });
  await byId(page, "import-run").click();
  await page.waitForFunction(() => Number(document.querySelector('[data-testid="import-progress"]').dataset.finished) >= 100);
  await shoot(page, "import-running", byId(page, "import-progress"));
  await byId(page, "import-cancel").click();
  await phase(page, "paused");
  release();
  await page.unroute("**/waymark.v1.ImportService/ImportSites");
  await byId(page, "import-resume").waitFor();
  const part = (await named('display_name : "Bulk"')).length;
  assert.ok(part < MANY, `${part} of ${MANY} rows are imported when the import is cancelled`);

  // The tab is reloaded: the same file goes on where it stopped.
  await page.reload();
  await byId(page, "map").waitFor();
  await openExchange(page);
  await choose(page, "bulk.csv", sheet);
  await phase(page, "read");
  await shoot(page, "import-interrupted", byId(page, "import-progress"));
  await byId(page, "import-resume").click();
  await phase(page, "done");
  const after = await counts(page);
  assert.equal(after.refused, 0);
  assert.equal(after.created + after.updated + after.unchanged, MANY);
  const sites = [];
  let pageToken = "";
  do {
    const request = { parent: "accounts/demo", filter: 'display_name : "Bulk"', pageSize: 1000, pageToken };
    const answer = await server.call("SiteService", "ListSites", request, token);
    sites.push(...answer.sites);
    pageToken = answer.nextPageToken;
  } while (pageToken);
  assert.equal(sites.length, MANY, "each row is one site");

  // Done: the same file is looked at as a new one.
  await choose(page, "bulk.csv", sheet);
  await phase(page, "checked");
  assert.deepEqual(await counts(page), { all: MANY, refused: 0, created: 0, updated: 0, unchanged: MANY });
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("rows that are sent again before their first answers come count once", async () => {
  const [rows, imports] = [150, "**/waymark.v1.ImportService/ImportSites"];
  const { page, faults } = await openImport();
  await choose(page, "twice.csv", `name\n${Array.from({ length: rows }, (_, at) => `Twice ${at}`).join("\n")}\n`);
  await phase(page, "checked");
  // Two calls before the import is cancelled, and the same two when it is resumed.
  const release = [];
  const held = [0, 1].map((turn) => new Promise((resolve) => (release[turn] = resolve)));
  let [calls, answers] = [0, 0];
  await page.route(imports, async (route) => {
    await held[Math.floor(calls++ / 2)];
    await route.continue();
  });
  page.on("response", (response) => void (response.url().endsWith("/ImportSites") && (answers += 1)));
  const made = (count) => comes(page, async () => (calls === count ? "" : `${calls} calls, not ${count}`));
  await byId(page, "import-run").click();
  await made(2);
  await byId(page, "import-cancel").click();
  await byId(page, "import-resume").click();
  await made(4);
  release[0]();
  const finished = () => byId(page, "import-progress").getAttribute("data-finished").then(Number);
  await comes(page, async () => (answers === 2 && (await finished()) === rows ? "" : `${await finished()} of ${rows} are finished`));
  release[1]();
  await phase(page, "done");
  assert.equal(await finished(), rows);
  assert.equal((await named('display_name : "Twice"')).length, rows);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("what is exported is what the command line exports, and comes back as it was", async () => {
  const { page, faults } = await openImport();
  const saved = async () => {
    const download = page.waitForEvent("download");
    await byId(page, "export-run").click();
    return readFile(await (await download).path(), "utf8");
  };
  const csv = await saved();
  const expected = await server.cli("export", "sites", "--account", "demo", "--bom");
  const plain = (text) => text.replaceAll(/\.\d+Z/g, "Z").trim().split("\r\n");
  const [ours, theirs] = [plain(csv), plain(expected)];
  assert.equal(ours.length, theirs.length);
  assert.equal(ours[0].replace("\ufeff", ""), theirs[0].replace("\ufeff", ""));
  await byId(page, "export-status").filter({ hasText: "sites are in demo-sites.csv" }).waitFor();

  await byId(page, "export-geojson").check();
  const collection = JSON.parse(await saved());
  const theirCollection = JSON.parse(await server.cli("export", "sites", "--account", "demo", "--format", "geojson"));
  const comparable = ({ features }) => features.map((feature) => {
    const kept = Object.entries(feature.properties).filter(([key]) => !key.endsWith("_time"));
    return { id: feature.id, geometry: feature.geometry, properties: Object.fromEntries(kept.sort()) };
  });
  assert.deepEqual(comparable(collection), comparable(theirCollection));

  // What was exported changes nothing when it comes back.
  await byId(page, "import-match").selectOption("site_id");
  await choose(page, "back.csv", csv);
  await phase(page, "checked");
  const { all, unchanged } = await counts(page);
  assert.equal(unchanged, all);

  // Two sites have no one name, whatever their rows are found by.
  const [{ name }] = await named("");
  await choose(page, "renamed.csv", `site_id,name\n${name.split("/").at(-1)},New Pier\n,new  PIER\n,Old Pier\n`);
  await page.waitForFunction(() => document.querySelector('[data-testid="outcome"][data-outcome="all"] b')?.textContent === "3");
  await phase(page, "checked");
  const told = await byId(page, "import-row").evaluateAll((rows) => rows.map((row) => row.innerText.replaceAll(/\s+/g, " ")));
  assert.match(told[0], /Refused name: line 3 has the same name/);
  assert.match(told[1], /Refused name: line 2 has the same name/);
  assert.match(told[2], /^4 Old Pier Would be created/);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("the filter's sites are exported alone, and a token that masks contacts exports none", async () => {
  const request = { parent: "accounts/demo", token: { scope: "TOKEN_SCOPE_VIEWER", contacts: "CONTACT_ACCESS_MASKED" } };
  const { secret } = await server.call("AdminService", "CreateToken", request, server.adminToken);
  const site = { displayName: "Masked Harbour", note: "secret-note", contact: { email: "secret@example.com" } };
  await server.call("SiteService", "CreateSite", { parent: "accounts/demo", site }, token);
  const { page, faults } = await openPage({ browser, server, token: secret });
  await logIn(page, server, secret);
  await byId(page, "search").fill("Masked Harbour");
  await byId(page, "search").press("Enter");
  await page.waitForFunction(() => document.querySelector('[data-testid="matching"]')?.textContent.includes(" of "));
  await openExchange(page);
  assert.equal(await byId(page, "import-file").count(), 0, "a viewer imports nothing");
  const download = page.waitForEvent("download");
  await byId(page, "export-run").click();
  const csv = await readFile(await (await download).path(), "utf8");
  assert.equal(csv.trim().split("\r\n").length, 2);
  assert.match(csv, /Masked Harbour/);
  assert.doesNotMatch(csv, /secret|•••/);
  assert.deepEqual(faults, []);
  await page.context().close();
});
