// Finds the place with most sites, as someone would who goes there: from zoom to zoom to the greatest symbol of the tile that holds the last one.
import { createRequire } from "node:module";

const require = createRequire(new URL("../../tests/e2e/node/", import.meta.url));
const { VectorTile } = require("@mapbox/vector-tile");
const { PbfReader } = require("pbf");

/** From 0 to 1 over the map of the world; `account` is `accounts/{account}`, `layers` are those whose symbols count, `deepest` is a zoom. */
export async function densest({ url, account, token, layers, deepest }) {
  let found = { x: 0.5, y: 0.5 };
  for (let z = 0; z <= deepest; z += 1) {
    const [x, y] = [Math.floor(found.x * 2 ** z), Math.floor(found.y * 2 ** z)];
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(new URL(`/v1/${account}/tiles/${z}/${x}/${y}.mvt`, url), { headers });
    if (!answer.ok) throw new Error(`the tile ${z}/${x}/${y} is answered with ${answer.status}`);
    const tile = new VectorTile(new PbfReader(new Uint8Array(await answer.arrayBuffer())));
    let most = 0;
    for (const layer of layers.map((name) => tile.layers[name]).filter(Boolean)) {
      for (let index = 0; index < layer.length; index += 1) {
        const feature = layer.feature(index);
        if (feature.properties.count <= most) continue;
        const [[point]] = feature.loadGeometry();
        found = { x: (x + point.x / layer.extent) / 2 ** z, y: (y + point.y / layer.extent) / 2 ** z };
        most = feature.properties.count;
      }
    }
  }
  return found;
}
