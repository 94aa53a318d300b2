// A canvas that takes note of what is drawn on it, and draws nothing: for the map's pictures, in a process that has no canvas.

/** What is set of a canvas to say in which colour it draws. */
export const COLORS = ["fillStyle", "strokeStyle", "shadowColor"];

/** Puts it in the place of the browser's. The data of a picture are then its steps: what was called or set, and what was told. */
export function noteDrawing() {
  globalThis.OffscreenCanvas = class {
    constructor(width, height) {
      this.steps = [["canvas", width, height]];
    }

    getContext() {
      const { steps } = this;
      const state = { steps };
      return new Proxy(state, {
        get: (_, name) => state[name] ?? ((...told) => (steps.push([name, ...told]), { steps })),
        set: (_, name, value) => {
          state[name] = value;
          steps.push([name, value]);
          return true;
        },
      });
    }
  };
}

/** What a picture is painted with, one after the other: whether it is a fill or a stroke, the arcs of its path, and how it is painted. */
export function painted({ steps }) {
  const [all, paint] = [[], {}];
  let arcs = [];
  for (const [name, ...told] of steps) {
    if (name === "beginPath") arcs = [];
    else if (name === "arc") arcs.push(told);
    else if (name === "fill" || name === "stroke") all.push({ ...paint, by: name, color: paint[`${name}Style`], arcs });
    else if (told.length === 1) [paint[name]] = told;
  }
  return all;
}
