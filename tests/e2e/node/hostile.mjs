// Texts that strangers write, and how a page is looked at that shows them.
import assert from "node:assert/strict";
import { SIZES } from "./browser.mjs";

/** Longest line that the server takes, in bytes. */
export const LINE_BYTES_MAX = 256;
const RTL_OVERRIDE = "\u202e";
const ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff";

export const TEXTS = {
  script: `<script>document.title='hit'</script>`,
  handler: `<img src=x onerror="document.title='hit'"><svg onload=document.title='hit'>`,
  closing: `"></textarea></title></style><iframe src="javascript:document.title='hit'">'`,
  link: `javascript:document.title='hit'`,
  template: "{@html 1}{{7*7}}${document.title='hit'}<a href=javascript:document.title='hit'>x</a>",
  backwards: "שלום <b>עולם</b> abc",
  override: `Hafn${RTL_OVERRIDE}gnp.exe`,
  zeroWidth: `Ze${ZERO_WIDTH}ro${ZERO_WIDTH}`,
  marks: `Z${"\u0300\u0301\u0302".repeat(30)}algo`,
  long: "W".repeat(LINE_BYTES_MAX),
};

/** A call that the server may refuse, for what is in it. */
export function refused(error) {
  assert.match(error.message, /invalid_argument|failed_precondition|unavailable|not_found/, error.message);
}

/** Nothing ran, nothing lies outside of the window, and no link leads to a script. */
export async function isSound(page, view) {
  assert.equal(await page.title(), "waymark", `${view}: something ran`);
  const before = page.viewportSize();
  for (const size of SIZES) {
    await page.setViewportSize(size);
    const { tooWide, bad } = await page.evaluate(() => {
      const links = [...document.querySelectorAll("a[href], iframe, script:not([src]), img[src='x'], svg[onload]")];
      const isBad = (element) => element.tagName !== "A" || !/^(https?|tel|mailto|blob):$/.test(element.protocol);
      return {
        tooWide: document.documentElement.scrollWidth - window.innerWidth,
        bad: links.filter(isBad).map((element) => element.outerHTML.slice(0, 200)),
      };
    });
    assert.deepEqual(bad, [], view);
    assert.ok(tooWide <= 0, `${view} at ${size.width} px is ${tooWide} px too wide`);
    const outside = await page.evaluate(() => {
      const parts = document.querySelectorAll('[data-testid="site-panel"] *, [data-testid="site-row"], [data-testid="hit"]');
      return [...parts].filter((part) => part.getBoundingClientRect().right > window.innerWidth + 1 && part.checkVisibility())
        .map((part) => `${part.tagName}.${part.className}`);
    });
    assert.deepEqual(outside, [], `${view} at ${size.width} px`);
  }
  await page.setViewportSize(before);
}
