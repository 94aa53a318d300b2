// The client in TypeScript against a real server: what it repeats, deadlines, pages, and watches over cuts and crashes.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { build, CLIENT } from "./client_build.mjs";
import { Cutting } from "./cutting.mjs";
import { ROOT, Server } from "./server.mjs";

const CASES = JSON.parse(await readFile(path.join(ROOT, "clients/cases.json"), "utf8"));
// Milliseconds for whatever has to come.
const COMES_MS_MAX = 60_000;

let built, server, waymark, pb, Ledger;
let accounts = 0;

before(async () => {
  built = await build();
  waymark = await built.load("index");
  pb = waymark.pb;
  ({ Ledger } = await built.load("ledger"));
  server = await Server.bare();
});

after(async () => {
  await server?.stop();
  await built?.remove();
});

/** A fresh account of a server: its name, and a token of a scope. */
async function account(of = server, scope = pb.TokenScope.ADMIN) {
  const operator = waymark.connect({ server: of.url, token: of.adminToken });
  accounts += 1;
  const { name } = await operator.admin.createAccount({ accountId: `acme-${accounts}`, account: {} });
  const { secret } = await operator.admin.createToken({ parent: name, token: { scope } });
  return { name, token: secret };
}

/** The error that a call ends with. */
async function errorOf(call) {
  try {
    await call();
  } catch (error) {
    assert.ok(error instanceof waymark.WaymarkError, `${error?.stack}`);
    return error;
  }
  throw new Error("no error");
}

async function listed(client, parent) {
  const names = [];
  for await (const site of waymark.each(client.sites.listSites, { parent, pageSize: 100 }, (page) => page.sites)) names.push(site.name);
  return names;
}

/** What kinds of events a watch gives until it ends. */
async function kindsOf(events) {
  const kinds = [];
  for await (const { kind } of events) kinds.push(kind);
  return kinds;
}

/** A site as cases.json writes it. */
function siteOf(text) {
  const [name, revision, seconds] = text.split("@");
  return { name, revision: BigInt(revision), updateTime: { seconds: BigInt(seconds), nanos: 0 } };
}

/** An event as cases.json writes it. */
function shown(event) {
  const change = { changed: `+${event.name}@${event.site?.revision}`, removed: `-${event.name}` }[event.kind] ?? event.kind;
  return `${change} =${event.revision}`;
}

describe("what a watch tells", () => {
  for (const { name, resume, steps } of CASES.watch) {
    test(name, () => {
      const ledger = new Ledger(BigInt(resume));
      for (const step of steps) {
        if ("begin" in step) {
          assert.equal(ledger.begin(), BigInt(step.begin));
          continue;
        }
        const { mark = "UNSPECIFIED", revision, changed = [], removed = [] } = step.take;
        const message = { mark: pb.WatchMark[mark], revision: BigInt(revision), changedSites: changed.map(siteOf), removedSites: removed };
        assert.deepEqual(ledger.take(message).map(shown), step.tell, JSON.stringify(step.take));
      }
    });
  }
});

test("the package pins what the dashboard does, in its lock file, too", async () => {
  const read = async (...parts) => JSON.parse(await readFile(path.join(...parts), "utf8"));
  const [own, lock] = [await read(CLIENT, "package.json"), await read(CLIENT, "package-lock.json")];
  const [dashboard, dashboardLock] = [await read(ROOT, "dashboard/package.json"), await read(ROOT, "dashboard/package-lock.json")];
  for (const [name, version] of Object.entries({ ...own.dependencies, ...own.devDependencies })) {
    assert.equal(version, dashboard.devDependencies[name], name);
  }
  for (const kind of ["name", "version", "dependencies", "devDependencies", "engines"]) {
    assert.deepEqual(lock.packages[""][kind], own[kind], kind);
  }
  for (const [name, { version, integrity }] of Object.entries(lock.packages).filter(([name]) => name !== "")) {
    const same = dashboardLock.packages[name];
    assert.deepEqual([version, integrity], [same?.version, same?.integrity], `${name}: make the lock file anew`);
  }
});

test("calls answer with messages, lists are iterators, errors say what to do", async () => {
  const { name: parent, token } = await account();
  const client = waymark.connect({ server: server.url, token });
  const made = [];
  for (let at = 0; at < 5; at += 1) made.push(await client.sites.createSite({ parent, site: { displayName: `site ${at}` } }));
  assert.deepEqual(await client.sites.getSite({ name: made[0].name }), made[0]);
  const paged = [];
  for await (const site of waymark.each(client.sites.listSites, { parent, pageSize: 2 }, (page) => page.sites)) paged.push(site.name);
  assert.deepEqual(paged, made.map((site) => site.name));
  const tiles = [];
  for await (const tile of client.map.streamTiles({ parent, tiles: [{ z: 0, x: 0, y: 0 }] })) tiles.push(tile);
  assert.equal(tiles.length, 1);

  const error = await errorOf(() => client.sites.createSite({ parent, site: {} }));
  assert.deepEqual([error.codeName, error.reason, error.advice, error.isLost], ["INVALID_ARGUMENT", "FIELD_INVALID", "correct", false]);
  assert.deepEqual(error.violations.map((violation) => violation.field), ["site.display_name"]);
  assert.ok(error.violations[0].description && error.whatToDo.startsWith("correct the request"));
  const missing = `${parent}/sites/0198c2f4-7a30-7000-8000-000000000000`;
  const absent = await errorOf(() => client.sites.getSite({ name: missing }));
  assert.deepEqual([absent.reason, absent.advice, absent.resource], ["RESOURCE_NOT_FOUND", "missing", missing]);
  // What cannot be sent is no loss: it is told at once.
  await assert.rejects(client.sites.listSites({ parent, pageSize: 1.5 }), (fault) => !(fault instanceof waymark.WaymarkError));
});

test("a list that lacks damaged sites says so behind all others", async () => {
  const pages = [
    { sites: ["a"], unreachable: ["b"], nextPageToken: "next" },
    { sites: ["c"], unreachable: ["d"], nextPageToken: "" },
  ];
  const names = [];
  const error = await errorOf(async () => {
    for await (const name of waymark.each(async () => pages.shift(), {}, (page) => page.sites)) names.push(name);
  });
  assert.deepEqual(names, ["a", "c"]);
  assert.deepEqual([error.codeName, error.reason, error.advice, error.isLost], ["DATA_LOSS", "STORAGE_CORRUPT", "operator", false]);
  assert.match(error.message, /^2 sites are left out.*: b, d$/);
});

test("a site whose answer was lost is made once", async () => {
  const { name: parent, token } = await account();
  const cutting = await Cutting.before(server, "lost on its way");
  try {
    const client = waymark.connect({ server: cutting.url, token });
    const made = await client.sites.createSite({ parent, site: { displayName: "lost on its way" } });
    assert.equal(cutting.cuts, 1, "the answer was lost");
    assert.deepEqual(await listed(client, parent), [made.name]);
  } finally {
    await cutting.stop();
  }
});

test("what would be done twice is not repeated", async () => {
  const { name: parent, token } = await account();
  const cutting = await Cutting.before(server, "wmk_");
  try {
    const client = waymark.connect({ server: cutting.url, token });
    const error = await errorOf(() => client.admin.createToken({ parent, token: { scope: pb.TokenScope.VIEWER } }));
    assert.deepEqual([cutting.cuts, error.isLost, error.advice], [1, true, "look"]);
    const { tokens } = await client.admin.listTokens({ parent });
    assert.equal(tokens.length, 2, "the one of the test, and the one whose secret was lost");
  } finally {
    await cutting.stop();
  }
});

// Half a second passes between two places: without the wait each call would be refused three times at least.
test("the wait that a server asks for is kept", async () => {
  const limited = await Server.bare([], "[traffic]\ncalls_of_token = { per_s = 2, burst = 2 }");
  try {
    const { name, token } = await account(limited, pb.TokenScope.VIEWER);
    const client = waymark.connect({ server: limited.url, token });
    for (let count = 0; count < 5; count += 1) assert.equal((await client.admin.whoAmI({})).account, name);
    const metrics = await (await limited.get("/metrics", limited.adminToken)).text();
    const [, refused] = /^waymark_calls_limited_total\{limit="calls_of_token"\} (\d+)$/m.exec(metrics) ?? [];
    assert.ok(Number(refused) >= 1 && Number(refused) <= 6, `${refused} refusals`);
  } finally {
    await limited.stop();
  }
});

test("a deadline ends a call, and is not repeated", async () => {
  let connections = 0;
  const silent = net.createServer(() => (connections += 1));
  await new Promise((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const sockets = [];
  silent.on("connection", (socket) => sockets.push(socket));
  try {
    const client = waymark.connect({ server: `http://127.0.0.1:${silent.address().port}`, token: "wmk_x" });
    const error = await errorOf(() => client.admin.whoAmI({}, { timeoutMs: 200 }));
    assert.deepEqual([error.codeName, error.advice, connections], ["DEADLINE_EXCEEDED", "look", 1]);
    const ended = new AbortController();
    const call = errorOf(() => client.admin.whoAmI({}, { signal: ended.signal }));
    ended.abort();
    assert.equal((await call).codeName, "CANCELLED");
  } finally {
    sockets.forEach((socket) => socket.destroy());
    await new Promise((resolve) => silent.close(resolve));
  }
});

test("a watch tells each change once over cuts and crashes", { timeout: 3 * COMES_MS_MAX }, async () => {
  const own = await Server.bare();
  const cutting = await Cutting.before(own);
  const ended = new AbortController();
  try {
    const { name: parent, token } = await account(own);
    const writer = waymark.connect({ server: own.url, token, deadlineMs: COMES_MS_MAX });
    const names = [];
    const write = async (count) => {
      for (let at = 0; at < count; at += 1) {
        const site = { displayName: `site ${String(names.length).padStart(3, "0")}` };
        names.push((await writer.sites.createSite({ parent, site })).name);
      }
    };
    const told = [];
    let cuts = 0;
    const options = { signal: ended.signal, onCut: () => (cuts += 1) };
    const events = waymark.connect({ server: cutting.url, token }).watchSites(parent, options);
    const hear = async (wanted) => {
      while (told.length < wanted) {
        const { value, done } = await events.next();
        assert.ok(!done && value.kind !== "resync");
        if (value.name) told.push([value.kind, value.name]);
      }
    };
    assert.equal((await events.next()).value.kind, "current");
    await write(5);
    await hear(5);
    cutting.cut();
    await write(5);
    await hear(10);
    // Killed in the midst of writes: one whose answer is lost is made once.
    const writing = write(40);
    while (names.length < 15) await new Promise((resolve) => setTimeout(resolve, 5));
    await own.kill();
    cutting.cut();
    await own.revive();
    await writing;
    await hear(names.length);
    assert.deepEqual(told, names.map((name) => ["changed", name]));
    assert.deepEqual(await listed(writer, parent), names);
    assert.ok(cuts >= 2, `${cuts} cuts`);
    await writer.sites.deleteSite({ name: names[0] });
    cutting.cut();
    await hear(names.length + 1);
    assert.deepEqual(told.at(-1), ["removed", names[0]]);
    // That the watch is current again may stand behind the removal, or be on its way.
    const rest = kindsOf(events);
    ended.abort();
    assert.ok((await rest).every((kind) => kind === "current"));
  } finally {
    ended.abort();
    await cutting.stop();
    await own.stop();
  }
});

test("a watch that is ended gives nothing more", async () => {
  const { name: parent, token } = await account();
  const client = waymark.connect({ server: server.url, token });
  for (const displayName of ["one", "two", "three"]) await client.sites.createSite({ parent, site: { displayName } });
  const ended = new AbortController();
  const events = client.watchSites(parent, { signal: ended.signal });
  // All three come in one message.
  assert.equal((await events.next()).value.kind, "changed");
  ended.abort();
  assert.deepEqual(await kindsOf(events), []);
});

test("a program that comes back hears what it missed, and a watch that is wrong ends", async () => {
  const { name: parent, token } = await account();
  const client = waymark.connect({ server: server.url, token });
  const take = async (count, options) => {
    const taken = [];
    for await (const event of client.watchSites(parent, options)) {
      taken.push(event);
      if (taken.length === count) break;
    }
    return taken;
  };
  const { name: kept } = await client.sites.createSite({ parent, site: { displayName: "kept" } });
  const first = await take(2, {});
  assert.deepEqual(first.map((event) => event.kind), ["changed", "current"]);
  const { name: fresh } = await client.sites.createSite({ parent, site: { displayName: "fresh" } });
  await client.sites.deleteSite({ name: kept });
  const missed = await take(3, { resumeRevision: first[1].revision });
  assert.deepEqual(missed.slice(0, 2).map(({ kind, name }) => `${kind} ${name}`).sort(), [`changed ${fresh}`, `removed ${kept}`]);
  assert.equal(missed[2].kind, "current");
  const late = await take(3, { resumeRevision: 2n ** 63n });
  assert.deepEqual(late.map((event) => event.kind), ["resync", "changed", "current"]);
  const wrong = await errorOf(() => take(1, { filter: "status = " }));
  assert.deepEqual(wrong.violations.map((violation) => violation.field), ["filter"]);
});

test("own writes are asked for", async () => {
  const { name: parent, token } = await account();
  const client = waymark.connect({ server: server.url, token });
  const site = await client.sites.createSite({ parent, site: { displayName: "mine" } });
  assert.equal(client.written(parent), `${parent}=${site.revision}`);
  assert.equal(client.written("accounts/other"), undefined);
  assert.deepEqual(await client.atLeast(client.written(parent)).sites.getSite({ name: site.name }), site);
  assert.throws(() => client.atLeast("nonsense"), TypeError);
  const sent = [];
  const listening = (url, options) => {
    sent.push(new Headers(options.headers).get("waymark-min-revision"));
    return fetch(url, options);
  };
  const own = waymark.connect({ server: server.url, token, fetch: listening }).withOwnWritesOf(parent);
  await own.sites.deleteSite({ name: site.name });
  assert.ok((await own.sites.getSite({ name: site.name })).deleteTime);
  assert.deepEqual(sent, [null, own.written(parent)]);
});

test("a token goes to no stranger and is shown nowhere", async () => {
  const secret = `wmk_${"secret".repeat(7)}`;
  const client = waymark.connect({ server: server.url, token: secret });
  const error = await errorOf(() => client.admin.whoAmI({}));
  assert.equal(error.advice, "sign_in");
  const shown = `${error.stack} ${JSON.stringify(error)} ${error.cause?.stack} ${JSON.stringify(client)}`;
  assert.ok(!shown.includes("secret"), shown);
  for (const address of ["127.0.0.1:8642", "ftp://127.0.0.1", "http://127.0.0.1/path", "http://192.0.2.1"]) {
    assert.throws(() => waymark.connect({ server: address, token: secret }), TypeError, address);
  }
  for (const token of ["", "two words", "a\nb"]) {
    assert.throws(() => waymark.connect({ server: server.url, token }), /the token is malformed/);
  }
  const { tokenOfFile } = await built.load("node");
  const file = path.join(server.dir, "client.token");
  await writeFile(file, `${server.adminToken}\n`);
  const rereading = waymark.connect({ server: server.url, token: () => tokenOfFile(file) });
  assert.equal((await rereading.admin.whoAmI({})).scope, pb.TokenScope.ADMIN);
});
