// A TCP proxy on loopback that hands everything on, and cuts connections: when a marked answer comes, which is lost on its way, or when
// it is told to. It holds everything, too, as a way does that is clogged.
import net from "node:net";

export class Cutting {
  #opened = new Set();
  #held = false;

  /** Hands connections on to a server. The first answer that holds `marker` never arrives; without a marker all do. */
  static async before(server, marker) {
    const cutting = new Cutting();
    cutting.marker = marker === undefined ? undefined : Buffer.from(marker);
    cutting.cuts = 0;
    cutting.listener = net.createServer((client) => cutting.#handOn(client, new URL(server.url)));
    await new Promise((resolve) => cutting.listener.listen(0, "127.0.0.1", resolve));
    cutting.url = `http://127.0.0.1:${cutting.listener.address().port}`;
    return cutting;
  }

  /** Cuts all connections there are; new ones are handed on. */
  cut() {
    for (const socket of this.#opened) socket.destroy();
  }

  /** Lets nothing through, and ends no connection; nothing of it is lost. */
  hold() {
    this.#held = true;
    for (const socket of this.#opened) socket.pause();
  }

  /** Lets through what was held, and all that comes. */
  letGo() {
    this.#held = false;
    for (const socket of this.#opened) socket.resume();
  }

  async stop() {
    this.cut();
    await new Promise((resolve) => this.listener.close(resolve));
  }

  #handOn(client, { hostname, port }) {
    const server = net.connect(Number(port), hostname);
    const both = [client, server];
    const end = () => both.forEach((socket) => socket.destroy());
    for (const socket of both) {
      this.#opened.add(socket);
      socket.on("close", () => {
        this.#opened.delete(socket);
        end();
      });
      // A connection that breaks has ended.
      socket.on("error", end);
    }
    client.on("data", (bytes) => server.write(bytes));
    let seen = Buffer.alloc(0);
    server.on("data", (bytes) => {
      // The marker may come in two pieces.
      seen = Buffer.concat([seen.subarray(-(this.marker?.length ?? 0) || seen.length), bytes]);
      if (this.marker && this.cuts === 0 && seen.includes(this.marker)) {
        this.cuts += 1;
        end();
      } else {
        client.write(bytes);
      }
    });
    if (this.#held) both.forEach((socket) => socket.pause());
  }
}
