// Every word that a person reads stands in the files of strings, where it can be translated: the page's parts hold none.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { ROOT } from "./server.mjs";

const SOURCES = path.join(ROOT, "dashboard/src");
/** Attributes that are read, by eyes or by a screen reader. */
const READ = ["alt", "aria-description", "aria-label", "aria-roledescription", "aria-valuetext", "label", "placeholder", "title"];
/** Two letters in a row are a word; the letter of a key and signs between words are none. */
const WORD = /\p{L}{2,}/u;

/** What of a part is read: its own texts, texts in expressions between them, and attributes for readers. */
function wordsOf(source) {
  const markup = source
    .replace(/<!--[\s\S]*?-->/g, "")
    .replace(/<(script|style)\b[\s\S]*?<\/\1>/g, "");
  const found = [];
  let [at, text] = [0, ""];
  while (at < markup.length) {
    if (markup[at] === "{") {
      const end = endOf(markup, at);
      const expression = markup.slice(at + 1, end);
      if (!/^\s*[#:/@]/.test(expression)) found.push(...literals(expression));
      text += " ";
      at = end + 1;
    } else if (markup[at] === "<") {
      const end = tagEnd(markup, at);
      for (const [, name, value] of markup.slice(at, end).matchAll(/\s([\w-]+)="([^"{}]*)"/g)) if (READ.includes(name)) found.push(value);
      found.push(text);
      text = "";
      at = end + 1;
    } else text += markup[at++];
  }
  return [...found, text].map((words) => words.replaceAll(/&\w+;/g, " ").trim()).filter((words) => WORD.test(words));
}

/** Texts that an expression gives as they are; those that it compares with, or looks up by, are no words. */
function literals(expression) {
  const given = expression.replaceAll(/(===?|!==?)\s*"[^"]*"/g, "").replaceAll(/\[\s*"[^"]*"\s*\]/g, "");
  return [...given.matchAll(/"([^"]*)"|'([^']*)'/g)].map(([, double, single]) => double ?? single);
}

/** Where the brace that opens here is closed; braces in texts and templates count as they are written, in pairs. */
function endOf(markup, from) {
  let depth = 0;
  for (let at = from; at < markup.length; at += 1) {
    if (markup[at] === "{") depth += 1;
    if (markup[at] === "}" && --depth === 0) return at;
  }
  throw new Error("a brace is not closed");
}

/** Where the tag that opens here is closed: not at a `>` of an expression or a text in it. */
function tagEnd(markup, from) {
  for (let at = from; at < markup.length; at += 1) {
    if (markup[at] === "{") at = endOf(markup, at);
    else if (markup[at] === '"') {
      for (at += 1; markup[at] !== '"'; at += 1) if (markup[at] === "{") at = endOf(markup, at);
    } else if (markup[at] === ">") return at;
  }
  throw new Error("a tag is not closed");
}

test("no part of the page holds words of its own", async () => {
  const files = (await readdir(SOURCES, { recursive: true })).filter((file) => file.endsWith(".svelte"));
  assert.ok(files.length > 50, `${files.length} parts: the walk is broken`);
  const faults = [];
  for (const file of files) {
    const words = wordsOf(await readFile(path.join(SOURCES, file), "utf8"));
    faults.push(...words.map((words) => `${file}: ${words}`));
  }
  assert.deepEqual(faults, []);
});

/** Sentences in code: texts that begin with a capital and go on with a word. Comments say what they like. */
function sentencesOf(source) {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/<!--[\s\S]*?-->/g, "").replace(/(^|\s)\/\/.*$/gm, "");
  return [...code.matchAll(/["'`](\p{Lu}\p{Ll}+ \p{Ll}[^"'`\n]*)/gu)].map(([, words]) => words);
}

test("no code of the page holds sentences, but for the files of strings", async () => {
  const walked = await readdir(SOURCES, { recursive: true });
  const files = walked.filter((file) => /\.(ts|svelte)$/.test(file) && !/strings\.ts$/.test(file) && !file.startsWith("gen"));
  assert.ok(files.length > 140, `${files.length} files: the walk is broken`);
  const faults = [];
  for (const file of files) {
    const sentences = sentencesOf(await readFile(path.join(SOURCES, file), "utf8"));
    faults.push(...sentences.map((words) => `${file}: ${words}`));
  }
  assert.deepEqual(faults, []);
  assert.deepEqual(sentencesOf('told = "Some words"; // "Some words"\n/* "More words" */ key = "words here";'), ["Some words"]);
});

test("the check would notice words, wherever they stand", () => {
  for (const [part, expect] of [
    ["<p>Some words</p>", ["Some words"]],
    ['<button aria-label="Close it">×</button>', ["Close it"]],
    ['<p>{isOne ? "one site" : strings.more}</p>', ["one site"]],
    ['<p title={a > b ? "x" : words.y}>{words.told}</p> tail', ["tail"]],
    ["<script>const text = 'words';</script><style>p { color: red; }</style><!-- words -->", []],
    ['{#if kind === "view"}<kbd>A</kbd> · &nbsp;{count(sites)}{/if}', []],
    ['<p class="big words" data-testid="told">{kind === "view" ? strings.a : strings.b}</p>', []],
  ])
    assert.deepEqual(wordsOf(part), expect, part);
});
