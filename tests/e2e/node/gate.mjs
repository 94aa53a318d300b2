// A gate between a page and its server, through which a test lets calls go, holds them, refuses them, breaks them off, loses their
// answers, sends them to another server, answers them itself, or lets a stream stay open and say nothing more. Passes all else on,
// byte for byte, keeps what a test wants to read of it, and weighs all: what workers and fonts take goes by here too.
import http from "node:http";

/** Milliseconds for which a held call waits for its test at most. */
const HELD_MS_MAX = 60_000;
/** What a refused call is answered with, as a whole answer without a message: INTERNAL of gRPC, where a test says nothing else. */
const INTERNAL = 13;
const refusal = (status, message) => ({
  "content-type": "application/grpc-web+proto", "grpc-status": `${status}`, "grpc-message": message,
});
/** What of a question would let its answer be a short one, or a packed one; and of an answer what is not true of another text. */
const SHORTENS = ["accept-encoding", "if-none-match"];
const OF_TEXT = ["content-length", "content-encoding", "etag", "transfer-encoding"];
/** Bytes before a message of gRPC-Web: of which kind it is, and how long; and the kind of trailers. */
const FRAME_HEAD_BYTES = 5;
const TRAILERS = 0x80;

export class Gate {
  /** Calls by the name of their method, such as `ListViewportSites`; the page itself has none. */
  #rules = new Map();
  /** Other servers that answer calls of a method. */
  #servers = new Map();
  /** What changes the text of answers of a method. */
  #changes = new Map();
  /** What answers calls of a method in a server's place. */
  #replies = new Map();
  /** Who waits for the next call of a method. */
  #awaited = new Map();
  /** Answers that are being passed on. */
  #passing = new Set();
  /** While nothing goes through: what lets all calls go on. */
  #frozen;
  /** Who waits for the next piece of a method's answers. */
  #listeners = new Map();
  /** What came through of the answers of methods that a test wants to read. */
  #kept = new Map();
  /** What went to the page, by path. */
  #weights = new Map();

  static async before(server) {
    const gate = new Gate();
    gate.server = server;
    gate.listener = http.createServer((request, response) => gate.#pass(request, response));
    await new Promise((resolve) => gate.listener.listen(0, "127.0.0.1", resolve));
    gate.url = `http://127.0.0.1:${gate.listener.address().port}`;
    return gate;
  }

  /** Holds calls of a method until `open`; resolves when the first one is held. */
  hold(method) {
    return this.#set(method, "hold");
  }

  /** Answers calls of a method with an error of gRPC. */
  refuse(method, status = INTERNAL, message = "the disk is full") {
    void this.#set(method, "refuse");
    this.#rules.get(method).headers = refusal(status, message);
  }

  /** Answers calls of a method with a status of HTTP, and no words. */
  fail(method, status) {
    void this.#set(method, "fail");
    this.#rules.get(method).status = status;
  }

  /** Breaks the connection off under calls of a method, before the server hears of them. */
  cut(method) {
    void this.#set(method, "cut");
  }

  /** Passes calls of a method on, and breaks the connection off when the server has answered; resolves when it has the first time. */
  lose(method) {
    return this.#set(method, "lose");
  }

  /** Keeps what is answered to calls of a method from now on. */
  keep(method) {
    this.#kept.set(method, []);
  }

  /** What was answered to calls of a method since `keep`, as far as it came by now. */
  kept(method) {
    return Buffer.concat(this.#kept.get(method) ?? []);
  }

  /** What went to the page by now, by path: bytes of heads and of bodies, as they were encoded, and the last coding. */
  weights() {
    return [...this.#weights].map(([path, weight]) => ({ path, ...weight }));
  }

  /** Breaks the connections off over which a method is being answered now. */
  sever(method) {
    for (const passing of this.#passing) if (passing.method === method) passing.response.destroy();
  }

  /**
   * Lets nothing through any more, and ends no connection: calls wait here until `thaw` and reach their server then, whoever
   * has given them up meanwhile. Answers that were under way, streams too, never go on.
   */
  freeze() {
    for (const passing of this.#passing) passing.silent = true;
    const frozen = {};
    frozen.over = new Promise((resolve) => (frozen.end = resolve));
    this.#frozen = frozen;
  }

  thaw() {
    this.#frozen?.end();
    this.#frozen = undefined;
  }

  /** Has calls of a method answered by another server; `undefined` gives them back to the gate's own. */
  turn(method, server) {
    this.#servers.set(method, server);
  }

  /** Changes the text of whatever is answered to a method, as a server of another version would write it. */
  change(method, rewrite) {
    this.#changes.set(method, rewrite);
  }

  /** Answers calls of a method in a server's place: `reply` makes the answer's message of the question's, both in bytes. */
  answer(method, reply) {
    this.#replies.set(method, reply);
  }

  /** Resolves with the headers of the next call of a method. */
  arrived(method) {
    return new Promise((resolve) => this.#awaited.set(method, resolve));
  }

  /** Lets streams of a method stay open and carry nothing more, the ones that are open and new ones. */
  silence(method) {
    void this.#set(method, "silence");
  }

  /** Lets calls of a method through again, and those that were held. Streams that fell silent stay so: nothing is known of them. */
  open(method) {
    const rule = this.#rules.get(method);
    this.#rules.delete(method);
    rule?.release();
  }

  /** Resolves when the next piece of an answer of a method has been passed on. */
  heard(method) {
    return new Promise((resolve) => this.#listeners.set(method, resolve));
  }

  async stop() {
    for (const method of [...this.#rules.keys()]) this.open(method);
    this.thaw();
    this.listener.closeAllConnections();
    await new Promise((resolve) => this.listener.close(resolve));
  }

  #set(method, kind) {
    const rule = { kind };
    rule.released = new Promise((resolve) => (rule.release = resolve));
    rule.reached = new Promise((resolve) => (rule.reach = resolve));
    this.#rules.set(method, rule);
    return rule.reached;
  }

  async #pass(request, response) {
    const method = request.url.split("/").at(-1).split("?")[0];
    const rule = this.#rules.get(method);
    this.#awaited.get(method)?.(request.headers);
    if (rule?.kind !== "lose") rule?.reach();
    if (rule?.kind === "cut") return void request.socket.destroy();
    if (rule?.kind === "refuse" || rule?.kind === "fail") {
      request.resume();
      if (rule.kind === "fail") return void response.writeHead(rule.status).end();
      return void response.writeHead(200, rule.headers).end();
    }
    // The body is read meanwhile: whoever holds it back would hold the page's connection.
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    if (rule?.kind === "hold") await Promise.race([rule.released, new Promise((resolve) => setTimeout(resolve, HELD_MS_MAX).unref())]);
    await this.#frozen?.over;
    if (rule?.kind === "lose") return this.#lose(rule, request, Buffer.concat(chunks));
    const reply = this.#replies.get(method);
    if (reply) {
      const message = reply(Buffer.concat(chunks).subarray(FRAME_HEAD_BYTES));
      return void response.writeHead(200, { "content-type": "application/grpc-web+proto" }).end(framed(message));
    }
    this.#forward(method, request, Buffer.concat(chunks), response);
  }

  #lose(rule, { url, method: verb, headers, socket }, body) {
    const { hostname, port } = new URL(this.server.url);
    const onward = http.request({ hostname, port, path: url, method: verb, headers }, (answer) => {
      answer.resume();
      answer.on("close", () => {
        rule.reach();
        socket.destroy();
      });
    });
    onward.on("error", () => socket.destroy());
    onward.end(body);
  }

  #forward(method, { url, method: verb, headers }, body, response) {
    const { hostname, port } = new URL((this.#servers.get(method) ?? this.server).url);
    const change = this.#changes.get(method);
    const asked = change ? without(headers, SHORTENS) : headers;
    const passing = { method, response, silent: false };
    const onward = http.request({ hostname, port, path: url, method: verb, headers: asked }, (answer) => {
      passing.silent ||= this.#frozen !== undefined;
      // The server has answered a call that its caller gave up while it was held: nobody hears of it.
      if (passing.silent || response.destroyed) return void answer.resume();
      if (change) return void rewritten(answer, change, response).catch(() => response.destroy());
      response.writeHead(answer.statusCode, answer.headers);
      const weight = this.#weigh(url, answer);
      this.#passing.add(passing);
      answer.on("data", (chunk) => {
        passing.silent ||= this.#rules.get(method)?.kind === "silence";
        if (passing.silent) return;
        this.#kept.get(method)?.push(chunk);
        weight.bodies += chunk.length;
        response.write(chunk);
        this.#listeners.get(method)?.();
      });
      answer.on("end", () => passing.silent || response.end());
      answer.on("error", () => response.destroy());
      response.flushHeaders();
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => {
      this.#passing.delete(passing);
      onward.destroy();
    });
    onward.end(body);
  }

  /** Begins to weigh an answer: its head is its first line, a line for each of its fields, and an empty one. */
  #weigh(url, { statusCode, statusMessage, rawHeaders, headers }) {
    const path = url.split("?")[0];
    const weight = this.#weights.get(path) ?? { heads: 0, bodies: 0 };
    const first = `HTTP/1.1 ${statusCode} ${statusMessage}\r\n\r\n`;
    // Behind a name stand ": ", behind a value the line's end.
    weight.heads += rawHeaders.reduce((bytes, text) => bytes + Buffer.byteLength(text) + 2, first.length);
    weight.coding = headers["content-encoding"];
    this.#weights.set(path, weight);
    return weight;
  }
}

/** A message as gRPC-Web frames it, with the trailers of a call that went well. */
function framed(message) {
  const frames = [[0, message], [TRAILERS, Buffer.from("grpc-status: 0\r\n")]].map(([kind, bytes]) => {
    const head = Buffer.alloc(FRAME_HEAD_BYTES);
    head.writeUInt8(kind);
    head.writeUInt32BE(bytes.length, 1);
    return [head, bytes];
  });
  return Buffer.concat(frames.flat());
}

/** Headers without some of them. */
const without = (headers, names) => Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));

/** Passes an answer on with another text. */
async function rewritten(answer, change, response) {
  const chunks = [];
  for await (const chunk of answer) chunks.push(chunk);
  response.writeHead(answer.statusCode, without(answer.headers, OF_TEXT));
  response.end(change(Buffer.concat(chunks).toString()));
}
