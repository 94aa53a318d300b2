// Makes the basemap's files out of Natural Earth's shapes (npm world-atlas): land and inner borders as GeoJSON in two
// degrees of detail, one label for each country at the roomiest spot of its largest part, and a grid that tells in which
// country a place is. Runs before the page is built, so that a browser only has to draw.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { feature, mesh } from "topojson-client";

/** The degrees of detail, with the decimals of a degree that each deserves: half of 0.1 is about 6 km, less than a pixel where the coarse
 *  one is drawn, and 0.01 is finer than either was. */
const DETAILS = [
  ["110m", 1],
  ["50m", 2],
];
/** Points a side of the grid that is searched for a label's spot: finer changes no label visibly. */
const LABEL_GRID_POINTS = 28;
/** Side of a cell of the grid of countries, in degrees: a wallboard names parts of the world, and no more. */
const GRID_DEG = 0.5;
/** Country areas in squared equator degrees, largest first, with the whole zoom from which such a country is named. */
const LABEL_ZOOMS = [
  [150, 1],
  [60, 2],
  [20, 3],
  [6, 4],
  [1.5, 5],
  [0.2, 6],
  [0, 7],
];

const require = createRequire(import.meta.url);
const out = new URL("../src/gen/basemap/", import.meta.url);
mkdirSync(out, { recursive: true });

for (const [detail, decimals] of DETAILS)
  write(`outlines-${detail}.json`, outlines(read(`world-atlas/countries-${detail}.json`), decimals));
write("labels.json", labels(read("world-atlas/countries-50m.json")));
write("countries.json", countries(read("world-atlas/countries-50m.json")));

function outlines(topology, decimals) {
  const polygons = feature(topology, topology.objects.land).features.flatMap(({ geometry }) => polygonsOf(geometry));
  const borders = mesh(topology, topology.objects.countries, (a, b) => a !== b).coordinates;
  const land = {
    type: "MultiPolygon",
    coordinates: polygons.map((polygon) => polygon.map((ring) => rounded(ring, decimals))),
  };
  const lines = { type: "MultiLineString", coordinates: borders.map((line) => rounded(unrolled(line), decimals)) };
  return { type: "FeatureCollection", features: [shape("land", land), shape("border", lines)] };
}

function shape(kind, geometry) {
  return { type: "Feature", properties: { kind }, geometry };
}

function polygonsOf(geometry) {
  const polygons = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
  return polygons.map((polygon) => polygon.map(unrolled));
}

/**
 * A line without leaps of 360 degrees. The shapes are stitched across the antimeridian, which a flat map would draw as a
 * streak around the world; unrolled, they run past 180 degrees and the map wraps them. A ring around a pole is closed
 * along the pole.
 */
function unrolled(line) {
  let turns = 0;
  const points = line.map(([lng, lat], index) => {
    const leap = index === 0 ? 0 : lng - line[index - 1][0];
    if (Math.abs(leap) > 180) turns -= Math.sign(leap);
    return [lng + 360 * turns, lat];
  });
  if (turns === 0) return points;
  const [first, last] = [points[0], points.at(-1)];
  if (line[0][0] !== line.at(-1)[0] || line[0][1] !== line.at(-1)[1]) return points;
  const pole = first[1] < 0 ? -90 : 90;
  return [...points, [last[0], pole], [first[0], pole], first];
}

/** The line with so many decimals, without the points that fall together. */
function rounded(line, decimals) {
  const points = line.map((point) => point.map((degree) => Number(degree.toFixed(decimals))));
  return points.filter(
    ([lng, lat], index) => index === 0 || lng !== points[index - 1][0] || lat !== points[index - 1][1],
  );
}

function read(path) {
  return JSON.parse(readFileSync(require.resolve(path), "utf8"));
}

function write(name, value) {
  writeFileSync(new URL(name, out), JSON.stringify(value));
}

function labels(topology) {
  const features = feature(topology, topology.objects.countries).features.map((country) => {
    const rings = polygonsOf(country.geometry).map((polygon) => polygon[0]);
    const largest = rings.reduce((a, b) => (area(a) >= area(b) ? a : b));
    const size = rings.reduce((sum, ring) => sum + area(ring), 0);
    return {
      type: "Feature",
      geometry: { type: "Point", coordinates: rounded([roomiest(largest)], 2)[0] },
      properties: {
        name: country.properties.name,
        zoom: LABEL_ZOOMS.find(([least]) => size >= least)[1],
        size: Math.round(size * 10) / 10,
      },
    };
  });
  return { type: "FeatureCollection", features };
}

/** Area of a ring in squared degrees, as wide as they are at the equator. */
function area(ring) {
  let sum = 0;
  let lats = 0;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    sum += (ring[j][0] - ring[i][0]) * (ring[j][1] + ring[i][1]);
    lats += ring[i][1];
  }
  return Math.abs(sum / 2) * narrowing(lats / ring.length);
}

/** How much narrower a degree of longitude is at a latitude than at the equator. */
function narrowing(lat) {
  return Math.cos((lat * Math.PI) / 180);
}

/** The grid point inside a ring that is farthest from its edge, with more weight on room to the sides. */
function roomiest(ring) {
  const lngs = ring.map((point) => point[0]);
  const lats = ring.map((point) => point[1]);
  const [west, east] = [Math.min(...lngs), Math.max(...lngs)];
  const [south, north] = [Math.min(...lats), Math.max(...lats)];
  let best = { spot: [(west + east) / 2, (south + north) / 2], room: -1 };
  for (let column = 1; column < LABEL_GRID_POINTS; column++) {
    for (let row = 1; row < LABEL_GRID_POINTS; row++) {
      const spot = [
        west + ((east - west) * column) / LABEL_GRID_POINTS,
        south + ((north - south) * row) / LABEL_GRID_POINTS,
      ];
      const room = inside(spot, ring) ? distance(spot, ring) : -1;
      if (room > best.room) best = { spot, room };
    }
  }
  return best.spot;
}

function inside([x, y], ring) {
  let within = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [[xi, yi], [xj, yj]] = [ring[i], ring[j]];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) within = !within;
  }
  return within;
}

/** Distance to the nearest corner: a name is about three times as wide as high, so sideways counts a third. */
function distance([x, y], ring) {
  const scale = narrowing(y) / 3;
  return Math.min(...ring.map(([lng, lat]) => Math.hypot((lng - x) * scale, lat - y)));
}

/**
 * A grid from the north-west corner on: codes of countries, or names of those that have none, and for each row runs of
 * cells as `[number, cells, number, cells…]`, where 0 is the sea and 1 the first country.
 */
function countries(topology) {
  const [columns, lines] = [360 / GRID_DEG, 180 / GRID_DEG];
  const cells = Array.from({ length: lines }, () => new Uint16Array(columns));
  const features = feature(topology, topology.objects.countries).features;
  const shapes = features.map(({ geometry }) => polygonsOf(geometry));
  const filled = shapes.map((polygons, index) => polygons.reduce((sum, polygon) => sum + fill(cells, polygon, index + 1), 0));
  // Those that are too small to hold the middle of a cell, over whatever is around them.
  shapes.forEach((polygons, index) => {
    const [lng, lat] = polygons[0][0][0];
    if (filled[index] === 0) cells[Math.floor((90 - lat) / GRID_DEG)][wrap(Math.floor((lng + 180) / GRID_DEG), columns)] = index + 1;
  });
  return { degrees: GRID_DEG, names: features.map(codeOf), rows: cells.map(runs) };
}

/** Gives the cells to a country whose middles lie in a polygon; how many. */
function fill(cells, polygon, country) {
  const columns = cells[0].length;
  let filled = 0;
  const lats = polygon[0].map(([, lat]) => lat);
  const [south, north] = [Math.min(...lats), Math.max(...lats)];
  cells.forEach((row, line) => {
    const lat = 90 - (line + 0.5) * GRID_DEG;
    if (lat < south || lat > north) return;
    const crossings = polygon.flatMap((ring) => crossingsOf(ring, lat)).sort((a, b) => a - b);
    for (let at = 0; at + 1 < crossings.length; at += 2) {
      const [first, last] = [crossings[at], crossings[at + 1]].map((lng) => Math.ceil((lng + 180) / GRID_DEG - 0.5));
      for (let column = first; column < last; column++) row[wrap(column, columns)] = country;
      filled += last - first;
    }
  });
  return filled;
}

/** Where a ring crosses a parallel. */
function crossingsOf(ring, lat) {
  return ring.flatMap(([lng, y], index) => {
    const [before, low] = ring.at(index - 1);
    return y > lat === low > lat ? [] : [before + ((lng - before) * (lat - low)) / (y - low)];
  });
}

function wrap(column, columns) {
  return ((column % columns) + columns) % columns;
}

function runs(row) {
  const found = [];
  row.forEach((country, column) => {
    if (column > 0 && found.at(-2) === country) found[found.length - 1] += 1;
    else found.push(country, 1);
  });
  return found;
}

/** ISO 3166-1 alpha-2 by the number that the shapes carry; the name where they carry none. */
function codeOf({ id, properties }) {
  const code = id && new Intl.Locale(`und-${id}`).region;
  return /^[A-Z]{2}$/.test(code ?? "") ? code : properties.name;
}
