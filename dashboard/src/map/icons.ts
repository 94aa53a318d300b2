// Draws the map's symbols: a shape for each status and a donut for each mix of statuses. Named by what they show, so
// that each picture is drawn once, when the map first asks for it. Knows nothing of MapLibre.
import { PALETTES, type Palette, type Scheme, STATUSES, type StatusKey } from "./palette.js";

/** Pixels drawn for each of the screen's: sharp on dense screens, and cheap. */
export const PIXEL_RATIO = 2;
/** Shares that a donut is rounded to. A status that occurs at all has at least one. */
export const DONUT_SHARES = 16;
/** Outer radii of donuts and of areas' rings in screen pixels, by the size class in their names. Less than half of the
 *  least distance of two symbols that the server keeps, so that none lies on another. */
const DONUT_RADII = [15, 18, 20.5, 23];
const RING_RADII = [17, 19, 21, 23];
/** How far the sheets of a stack stand out below each other, in screen pixels. */
const SHEET_PX = 2.5;
/** How thick a status's arc is beside a donut's width, so that arcs are told apart without colour: worse is thicker. */
const ARC_WIDTHS: Record<StatusKey, number> = { online: 0.72, offline: 1.3, maintenance: 1, unknown: 0.72 };
/** The strokes and gaps of the arc of sites of which nothing is known, in screen pixels. */
const UNKNOWN_DASH = [1.6, 1.6];
/** Half the width of a pin's shape in screen pixels. */
const PIN_RADIUS = 7;
/** How much paper there is within an area's ring, of 1: the land shines through. */
export const RING_PAPER = 0.78;
/** Screen pixels of paper beyond what is drawn in a status's colour, which land and sea alone would not set off enough. */
const EDGE_PX = 1;
/** The broken ring around an approximate pin: its radius, its width, its strokes and gaps, in screen pixels. */
const HALO_RADIUS = PIN_RADIUS + 5;
const HALO_WIDTH = 1.2;
const HALO_DASH = [2.6, 2.4];

/** The picture of a name that site_layers.ts made; nothing for any other name. */
export function drawIcon(name: string): ImageData | undefined {
  const [kind, scheme, ...rest] = name.split("|");
  const palette = PALETTES[scheme as Scheme];
  if (!palette) return undefined;
  if (kind === "pin") return drawPin(palette, rest[0] as StatusKey, rest[1] === "true");
  const shares = rest.slice(1).map(Number);
  if (shares.length !== STATUSES.length || !shares.every((share) => share >= 0)) return undefined;
  const radius = (kind === "ring" ? RING_RADII : DONUT_RADII)[Number(rest[0])];
  if ((kind === "donut" || kind === "stack") && radius) return drawDonut(palette, radius, shares, kind === "stack");
  if (kind === "ring" && radius) return drawRing(palette, radius, shares);
  return undefined;
}

function canvas(size: number, draw: (ctx: OffscreenCanvasRenderingContext2D) => void): ImageData | undefined {
  const side = Math.ceil(size * PIXEL_RATIO);
  // Its pixels are read at once: from a GPU that would be a wait for each picture.
  const ctx = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
  if (!ctx) return undefined;
  ctx.scale(PIXEL_RATIO, PIXEL_RATIO);
  ctx.translate(side / PIXEL_RATIO / 2, side / PIXEL_RATIO / 2);
  draw(ctx);
  return ctx.getImageData(0, 0, side, side);
}

/** A solid donut on paper: several sites in one place. A stack, which never falls apart, lies on more paper. */
function drawDonut(palette: Palette, radius: number, shares: number[], stack: boolean): ImageData | undefined {
  const width = radius * 0.26;
  return canvas(2 * radius + (stack ? 6 + 4 * SHEET_PX : 6), (ctx) => {
    for (let sheet = stack ? 2 : 0; sheet > 0; sheet--) drawSheet(ctx, palette, radius, sheet * SHEET_PX);
    ctx.shadowColor = "rgba(10, 25, 35, 0.35)";
    ctx.shadowBlur = 3 * PIXEL_RATIO;
    ctx.fillStyle = palette.paper;
    circle(ctx, radius);
    ctx.fill();
    ctx.shadowColor = "transparent";
    arcs(ctx, palette, radius - 1, width, shares);
  });
}

/** The edge of a disc that lies below, a little aside. */
function drawSheet(ctx: OffscreenCanvasRenderingContext2D, palette: Palette, radius: number, aside: number): void {
  ctx.beginPath();
  ctx.arc(aside, aside, radius, 0, 2 * Math.PI);
  ctx.fillStyle = palette.paper;
  ctx.fill();
  ctx.strokeStyle = palette.label;
  ctx.lineWidth = 1;
  ctx.stroke();
}

/** A thin broken ring that the land shines through: sites somewhere around here. */
function drawRing(palette: Palette, radius: number, shares: number[]): ImageData | undefined {
  return canvas(2 * radius + 4, (ctx) => {
    ctx.globalAlpha = RING_PAPER;
    ctx.fillStyle = palette.paper;
    circle(ctx, radius + EDGE_PX);
    ctx.fill();
    ctx.globalAlpha = 1;
    arcs(ctx, palette, radius, 2.5, shares, [4.2, 2.4]);
  });
}

/** Arcs of a mix of statuses, within a circle. */
function arcs(
  ctx: OffscreenCanvasRenderingContext2D,
  palette: Palette,
  radius: number,
  width: number,
  shares: number[],
  dash: number[] = [],
): void {
  const total = shares.reduce((sum, share) => sum + share, 0) || 1;
  const gap = shares.filter((share) => share > 0).length > 1 ? 1.2 / radius : 0;
  let angle = -Math.PI / 2;
  shares.forEach((share, index) => {
    const end = angle + (2 * Math.PI * share) / total;
    if (share > 0) {
      const status = STATUSES[index]!;
      ctx.beginPath();
      ctx.lineWidth = width * ARC_WIDTHS[status];
      ctx.arc(0, 0, radius - ctx.lineWidth / 2, angle + gap / 2, end - gap / 2);
      ctx.setLineDash(status === "unknown" ? UNKNOWN_DASH : dash);
      ctx.strokeStyle = palette.status[status];
      ctx.stroke();
    }
    angle = end;
  });
}

/** A filled shape for a confirmed site; a hollow one in a dashed halo for an approximate one. */
function drawPin(palette: Palette, status: StatusKey, confirmed: boolean): ImageData | undefined {
  const color = palette.status[status];
  if (!color) return undefined;
  return canvas(2 * PIN_RADIUS + 14, (ctx) => {
    ctx.lineJoin = "round";
    ctx.shadowColor = "rgba(10, 25, 35, 0.4)";
    ctx.shadowBlur = 2.5 * PIXEL_RATIO;
    outline(ctx, status, PIN_RADIUS + 1.5);
    ctx.fillStyle = palette.paper;
    ctx.fill();
    ctx.shadowColor = "transparent";
    outline(ctx, status, confirmed ? PIN_RADIUS : PIN_RADIUS - 1);
    ctx.fillStyle = ctx.strokeStyle = color;
    ctx.lineWidth = 2.4;
    if (confirmed) return ctx.fill();
    ctx.stroke();
    drawHalo(ctx, palette, color);
  });
}

/** A broken ring, on paper of its own. */
function drawHalo(ctx: OffscreenCanvasRenderingContext2D, palette: Palette, color: string): void {
  circle(ctx, HALO_RADIUS);
  ctx.strokeStyle = palette.paper;
  ctx.lineWidth = HALO_WIDTH + 2 * EDGE_PX;
  ctx.stroke();
  ctx.setLineDash(HALO_DASH);
  ctx.strokeStyle = color;
  ctx.lineWidth = HALO_WIDTH;
  ctx.stroke();
}

/** Online is a circle, offline a diamond, maintenance a triangle, unknown a square. */
function outline(ctx: OffscreenCanvasRenderingContext2D, status: StatusKey, radius: number): void {
  ctx.beginPath();
  if (status === "online") ctx.arc(0, 0, radius, 0, 2 * Math.PI);
  else if (status === "unknown") ctx.roundRect(-radius * 0.85, -radius * 0.85, radius * 1.7, radius * 1.7, 2);
  else if (status === "offline") polygon(ctx, 4, radius * 1.18);
  else polygon(ctx, 3, radius * 1.2);
}

function polygon(ctx: OffscreenCanvasRenderingContext2D, corners: number, radius: number): void {
  const drop = corners === 3 ? radius * 0.15 : 0;
  for (let corner = 0; corner < corners; corner++) {
    const angle = (2 * Math.PI * corner) / corners - Math.PI / 2;
    ctx.lineTo(radius * Math.cos(angle), radius * Math.sin(angle) + drop);
  }
  ctx.closePath();
}

function circle(ctx: OffscreenCanvasRenderingContext2D, radius: number): void {
  ctx.beginPath();
  ctx.arc(0, 0, radius, 0, 2 * Math.PI);
}
