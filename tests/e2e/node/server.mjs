// Starts `waymark serve` on a port that the system picks, calls its command line, and ends it by its id.
import { spawn, execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rm, open, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import readline from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
export const BINARY = process.env.WAYMARK_BIN ?? path.join(ROOT, "target/debug/waymark");
export const GEOIP = ["ipv4", "ipv6"].map((family) => path.join(ROOT, `data/fetched/dbip/dbip-city-${family}.mmdb`));
export const GAZETTEER = path.join(ROOT, "data/built/gazetteer");
const BUF = path.join(ROOT, "tests/e2e/node_modules/.bin/buf");
// Milliseconds for a start of a build without optimisation, and for a drain.
const READY_MS_MAX = 60_000;
const DRAIN_MS_MAX = 30_000;

// Rows of a call, as many as the server takes.
const ROWS_OF_CALL = 100;
// Where the sites of `fill` are: Reykjavík, Zürich, Sydney.
const PLACES = [[64.1, -21.9], [47.3, 8.5], [-33.8, 151.2]];

// The environment without settings that a developer's shell may hold.
const environment = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith("WAYMARK_")));

/** What sets a process's clock, as faketime is told (`+8d`); absent where it is not installed. */
export function clock(told) {
  const folders = readdirSync("/usr/lib").map((folder) => `/usr/lib/${folder}/faketime/libfaketimeMT.so.1`);
  const library = folders.find((file) => existsSync(file));
  return library && { LD_PRELOAD: library, FAKETIME: told, FAKETIME_DONT_FAKE_MONOTONIC: "1" };
}

/** A running server with a data directory of its own. */
export class Server {
  static start(more = []) {
    const databases = GEOIP.flatMap((file) => ["--geoip", file]);
    return Server.bare(["--trusted-proxy", "127.0.0.0/8", "--gazetteer", GAZETTEER, ...databases, ...more]);
  }

  /** One without databases, which starts at once; and with a configuration, as text in TOML, where there is one. */
  static async bare(more = [], configuration = "") {
    const server = new Server();
    server.dir = await mkdtemp(path.join(tmpdir(), "waymark-node-"));
    server.tokenFile = path.join(server.dir, "admin.token");
    const args = ["serve", "--listen", "127.0.0.1:0", "--data-dir", path.join(server.dir, "data")];
    args.push("--admin-token-file", server.tokenFile, ...more);
    if (configuration) {
      const file = path.join(server.dir, "waymark.toml");
      await writeFile(file, configuration);
      args.push("--config", file);
    }
    server.args = args;
    await server.#begin();
    // Of several over one store the first has it.
    server.adminToken = existsSync(server.tokenFile) ? (await readFile(server.tokenFile, "utf8")).trim() : "";
    return server;
  }

  async #begin(more = {}) {
    const log = await open(path.join(this.dir, "server.log"), "a");
    this.process = spawn(BINARY, this.args, { stdio: ["ignore", "pipe", log.fd], env: { ...environment, ...more } });
    this.ended = new Promise((resolve) => this.process.once("exit", (code) => resolve(code)));
    await log.close();
    try {
      this.url = await readyAddress(this.process);
    } catch (error) {
      this.process.kill("SIGKILL");
      throw new Error(`${error.message}\n${await this.log()}`);
    }
  }

  /** Drains it and starts it again over the same data, on another port, with more in its environment. */
  async restart(more) {
    await this.#end();
    await this.#begin(more);
  }

  /** Ends it as a crash does: at once, with nothing put in order. */
  async kill() {
    this.process.kill("SIGKILL");
    await this.ended;
  }

  /** Starts it again over the same data, at the same address: as a page sees a server that comes back. */
  async revive() {
    this.args[this.args.indexOf("--listen") + 1] = new URL(this.url).host;
    await this.#begin();
  }

  /** Runs a command of the binary against this server; its standard output. */
  async cli(...args) {
    const { stdout } = await run(BINARY, [...args, "--server", this.url, "--token-file", this.tokenFile], {
      env: environment,
      maxBuffer: 64 << 20,
    });
    return stdout.trim();
  }

  /** Activates agents from real networks in a demo account; the token of its log-in link. */
  async demo(sites, seed = 1) {
    const link = path.join(this.dir, "link");
    const databases = GEOIP.flatMap((file) => ["--geoip", file]);
    await this.cli("demo", "--sites", `${sites}`, "--seed", `${seed}`, "--link-file", link, ...databases);
    const token = new URL((await readFile(link, "utf8")).trim()).hash.match(/token=(wmk_[^&]+)/)?.[1];
    if (!token) throw new Error("the demo's link holds no token");
    return token;
  }

  /** Makes the account `demo` with as many pinned sites, of which some are offline, over three parts of the world; an editor's token. */
  async fill(sites) {
    const account = { accountId: "demo", account: { displayName: "Demo" } };
    await this.call("AdminService", "CreateAccount", account, this.adminToken);
    const request = { parent: "accounts/demo", token: { scope: "TOKEN_SCOPE_EDITOR", displayName: "of the tests" } };
    const { secret } = await this.call("AdminService", "CreateToken", request, this.adminToken);
    const rows = Array.from({ length: sites }, (_, at) => {
      const [lat, lng] = PLACES[at % PLACES.length];
      const status = at % 5 === 0 ? "SITE_STATUS_OFFLINE" : "SITE_STATUS_ONLINE";
      const site = { displayName: `Site ${String(at).padStart(3, "0")}`, status };
      return { site, updateMask: "status", position: { lat: lat + at / 50, lng: lng + at / 40 } };
    });
    for (let at = 0; at < rows.length; at += ROWS_OF_CALL) {
      await this.call("ImportService", "ImportSites", { parent: "accounts/demo", rows: rows.slice(at, at + ROWS_OF_CALL) }, secret);
    }
    return secret;
  }

  /** Calls a method with `buf curl`, a client that is not ours. */
  async call(service, method, request, token) {
    const address = `${this.url}/waymark.v1.${service}/${method}`;
    const args = ["curl", "--schema", path.join(ROOT, "proto"), "--protocol", "grpc", "--http2-prior-knowledge"];
    args.push("--header", `authorization: Bearer ${token}`, "--data", JSON.stringify(request), address);
    const { stdout } = await run(BUF, args, { env: environment, maxBuffer: 64 << 20 });
    return JSON.parse(stdout);
  }

  /** An HTTP request with a token. */
  get(pathname, token, headers = {}) {
    return fetch(new URL(pathname, this.url), { headers: { authorization: `Bearer ${token}`, ...headers } });
  }

  log() {
    return readFile(path.join(this.dir, "server.log"), "utf8");
  }

  /** Drains the server; throws when it does not end in order or has panicked. */
  async stop() {
    await this.#end();
    await rm(this.dir, { recursive: true, force: true });
  }

  async #end() {
    this.process.kill("SIGTERM");
    const timer = setTimeout(() => this.process.kill("SIGKILL"), DRAIN_MS_MAX);
    const code = await this.ended;
    clearTimeout(timer);
    const log = await this.log();
    if (code !== 0 || log.includes("panicked at")) throw new Error(`the server ended with ${code}:\n${log.slice(-4000)}`);
  }
}

/** The address in the ready line. Keeps reading afterwards, so that the server never blocks on a full pipe. */
function readyAddress(child) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready within ${READY_MS_MAX} ms`)), READY_MS_MAX);
    readline.createInterface({ input: child.stdout }).on("line", (line) => {
      const ready = line.match(/^waymark is ready at (http:\/\/\S+)$/);
      if (ready) {
        clearTimeout(timer);
        resolve(ready[1]);
      }
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`ended with ${code} before it was ready`)));
  });
}
