// The map's colours, light and dark. The page's own colours are in style/tokens.css; statuses and areas are the same in both.
export type Scheme = "light" | "dark";
export type StatusKey = "online" | "offline" | "unknown" | "maintenance";

/** The order in which a donut goes round: what needs a person first. */
export const STATUSES: StatusKey[] = ["offline", "maintenance", "unknown", "online"];

export interface Palette {
  water: string;
  land: string;
  coast: string;
  border: string;
  label: string;
  labelHalo: string;
  ink: string;
  paper: string;
  area: string;
  focus: string;
  status: Record<StatusKey, string>;
}

/**
 * Statuses stand out from paper three to one, and are told apart by those who do not see red and green: tests/e2e/node/contrast.test.mjs
 * has the figures. The land and the sea are no paper, so what is drawn on them brings some along (`icons.ts`).
 */
export const PALETTES: Record<Scheme, Palette> = {
  light: {
    water: "#d5e4eb",
    land: "#f8f7f3",
    coast: "#b4c8d1",
    border: "#d9d5ca",
    label: "#716f5f",
    labelHalo: "#f8f7f3",
    ink: "#16232b",
    paper: "#ffffff",
    area: "#3d6ea8",
    focus: "#0e7490",
    status: { online: "#148f68", offline: "#b52b12", unknown: "#6b7d92", maintenance: "#b58000" },
  },
  dark: {
    water: "#0d151b",
    land: "#1b272f",
    coast: "#2e3f4a",
    border: "#33444f",
    label: "#7f929e",
    labelHalo: "#1b272f",
    ink: "#eef4f7",
    paper: "#10191f",
    area: "#7fb0e6",
    focus: "#4cc9e4",
    status: { online: "#35bd8f", offline: "#f4694d", unknown: "#93a3b0", maintenance: "#f2bd3d" },
  },
};
