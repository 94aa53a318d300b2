// The world as a globe, and flat again: what is behind it is not drawn, its symbols open by a click, and the choice is kept.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { byId, colored, comes, launch, openMapAt, pixelsOfMap, shoot, shows } from "./browser.mjs";
import { pure, shades, tokens } from "./modules.mjs";
import { Server } from "./server.mjs";

// Sites in the middle of the map, beside it on the same side of the world, and behind the world.
const HERE = { lat: 10, lng: 40 };
const BESIDE = { lat: 30, lng: 65 };
const BEHIND = { lat: -10, lng: -140 };
// Where a globe is seen whole.
const ZOOM = 2;
// Pixels right of the middle and below it: beyond a globe at that zoom, and in the North Atlantic on a flat map.
const OUTSIDE = [-400, -330];
// Pixels on each side of the middle in which a pin is looked for, how far its pixels may be from its colour, and how many there are at least.
const REACH_PX = 250;
const PIN_SHADE = 10;
const PIN_PIXELS_MIN = 12;

let server, token, browser, light, space, beside;

before(async () => {
  ({ light } = (await pure("map/palette.ts")).PALETTES);
  space = shades((await tokens()).space.light);
  server = await Server.bare();
  token = await server.fill(0);
  browser = await launch();
  await pinned("here", HERE, "OFFLINE");
  beside = await pinned("beside", BESIDE, "MAINTENANCE");
  await pinned("behind", BEHIND, "ONLINE");
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

async function pinned(displayName, position, status) {
  const site = { displayName, status: `SITE_STATUS_${status}` };
  const { name } = await server.call("SiteService", "CreateSite", { parent: "accounts/demo", site }, token);
  await server.call("LocationService", "SetPin", { site: name, position }, token);
  return name;
}

/** Where the pixels of a colour are around the middle of the map, on average: right of it and below it. Nothing where there are too few. */
async function middleOf(page, color) {
  const colorAt = await pixelsOfMap(page, REACH_PX, REACH_PX);
  const found = [];
  for (let below = -REACH_PX; below < REACH_PX; below += 1) {
    for (let right = -REACH_PX; right < REACH_PX; right += 1) {
      if (colorAt(right, below).every((shade, at) => Math.abs(shade - color[at]) <= PIN_SHADE)) found.push([right, below]);
    }
  }
  if (found.length < PIN_PIXELS_MIN) return undefined;
  return [0, 1].map((axis) => found.reduce((sum, place) => sum + place[axis], 0) / found.length);
}

const isPressed = async (page) => (await byId(page, "globe").getAttribute("aria-pressed")) === "true";

test("a globe shows its own side, opens what is clicked, is kept, and becomes flat again", async () => {
  const { page, faults } = await openMapAt({ browser, server, token }, HERE, ZOOM);
  await shows(page, { projection: "mercator", pins: "2" });
  await colored(page, shades(light.water), ...OUTSIDE);
  assert.equal(await isPressed(page), false);

  await byId(page, "globe").click();
  await shows(page, { projection: "globe", pins: "2", sites: "2" });
  await colored(page, space, ...OUTSIDE);
  const names = JSON.parse(await byId(page, "map").getAttribute("data-names"));
  assert.deepEqual(names.sort(), ["beside", "here"], "what is behind the world is not drawn");
  await shoot(page, "globe-pins");

  // A symbol away from the middle, where a globe has it elsewhere than a flat map.
  let place;
  await comes(page, async () => {
    place = await middleOf(page, shades(light.status.maintenance));
    return place ? "" : "the pin beside the middle is not seen";
  });
  const box = await byId(page, "map").boundingBox();
  await page.mouse.click(box.x + box.width / 2 + place[0], box.y + box.height / 2 + place[1]);
  await page.locator(`[data-testid="site-panel"][data-site="${beside}"]`).waitFor();
  await byId(page, "site-close").click();
  await byId(page, "site-panel").waitFor({ state: "detached" });

  await page.reload();
  await shows(page, { projection: "globe" });
  assert.equal(await isPressed(page), true);
  await byId(page, "globe").click();
  await shows(page, { projection: "mercator", pins: "2" });
  await colored(page, shades(light.water), ...OUTSIDE);
  assert.equal(await isPressed(page), false);
  await page.reload();
  await shows(page, { projection: "mercator" });
  assert.equal(await isPressed(page), false);
  assert.deepEqual(faults, []);
  await page.context().close();
});
