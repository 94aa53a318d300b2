// Loads modules of the page into this process, as they are written: those that import nothing but one another. And the colours of
// its style sheet.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { ROOT } from "./server.mjs";

/** What a module of `dashboard/src` exports, and what those export that it imports by a path. */
export async function pure(file) {
  return import(await addressOf(file));
}

/** The colours that `style/tokens.css` names, light and dark, as #rrggbb. */
export async function tokens() {
  const css = await readFile(path.join(ROOT, "dashboard/src/style/tokens.css"), "utf8");
  const named = [...css.matchAll(/--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);/g)];
  return Object.fromEntries(named.map(([, name, light, dark]) => [name, { light, dark }]));
}

/** Such a colour as three numbers up to 255. */
export const shades = (color) => [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));

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
