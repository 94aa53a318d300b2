// How a PMTiles archive is drawn where the operator names no style: pictures as they are, shapes in the page's own colours.
// Looks for the layers of two schemas: that of Protomaps' base map, and OpenMapTiles. Country names are the page's own.
import type { ExpressionSpecification, LayerSpecification } from "maplibre-gl";
import { FONT } from "./fonts.js";
import { PALETTES, type Scheme } from "./palette.js";

/** Colours that the page's own base map has no use for. */
const MORE: Record<Scheme, { green: string; road: string; highway: string; building: string }> = {
  light: { green: "#e6edda", road: "#e3dfd4", highway: "#d8cdb6", building: "#eae6dc" },
  dark: { green: "#1d2e2b", road: "#2b3a44", highway: "#3a4b57", building: "#223039" },
};
/** How bright pictures are on dark screens, of 1. */
const DARK_PICTURES = 0.62;

const HIGHWAYS = ["highway", "motorway", "trunk"];
const MAJORS = ["major_road", "primary", "secondary", "tertiary"];
const TOWNS = ["locality", "city", "town", "village"];
const GREENS = ["park", "forest", "wood", "grass", "grassland", "nature_reserve", "national_park", "meadow", "scrub"];
/** What a feature is, as either schema says it. */
const KIND: ExpressionSpecification = ["coalesce", ["get", "kind"], ["get", "class"], ""];

/** The layers of an archive of shapes that it has, by the names of its own layers; all where it does not tell them. */
export function vectorLayers(source: string, scheme: Scheme, has: Set<string>): LayerSpecification[] {
  const palette = PALETTES[scheme];
  const { green, road, highway, building } = MORE[scheme];
  const isOne = (kinds: string[]): ExpressionSpecification => ["in", KIND, ["literal", kinds]];
  const width = (near: number): ExpressionSpecification => ["interpolate", ["exponential", 1.6], ["zoom"], 6, 0.4, 12, near, 18, near * 7];
  const fill = (of: string, color: string, filter: ExpressionSpecification): LayerSpecification => ({
    id: `${of}-fill`, type: "fill", source, "source-layer": of, filter, paint: { "fill-color": color },
  });
  const line = (of: string, name: string, color: string, near: number, filter: ExpressionSpecification): LayerSpecification => ({
    id: `${of}-${name}`, type: "line", source, "source-layer": of, filter,
    layout: { "line-cap": "round", "line-join": "round" },
    paint: { "line-color": color, "line-width": width(near) },
  });
  const polygon: ExpressionSpecification = ["==", ["geometry-type"], "Polygon"];
  const stroke: ExpressionSpecification = ["==", ["geometry-type"], "LineString"];
  const greens: ExpressionSpecification = ["all", polygon, isOne(GREENS)];
  const inner: ExpressionSpecification = ["all", stroke, ["!=", ["get", "maritime"], 1], ["<=", ["coalesce", ["get", "admin_level"], 2], 4]];
  const layers: LayerSpecification[] = [
    fill("earth", palette.land, polygon),
    ...["landcover", "landuse", "park"].map((of) => fill(of, green, greens)),
    fill("water", palette.water, polygon),
    ...["water", "waterway"].map((of) => line(of, "line", palette.water, 1, stroke)),
    ...["building", "buildings"].map((of) => fill(of, building, polygon)),
    ...["roads", "transportation"].flatMap((of) => [
      line(of, "minor", road, 0.9, ["all", stroke, ["!", isOne([...HIGHWAYS, ...MAJORS, "rail", "ferry"])]]),
      line(of, "major", road, 1.8, ["all", stroke, isOne(MAJORS)]),
      line(of, "highway", highway, 2.4, ["all", stroke, isOne(HIGHWAYS)]),
    ]),
    ...["boundaries", "boundary"].map((of) => line(of, "line", palette.border, 1, inner)),
    ...["places", "place"].map((of) => towns(source, of, scheme, isOne(TOWNS))),
  ];
  return layers.filter((layer) => has.size === 0 || ("source-layer" in layer && has.has(layer["source-layer"] ?? "")));
}

function towns(source: string, of: string, scheme: Scheme, filter: ExpressionSpecification): LayerSpecification {
  const palette = PALETTES[scheme];
  return {
    id: `${of}-towns`, type: "symbol", source, "source-layer": of, filter,
    layout: {
      "text-field": ["coalesce", ["get", "name:en"], ["get", "name:latin"], ["get", "name"], ""],
      "text-font": [FONT],
      "text-size": ["interpolate", ["linear"], ["zoom"], 4, 10, 12, 14],
      "text-max-width": 8,
      // The larger one first: Protomaps counts people, OpenMapTiles ranks.
      "symbol-sort-key": ["-", ["coalesce", ["get", "rank"], 0], ["coalesce", ["get", "population_rank"], 0]],
    },
    paint: { "text-color": palette.label, "text-halo-color": palette.labelHalo, "text-halo-width": 1.2 },
  };
}

/** The layer of an archive of pictures. */
export function rasterLayer(source: string, scheme: Scheme): LayerSpecification {
  const brightest = scheme === "dark" ? DARK_PICTURES : 1;
  return { id: "pictures", type: "raster", source, paint: { "raster-brightness-max": brightest } };
}
