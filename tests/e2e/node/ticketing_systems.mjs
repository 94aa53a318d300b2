// The tests' ticketing systems, which are Python's: servers on loopback that speak their APIs, beside the server under test.
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import readline from "node:readline";
import { ROOT } from "./server.mjs";

const PYTHON = path.join(ROOT, ".venv/bin/python");

/** Running systems. `of` has each one's URL and credentials, `config` is the file that lets the server reach them. */
export class TicketingSystems {
  static async start(dir, names) {
    const systems = new TicketingSystems();
    const script = path.join(ROOT, "tests/e2e/python/ticketing_systems.py");
    systems.process = spawn(PYTHON, [script, ...names], { stdio: ["pipe", "pipe", "inherit"] });
    systems.lines = readline.createInterface({ input: systems.process.stdout })[Symbol.asyncIterator]();
    const { config, systems: of } = JSON.parse((await systems.lines.next()).value);
    systems.of = of;
    systems.config = path.join(dir, "ticketing.toml");
    await writeFile(systems.config, config);
    return systems;
  }

  /** Sets what a system has (`organizations`, `sites`) or how it fails; how often each was asked by then. */
  async set(system, change = {}) {
    this.process.stdin.write(`${JSON.stringify({ system, ...change })}\n`);
    return JSON.parse((await this.lines.next()).value);
  }

  /** Ends them: they read their standard input until that ends. */
  async stop() {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.stdin.end();
    await ended;
  }
}
