// A list of more rows than a browser makes a box for, in a real browser: the keys, a wheel and the scroll bar reach all of them, both ends
// are the ends, and the keys go on from what the pointer ticked. Its rows are the gate's: no server needs to hold as many sites.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PbfReader, PbfWriter } from "pbf";
import { byId, comes, launch, logIn, openPage } from "./browser.mjs";
import { Gate } from "./gate.mjs";
import { Server } from "./server.mjs";

/** Rows, which would be 15.6 million pixels high, their height, and what is above and below them: as parts/Rows.svelte has it. */
const ROWS = 300_000;
const ROW_PX = 52;
const AROUND_PX = 22;
/** Height of the highest box, as state/scroll.ts has it. */
const BOX_PX_MAX = 15_000_000;
/** Rows of an answer, whatever is asked for: the page takes what comes. */
const PAGE_ROWS = 50_000;
/** A turn of the wheel, and a mighty one: less than the page takes for a drag of the scroll bar. */
const TURN_PX = 300;
const TURN_PX_MAX = 2_000;
/** Browsers scroll by whole pixels, and by some of them where a box is millions high. */
const SLACK_PX = 4;

/** Fields of ListViewportSitesRequest, ListViewportSitesResponse and SiteSummary, and a status. */
const PAGE_TOKEN = 4;
const [SITES, NEXT_PAGE_TOKEN, TOTAL_SIZE] = [1, 2, 3];
const [NAME, DISPLAY_NAME, STATUS] = [1, 2, 3];
const ONLINE = 2;

let server, gate, token, browser;

before(async () => {
  server = await Server.bare();
  token = await server.fill(12);
  gate = await Gate.before(server);
  gate.answer("ListViewportSites", pageOf);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await gate?.stop();
  await server?.stop();
});

/** A page of the list, as a server would encode it. Its token is the number of the first row. */
function pageOf(question) {
  const read = (field, found, reader) => void (field === PAGE_TOKEN && (found.token = reader.readString()));
  const from = Number(new PbfReader(question).readFields(read, { token: "" }).token);
  const to = Math.min(ROWS, from + PAGE_ROWS);
  const answer = new PbfWriter();
  for (let at = from; at < to; at += 1) answer.writeMessage(SITES, writeRow, at);
  if (to < ROWS) answer.writeStringField(NEXT_PAGE_TOKEN, String(to));
  answer.writeVarintField(TOTAL_SIZE, ROWS);
  return answer.finish();
}

function writeRow(at, writer) {
  writer.writeStringField(NAME, `accounts/demo/sites/long-${at}`);
  writer.writeStringField(DISPLAY_NAME, `Row ${at}`);
  writer.writeVarintField(STATUS, ONLINE);
}

const list = (page) => byId(page, "site-list");

/** How far down the rows are, in pixels of all of them: by one that is on the page, and where it is drawn. */
function offsetOf(page) {
  return list(page).evaluate((box, rowPx) => {
    const row = box.querySelector('[role="option"]');
    const above = Number.parseFloat(getComputedStyle(box).paddingTop);
    const drawn = row.getBoundingClientRect().top - box.getBoundingClientRect().top - above;
    return (Number(row.getAttribute("aria-posinset")) - 1) * rowPx - drawn;
  }, ROW_PX);
}

/** How far down the rows are when the last one is at the end of the box. */
const endOf = async (page) => ROWS * ROW_PX + AROUND_PX - (await list(page).evaluate((box) => box.clientHeight));

/** Waits until the rows are so far down. */
function standsAt(page, expect, slack = SLACK_PX) {
  return comes(page, async () => {
    const found = await offsetOf(page);
    return Math.abs(found - expect) <= slack ? "" : `the rows are at ${found} px, not at ${expect}`;
  });
}

/** Turns the wheel once, and waits until the rows have moved as far. */
async function turn(page, px) {
  const before = await offsetOf(page);
  await page.mouse.wheel(0, px);
  await standsAt(page, before + px);
}

/** Turns the wheel until the rows are at an end. */
function turnTo(page, way, end) {
  return comes(page, async () => {
    await page.mouse.wheel(0, way * TURN_PX_MAX);
    const found = await offsetOf(page);
    return Math.abs(found - end) <= SLACK_PX ? "" : `the rows are at ${found} px, not at their end, ${end}`;
  });
}

/** Puts the box to a part of its way, as who drags its scroll bar. */
function drag(page, part) {
  return list(page).evaluate((box, part) => void (box.scrollTop = part * (box.scrollHeight - box.clientHeight)), part);
}

/** Waits until the keys are on a row, from 0, all of which is seen. */
function isOn(page, row) {
  return comes(page, async () => {
    const found = await list(page).evaluate((box) => {
      const id = box.getAttribute("aria-activedescendant");
      const active = id && document.getElementById(id);
      if (!active) return "no row";
      const [outer, inner] = [box.getBoundingClientRect(), active.getBoundingClientRect()];
      return `${id}, ${inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1 ? "seen" : "not seen"}`;
    });
    return found === `row-${row}, seen` ? "" : `the keys are on ${found}, not on row ${row}`;
  });
}

/** A page with all rows, the keys on the last one: they are loaded page by page on the way. */
async function openAtTheEnd() {
  const { page, faults } = await openPage({ browser, server: gate, token });
  await logIn(page, gate, token);
  await byId(page, "list-total").filter({ hasText: "300,000 in view" }).waitFor();
  // A map that moves, or gets another size, asks for the list anew.
  await page.evaluate(() => document.fonts.ready);
  await page.locator('[data-testid="map"][data-idle="true"]').waitFor();
  await page.locator('[data-testid="site-list"][aria-busy="false"]').waitFor();
  await list(page).focus();
  for (let loaded = PAGE_ROWS; loaded <= ROWS; loaded += PAGE_ROWS) {
    await page.locator(`[data-testid="site-list"][data-loaded="${loaded}"]`).waitFor();
    await page.keyboard.press("End");
    await isOn(page, loaded - 1);
  }
  return { page, faults };
}

test("a wheel, the scroll bar and the keys reach all rows of a list that is higher than its box", async () => {
  const { page, faults } = await openAtTheEnd();
  const box = await list(page).evaluate(({ scrollHeight }) => scrollHeight);
  assert.ok(box >= BOX_PX_MAX && box < BOX_PX_MAX + ROW_PX, `the box is ${box} px high`);
  await list(page).hover();
  const end = await endOf(page);
  await turnTo(page, 1, end);
  for (let turns = 0; turns < 5; turns += 1) await turn(page, -TURN_PX);
  await turnTo(page, 1, end);

  await drag(page, 0.5);
  await standsAt(page, end / 2, ROW_PX);
  for (const px of [TURN_PX, TURN_PX, -TURN_PX, TURN_PX_MAX, -TURN_PX_MAX]) await turn(page, px);
  // From anywhere the keys go on from the row that they are on.
  await page.keyboard.press("ArrowUp");
  await isOn(page, ROWS - 2);
  await page.keyboard.press("Home");
  await isOn(page, 0);
  await standsAt(page, 0);
  await drag(page, 1);
  await standsAt(page, end);
  await page.keyboard.press("ArrowDown");
  await isOn(page, 1);
  await page.keyboard.press("PageDown");
  const screen = Math.floor((await list(page).evaluate(({ clientHeight }) => clientHeight)) / ROW_PX) - 1;
  await isOn(page, 1 + screen);

  // Near an end the box and its rows come to stand together: the wheel goes through where they do.
  await drag(page, 0.0015);
  await turnTo(page, -1, 0);
  assert.equal(await list(page).evaluate(({ scrollTop }) => scrollTop), 0);
  assert.deepEqual(faults, []);
  await page.context().close();
});

test("the keys go on from a row that the pointer ticked, also when it is not on the page any more", async () => {
  const { page, faults } = await openAtTheEnd();
  await drag(page, 0.5);
  await standsAt(page, (await endOf(page)) / 2, ROW_PX);
  const id = await list(page).evaluate((box) => {
    const { left, top, width, height } = box.getBoundingClientRect();
    return document.elementFromPoint(left + width / 2, top + height / 2).closest('[role="option"]').id;
  });
  const row = Number(id.slice("row-".length));
  await page.locator(`#${id}`).getByTestId("row-tick").click();
  await byId(page, "selected-count").filter({ hasText: "1 selected" }).waitFor();
  await isOn(page, row);
  await turn(page, TURN_PX_MAX);
  assert.equal(await page.locator(`#${id}`).count(), 0, "it is not on the page");
  await page.keyboard.press("Shift+ArrowDown");
  await isOn(page, row + 1);
  await byId(page, "selected-count").filter({ hasText: "2 selected" }).waitFor();
  assert.deepEqual(faults, []);
  await page.context().close();
});
