// The words of the filter chips and of the map's switches.
import { FixSource } from "./gen/waymark/v1/location_pb.js";

export const filter = {
  label: "Filter",
  approximate: "Approximate",
  confirmed: "Confirmed",
  more: "More filters",
  fewer: "Fewer filters",
  problemsFirst: "Problems first",
  problemsFirstHint: "List offline sites first, then unknown ones, then those in maintenance",
  clear: "Clear all",
  fit: "Fit to result",
  fitHint: "Show all matching sites on the map",
  nothingToFit: "No matching site has a position.",
  linked: "Ticketing",
  unlinked: "No ticketing",
  addLabel: "Label",
  labelHint: "Type key=value, or only a key, then press Enter",
  labelRefused: "This is not a label. Type key=value, or only a key. A key has letters, digits, - and _.",
  removeLabel: (label: string) => `Remove the label ${label} from the filter`,
  words: (words: string) => `“${words}”`,
  removeWords: "Remove these words from the filter",
  chip: (name: string, count: string) => `${name}: ${count} sites`,
  source: {
    [FixSource.UNSPECIFIED]: "None",
    [FixSource.GEOIP]: "GeoIP",
    [FixSource.DEVICE]: "Device",
    [FixSource.ADDRESS]: "Address",
    [FixSource.PIN]: "Pin",
  } as Record<FixSource, string>,
};

export const projection = {
  globe: "Show the world as a globe",
  flat: "Show the world as a flat map",
};
