// What the page weighs until its first map, by all that a browser takes of the server, files of workers and fonts too; and the codings
// that its files are sent in.
import assert from "node:assert/strict";
import http from "node:http";
import { after, before, test } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { launch, logIn, openPage, symbolsDrawn } from "./browser.mjs";
import { Gate } from "./gate.mjs";
import { Server } from "./server.mjs";

/** The most bytes until the first map. */
const BYTES_MAX = 700_000;
/** Files below this are sent as they are (dashboard/scripts/served.mjs). */
const SMALL_BYTES = 1_024;
const TYPES = { js: "text/javascript", css: "text/css", json: "application/json", woff2: "font/woff2" };
/** What a browser asks for of a server that is itself, or is reached by TLS; and of any other, where it trusts none on the way. */
const CODINGS = "gzip, deflate, br, zstd";
const GZIP = "gzip, deflate";

let server, token, browser, gate;
/** All that went to the page by its first map. */
let weights;

before(async () => {
  server = await Server.bare();
  token = await server.fill(60);
  gate = await Gate.before(server);
  browser = await launch();
  const { page, faults } = await openPage({ browser, server: gate, token });
  await logIn(page, gate, token);
  await symbolsDrawn(page);
  weights = gate.weights();
  assert.deepEqual(faults, []);
  await page.context().close();
});

after(async () => {
  await browser?.close();
  await gate?.stop();
  await server?.stop();
});

/** Asks for a path, as it is written, with just these headers, and decodes nothing. */
function ask(path, headers = {}, method = "GET") {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const request = http.request({ hostname, port, path, method, headers }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) }));
    });
    request.on("error", reject);
    request.end();
  });
}

const assets = () => weights.map(({ path }) => path).filter((path) => path.startsWith("/assets/"));
const endingOf = (path) => path.split(".").at(-1);
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** The heaviest, for whoever has to find out why it is too much. */
function told(weighed) {
  const heaviest = [...weighed].sort((a, b) => b.bodies - a.bodies).slice(0, 12);
  return heaviest.map(({ path, bodies, coding }) => `\n  ${bodies} ${path} ${coding ?? "as it is"}`).join("");
}

test("the page, its workers and its fonts are light until the first map", (t) => {
  for (const part of [/^\/$/, /^\/assets\/.*worker.*\.js$/, /^\/assets\/engine-.*\.js$/, /\.woff2$/, /\/WatchViewport$/]) {
    const found = weights.filter(({ path }) => part.test(path));
    assert.ok(found.length > 0 && found.every(({ bodies }) => bodies > 0), `${part} was weighed`);
  }
  const texts = weights.filter(({ path }) => path.startsWith("/assets/") && endingOf(path) !== "woff2");
  assert.ok(texts.every(({ coding, bodies }) => coding === "br" || bodies < SMALL_BYTES), told(texts));
  const all = sum(weights.map(({ heads, bodies }) => heads + bodies));
  t.diagnostic(`until the first map: ${all} bytes, ${sum(weights.map(({ bodies }) => bodies))} without heads, ${weights.length} paths`);
  assert.ok(all <= BYTES_MAX, `${all} bytes:${told(weights)}`);
});

test("its files are light in gzip too, which is all that a browser takes where it does not trust the way", async (t) => {
  const files = await Promise.all(
    ["/", ...assets()].map(async (path) => {
      const { headers, body } = await ask(path, { "accept-encoding": GZIP });
      return { path, bodies: body.length, coding: headers["content-encoding"] };
    }),
  );
  const all = sum(files.map(({ bodies }) => bodies));
  t.diagnostic(`files in gzip: ${all} bytes`);
  assert.ok(all <= BYTES_MAX, `${all} bytes:${told(files)}`);
});

test("each form of a file says what it is, has a tag of its own, and is the same file", async () => {
  const isPacked = ({ path, coding }) => path.startsWith("/assets/") && coding === "br";
  const packed = weights.filter(isPacked).map(({ path }) => path);
  assert.ok(packed.length >= 5, `${packed}`);
  for (const path of packed) {
    const [br, gzip, plain] = await Promise.all([
      ask(path, { "accept-encoding": CODINGS }),
      ask(path, { "accept-encoding": GZIP }),
      ask(path),
    ]);
    assert.deepEqual([br, gzip, plain].map(({ status }) => status), [200, 200, 200], path);
    assert.deepEqual([br, gzip, plain].map(({ headers }) => headers["content-encoding"]), ["br", "gzip", undefined], path);
    assert.ok(brotliDecompressSync(br.body).equals(plain.body) && gunzipSync(gzip.body).equals(plain.body), path);
    assert.ok(br.body.length < gzip.body.length && gzip.body.length < plain.body.length, path);
    for (const { headers, body } of [br, gzip, plain]) {
      assert.equal(headers.vary, "accept-encoding", path);
      assert.equal(headers["content-type"], TYPES[endingOf(path)], path);
      assert.equal(headers["content-length"], `${body.length}`, path);
      assert.equal(headers["cache-control"], "public, max-age=31536000, immutable", path);
      assert.match(headers.etag, /^"[0-9a-f]+"$/, "a strong tag");
    }
    assert.equal(new Set([br, gzip, plain].map(({ headers }) => headers.etag)).size, 3, `${path}: other bytes, another tag`);
  }
});

test("who has a form is told so, and who has another one gets theirs", async () => {
  const [path] = assets().filter((path) => endingOf(path) === "js");
  const tagOf = async (accept) => (await ask(path, accept)).headers.etag;
  const accepts = [{ "accept-encoding": CODINGS }, { "accept-encoding": GZIP }, {}];
  for (const accept of accepts) {
    for (const other of accepts) {
      const answer = await ask(path, { ...accept, "if-none-match": await tagOf(other) });
      assert.equal(answer.status, accept === other ? 304 : 200, `${JSON.stringify(accept)} with that of ${JSON.stringify(other)}`);
      assert.equal(answer.headers.vary, "accept-encoding");
    }
  }
});

test("a coding is taken as the header weighs it, and never one that is refused", async () => {
  const [path] = assets().filter((path) => /\/index-.*\.css$/.test(path));
  for (const [accept, coding] of [
    ["br;q=0.5, gzip", "gzip"],
    ["br;q=0, gzip", "gzip"],
    ["*", "br"],
    ["zstd", undefined],
    ["identity, br;q=0.5", undefined],
    ["identity;q=0", undefined],
  ]) {
    const { status, headers } = await ask(path, { "accept-encoding": accept });
    assert.deepEqual([status, headers["content-encoding"]], [200, coding], accept);
  }
  const whole = await ask(path, { "accept-encoding": "br" });
  const head = await ask(path, { "accept-encoding": "br" }, "HEAD");
  assert.deepEqual([head.status, head.body.length, head.headers.etag], [200, 0, whole.headers.etag]);
});

test("what is compressed already, or small, is sent as it is to all", async () => {
  const fonts = assets().filter((path) => endingOf(path) === "woff2");
  assert.ok(fonts.length > 0);
  for (const path of [...fonts, "/icon.svg"]) {
    const [one, other] = await Promise.all([ask(path, { "accept-encoding": CODINGS }), ask(path)]);
    for (const { status, headers } of [one, other]) {
      assert.deepEqual([status, headers["content-encoding"], headers.vary], [200, undefined, undefined], path);
    }
    assert.ok(one.headers.etag === other.headers.etag && one.body.equals(other.body), path);
    if (endingOf(path) === "woff2") assert.equal(one.headers["content-type"], TYPES.woff2);
  }
  assert.equal((await ask("/")).headers["cache-control"], "no-cache", "the page itself is asked for each time");
});

test("where the codings lie is nobody's path", async () => {
  const [path] = assets();
  for (const hidden of [`/br${path}`, `/served/br${path}`, `/plain${path}`, `${path}.br`, `/../br${path}`]) {
    assert.equal((await ask(hidden)).status, 404, hidden);
  }
});
