// The map's colours, light and dark. The page's own colours are in style/tokens.css; the statuses are the same in both.
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

/** Told apart by lightness as well as by hue, for those who do not see red and green apart. */
export const PALETTES: Record<Scheme, Palette> = {
  light: {
    water: "#d5e4eb",
    land: "#f8f7f3",
    coast: "#b4c8d1",
    border: "#d9d5ca",
    label: "#82806f",
    labelHalo: "#f8f7f3",
    ink: "#16232b",
    paper: "#ffffff",
    area: "#3d6ea8",
    focus: "#0e7490",
    status: { online: "#17936b", offline: "#c8371b", unknown: "#8593a0", maintenance: "#e2a412" },
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
