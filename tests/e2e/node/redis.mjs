// A Redis of a test's own, on a port that the system picks, and the configuration of servers over it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

/** Milliseconds for its start. */
const READY_MS_MAX = 60_000;
const PARTITIONS = 4;

export class Redis {
  /** One that waymark trusts with its records. */
  static async start() {
    const redis = new Redis();
    redis.dir = await mkdtemp(path.join(tmpdir(), "waymark-redis-"));
    redis.key = path.join(redis.dir, "credentials.key");
    await writeFile(redis.key, randomBytes(32).toString("base64"), { mode: 0o600 });
    redis.port = await freePort();
    const settings = ["--bind", "127.0.0.1", "--port", `${redis.port}`, "--save", "", "--appendonly", "yes", "--appendfsync", "always"];
    redis.process = spawn("redis-server", settings, { cwd: redis.dir, stdio: "ignore" });
    redis.gone = new Promise((resolve) => ["exit", "error"].forEach((event) => redis.process.once(event, resolve)));
    try {
      await answers(redis.port);
    } catch (error) {
      await redis.stop();
      throw error;
    }
    return redis;
  }

  /** What a server over it is configured with; `port` is where the way to it begins. */
  configuration(port = this.port) {
    const redis = `[redis]\nmode = "single"\nnodes = ["127.0.0.1:${port}"]\npartitions = ${PARTITIONS}\n`;
    return `[ticketing]\nkey_file = "${this.key}"\n${redis}`;
  }

  /** Lets it stand still, or go on. */
  signal(name) {
    this.process.kill(name);
  }

  async stop() {
    this.process.kill("SIGKILL");
    await this.gone;
    await rm(this.dir, { recursive: true, force: true });
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** Waits until somebody listens on a port. */
async function answers(port) {
  const once = () =>
    new Promise((resolve) => {
      const socket = net.connect(port, "127.0.0.1");
      socket.once("connect", () => socket.end(() => resolve(true)));
      socket.once("error", () => resolve(false));
    });
  const end = Date.now() + READY_MS_MAX;
  while (!(await once())) assert.ok(Date.now() < end, "redis-server does not start");
}
