// The page as axe-core sees it, in light and dark, on a desk and on a phone.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { SIZES } from "./browser.mjs";

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
/** Faults that a page must not have. */
const GRAVE = ["serious", "critical"];
/** Marks on the map lie where the places are, also one on another: the guideline on the size of targets lets them. */
const ON_MAP = /class="[^"]*\b(candidate|draft)-mark\b/;

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The grave faults of what is shown now, in one size and scheme. */
async function faultsNow(page) {
  // The page's policy lets no script in; the browser's own tools do.
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axe });
  const options = { runOnly: { type: "tag", values: TAGS }, resultTypes: ["violations"] };
  const violations = await page.evaluate(async (options) => (await window.axe.run(document, options)).violations, options);
  await session.detach();
  return violations
    .filter(({ impact }) => GRAVE.includes(impact))
    .flatMap(({ id, nodes }) => nodes.filter(({ html }) => id !== "target-size" || !ON_MAP.test(html)).map((node) => ({ id, ...node })))
    .map(({ id, target, failureSummary }) => `${id} ${target.join(" ")}: ${failureSummary}`);
}

/** Notes the grave faults of a view in each size and scheme, so that one run tells of all of them. */
export async function look(page, view, found) {
  const before = page.viewportSize();
  for (const size of SIZES) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme });
      const scrolls = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      const faults = await faultsNow(page);
      if (scrolls > 0) faults.push(`it is ${scrolls} px too wide`);
      found.push(...faults.map((fault) => `${view}, ${size.width} px, ${colorScheme}: ${fault}`));
    }
  }
  await page.setViewportSize(before);
  await page.emulateMedia({ colorScheme: null });
}
