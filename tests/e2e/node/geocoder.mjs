// A geocoder of the tests, on loopback: speaks Photon's protocol, and answers with the places that a test gives it.
import http from "node:http";

/** A running geocoder. A place is `{ street, number, city, lat, lng }`, and whatever else of Photon's properties it has. */
export class Geocoder {
  /** The places that a text may mean. */
  find = () => [];
  /** Those at a position. */
  near = () => [];

  static async start() {
    const geocoder = new Geocoder();
    geocoder.listener = http.createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url, "http://geocoder");
      const [lat, lng] = ["lat", "lon"].map((name) => Number(searchParams.get(name)));
      const places = pathname === "/reverse" ? geocoder.near({ lat, lng }) : geocoder.find(searchParams.get("q") ?? "");
      const body = JSON.stringify({ type: "FeatureCollection", features: places.map(feature) });
      response.writeHead(200, { "content-type": "application/json" }).end(body);
    });
    await new Promise((resolve) => geocoder.listener.listen(0, "127.0.0.1", resolve));
    geocoder.url = `http://127.0.0.1:${geocoder.listener.address().port}`;
    return geocoder;
  }

  /** A configuration that asks this one alone, and remembers nothing. Texts of JSON are texts of TOML. */
  config(attribution = "of the tests") {
    const lines = [
      "[[geocode.providers]]", 'kind = "photon"', `url = "${this.url}"`, "requests_per_s = 500", "timeout_ms = 5000",
      "cache_s = 0", "cache_empty_s = 0", `attribution = ${JSON.stringify(attribution)}`,
    ];
    return `${lines.join("\n")}\n`;
  }

  async stop() {
    this.listener.closeAllConnections();
    await new Promise((resolve) => this.listener.close(resolve));
  }
}

/** A door as the protocol has it; each of them is another one. */
function feature({ lat, lng, number, ...properties }, at) {
  const door = { osm_type: "N", osm_id: at + 1, type: "house", countrycode: "IS", housenumber: number, ...properties };
  return { type: "Feature", geometry: { type: "Point", coordinates: [lng, lat] }, properties: door };
}
