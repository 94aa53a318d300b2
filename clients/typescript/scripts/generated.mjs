// Writes what the package needs beside the messages that buf makes: one module of all of them, and the rules of all clients.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const gen = path.join(here, "src/gen");

const files = readdirSync(path.join(gen, "waymark/v1")).filter((file) => file.endsWith("_pb.ts"));
const lines = files.sort().map((file) => `export * from "./waymark/v1/${file.replace(/\.ts$/, ".js")}";`);
writeFileSync(path.join(gen, "messages.ts"), `// All messages, enums and services of the API.\n${lines.join("\n")}\n`);

const rules = JSON.parse(readFileSync(path.join(here, "../policy.json"), "utf8"));
writeFileSync(path.join(gen, "policy.ts"), `// clients/policy.json.\nexport const rules: unknown = ${JSON.stringify(rules, null, 2)};\n`);
