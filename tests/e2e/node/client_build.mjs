// Builds the client in TypeScript in a directory of its own, with the packages of the dashboard, which pins the same versions.
import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { ROOT } from "./server.mjs";

const run = promisify(execFile);
export const CLIENT = path.join(ROOT, "clients/typescript");
const PACKAGES = path.join(ROOT, "dashboard/node_modules");

/** What the package exports, and its parts by their names; `remove` takes the directory away. */
export async function build() {
  const directory = await mkdtemp(path.join(tmpdir(), "waymark-client-"));
  const built = path.join(directory, "typescript");
  const leave = new Set(["node_modules", "dist", "gen"]);
  await cp(CLIENT, built, { recursive: true, filter: (file) => !leave.has(path.basename(file)) });
  await cp(path.join(ROOT, "clients/policy.json"), path.join(directory, "policy.json"));
  await symlink(PACKAGES, path.join(directory, "node_modules"));
  const binaries = path.join(PACKAGES, ".bin");
  const options = { cwd: built, env: { ...process.env, PATH: `${binaries}${path.delimiter}${process.env.PATH}` } };
  const tell = async (program, ...args) => {
    try {
      await run(program, args, options);
    } catch (error) {
      throw new Error(`${program} ${args.join(" ")}: ${error.stdout}${error.stderr}`);
    }
  };
  await tell(path.join(binaries, "buf"), "generate", path.join(ROOT, "proto"), "--template", "buf.gen.yaml");
  await tell(process.execPath, "scripts/generated.mjs");
  await tell(path.join(binaries, "tsc"), "--project", ".");
  const load = (name) => import(pathToFileURL(path.join(built, "dist", `${name}.js`)).href);
  return { load, remove: () => rm(directory, { recursive: true, force: true }) };
}
