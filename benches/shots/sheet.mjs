// Leaves what was measured where `benches/report.py` looks for it, as the benches in Rust do (benches/measure).
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A value that was taken once, or in some rounds; without one where nobody told it. */
export function figure(what, unit, runs, note) {
  const told = runs.filter((run) => run !== undefined);
  return { what, value: middle(told), unit, runs: told, ...(note ? { note } : {}) };
}

/** The middle value, of an even number the lower of the two; null of none. */
function middle(values) {
  return [...values].sort((a, b) => a - b)[(values.length - 1) >> 1] ?? null;
}

/** Writes the sheet of so many sites in one account; the path of its file. `profile` is how the server was built. */
export function writeSheet(bench, sites, profile, figures) {
  const measured_at = Math.floor(Date.now() / 1_000);
  const sheet = { bench, shape: "one", sites, accounts: 1, profile, measured_at, machine: machine(), figures };
  const folder = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "bench/results");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${bench}-one-${sites}.json`);
  writeFileSync(file, JSON.stringify(sheet, null, 2));
  return file;
}

/** The machine and the tree, as `benches/measure/machine.rs` tells them. */
function machine() {
  const field = (path, name) => new RegExp(`^${name}\\s*:\\s*(.*)$`, "m").exec(readFileSync(path, "utf8"))?.[1].trim() ?? "";
  const kib = Number.parseInt(field("/proc/meminfo", "MemTotal"), 10);
  return {
    cpu: field("/proc/cpuinfo", "model name"),
    cores: os.availableParallelism(),
    memory_gib: Math.round((kib / 2 ** 20) * 10) / 10,
    kernel: os.release(),
    rustc: said("rustc", "--version"),
    commit: said("git", "-C", ROOT, "describe", "--always", "--dirty"),
  };
}

function said(program, ...words) {
  try {
    return execFileSync(program, words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "unknown";
  }
}
