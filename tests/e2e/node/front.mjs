// What stands before a server of tiles and a page of somebody else's that shows them, so that both are of one origin.
import { readFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import path from "node:path";
import { ROOT } from "./server.mjs";

const LIBRARY = path.join(ROOT, "dashboard/node_modules/maplibre-gl/dist");
const TYPES = { ".mjs": "text/javascript", ".css": "text/css" };

/** Hands on what is under `/v1/`, and keeps what was asked there and answered; the map's library is below `/library/`. */
export class Front {
  constructor(server, page) {
    [this.server, this.page] = [server, page];
  }

  async start() {
    this.asked = [];
    this.http = createServer((question, answer) => this.#answer(question, answer));
    await new Promise((resolve) => this.http.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${this.http.address().port}`;
    return this;
  }

  async #answer(question, answer) {
    const { method, url, headers } = question;
    if (url.startsWith("/v1/")) {
      const { hostname, port } = new URL(this.server.url);
      // The headers as they come, `host` among them.
      const onward = request({ hostname, port, method, path: url, headers }, (found) => {
        this.asked.push({ url, headers, status: found.statusCode });
        answer.writeHead(found.statusCode, found.headers);
        found.pipe(answer);
      });
      onward.on("error", () => answer.destroy());
      question.pipe(onward);
      return;
    }
    const name = url.match(/^\/library\/([\w.-]+)/)?.[1];
    const type = name ? (TYPES[path.extname(name)] ?? "application/json") : "text/html";
    try {
      const body = name ? await readFile(path.join(LIBRARY, name)) : this.page;
      answer.writeHead(200, { "content-type": type }).end(body);
    } catch {
      answer.writeHead(404).end();
    }
  }

  stop() {
    this.http.closeAllConnections();
    return new Promise((resolve) => this.http.close(resolve));
  }
}
