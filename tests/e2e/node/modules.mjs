// Loads modules of the page into this process, as they are written: those that import nothing but one another.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { ROOT } from "./server.mjs";

/** What a module of `dashboard/src` exports, and what those export that it imports by a path. */
export async function pure(file) {
  return import(await addressOf(file));
}

async function addressOf(file) {
  const ts = createRequire(path.join(ROOT, "dashboard/package.json"))("typescript");
  const source = await readFile(path.join(ROOT, "dashboard/src", file), "utf8");
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  let { outputText } = ts.transpileModule(source, { compilerOptions });
  for (const [words, name] of outputText.matchAll(/from "(\.[^"]+)\.js"/g)) {
    const address = await addressOf(path.join(path.dirname(file), `${name}.ts`));
    outputText = outputText.replace(words, `from "${address}"`);
  }
  return `data:text/javascript;base64,${Buffer.from(outputText).toString("base64")}`;
}
