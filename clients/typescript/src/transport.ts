// A transport around another one: it sends the token, keeps deadlines, and repeats what may be repeated.
import {
  clone,
  create,
  type DescMessage,
  type DescMethodStreaming,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { ContextValues, StreamResponse, Transport, UnaryResponse } from "@connectrpc/connect";
import { ConnectError } from "@connectrpc/connect";
import { WaymarkError } from "./errors.js";
import { deadlineMs, keyOf, waitMs } from "./policy.js";
import type { Revisions } from "./revisions.js";
import { sleep } from "./sleep.js";

const MIN_REVISION = "waymark-min-revision";
/** Bytes of a secret that a caller draws, such as `retryKey`. */
const SECRET_BYTES = 32;

/** How a client calls. */
export interface Manner {
  /** The value of `authorization`; undefined without a token. */
  authorization(): Promise<string | undefined>;
  /** What servers that answer have to know; undefined for nothing. */
  minRevision(): string | undefined;
  /** Milliseconds for each call, in the place of what the rules give it. */
  deadlineMs: number | undefined;
  /** Most attempts at a call; undefined for as many as there is time for. */
  attemptsMax: number | undefined;
  /** What was written. */
  revisions: Revisions;
}

export class RepeatingTransport implements Transport {
  readonly #inner: Transport;
  readonly #manner: Manner;

  constructor(inner: Transport, manner: Manner) {
    this.#inner = inner;
    this.#manner = manner;
  }

  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: MessageInitShape<I>,
    contextValues?: ContextValues,
  ): Promise<UnaryResponse<I, O>> {
    const name = nameOf(method);
    const message = withKey(name, method.input, wellFormed(method.input, input)) as unknown as MessageInitShape<I>;
    const attempt = (leftMs: number | undefined, headers: Headers): Promise<UnaryResponse<I, O>> =>
      this.#inner.unary(method, signal, leftMs, headers, message, contextValues);
    return await this.#repeat(name, this.#endOf(name, timeoutMs), signal, header, attempt);
  }

  async stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: AsyncIterable<MessageInitShape<I>>,
    contextValues?: ContextValues,
  ): Promise<StreamResponse<I, O>> {
    const name = nameOf(method);
    // Over gRPC-Web a request is one message. It is read once, and may be sent again while nothing was answered.
    const first = await input[Symbol.asyncIterator]().next();
    const message = first.done ? undefined : wellFormed(method.input, first.value as MessageInitShape<I>);
    const requests = async function* (): AsyncGenerator<MessageInitShape<I>> {
      if (message !== undefined) yield message as unknown as MessageInitShape<I>;
    };
    const attempt = (leftMs: number | undefined, headers: Headers): Promise<StreamResponse<I, O>> =>
      this.#inner.stream(method, signal, leftMs, headers, requests(), contextValues);
    const response = await this.#repeat(name, this.#endOf(name, timeoutMs), signal, header, attempt);
    return { ...response, message: told(response.message) };
  }

  /** What comes of attempts, of which each is told how many milliseconds are left, and what to send along. */
  async #repeat<R extends { header: Headers }>(
    method: string,
    ends: number | undefined,
    signal: AbortSignal | undefined,
    header: HeadersInit | undefined,
    attempt: (leftMs: number | undefined, headers: Headers) => Promise<R>,
  ): Promise<R> {
    for (let failures = 1; ; failures += 1) {
      const headers = await this.#headers(header);
      try {
        // Nothing, or less, would be no deadline, and a part of a millisecond none that a server reads.
        const leftMs = ends === undefined ? undefined : Math.max(1, Math.ceil(ends - performance.now()));
        const answer = await attempt(leftMs, headers);
        this.#manner.revisions.note(answer.header);
        return answer;
      } catch (cause) {
        if (cause instanceof ConnectError) this.#manner.revisions.note(cause.metadata);
        const error = WaymarkError.from(cause);
        const isLast = failures === this.#manner.attemptsMax || signal?.aborted === true;
        const pause = isLast ? undefined : waitMs(method, error, failures);
        // What has no end has somebody who makes it again, and knows from where.
        if (pause === undefined || ends === undefined || performance.now() + pause >= ends) throw error;
        await sleep(pause, signal);
      }
    }
  }

  /** When a call has to be over; undefined for as long as it lasts. A time of nothing is none, as in Connect. */
  #endOf(method: string, timeoutMs: number | undefined): number | undefined {
    const ruledMs = deadlineMs(method);
    const limitMs = timeoutMs ?? (ruledMs === undefined ? undefined : (this.#manner.deadlineMs ?? ruledMs));
    return limitMs === undefined || limitMs <= 0 ? undefined : performance.now() + limitMs;
  }

  async #headers(given: HeadersInit | undefined): Promise<Headers> {
    const headers = new Headers(given);
    const authorization = await this.#manner.authorization();
    if (authorization !== undefined) headers.set("authorization", authorization);
    const revision = this.#manner.minRevision();
    if (revision !== undefined && !headers.has(MIN_REVISION)) headers.set(MIN_REVISION, revision);
    return headers;
  }
}

function nameOf(method: { name: string; parent: { name: string } }): string {
  return `${method.parent.name}/${method.name}`;
}

/** A message that can be sent; what cannot is its caller's fault, and no loss on the way. */
function wellFormed<I extends DescMessage>(input: I, given: MessageInitShape<I>): MessageShape<I> {
  const message = create(input, given);
  toBinary(input, message);
  return message;
}

/** The same messages; what ends them early is an error of ours. */
async function* told<T>(messages: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (cause) {
    throw WaymarkError.from(cause);
  }
}

/** The request with what lets it be repeated, where the method takes it and the caller gave none. */
function withKey<I extends DescMessage>(method: string, input: I, message: MessageShape<I>): MessageShape<I> {
  const path = keyOf(method)?.split(".").map(camel);
  const field = path?.at(-1);
  if (!path || field === undefined) return message;
  const copy = clone(input, message);
  const fields = copy as unknown as Record<string, unknown>;
  const holders = path.length === 1 ? [fields] : (fields[path[0] ?? ""] as Record<string, unknown>[]);
  for (const holder of holders) {
    const given = holder[field];
    if (given instanceof Uint8Array && given.length === 0) {
      holder[field] = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
    } else if (given === "") {
      holder[field] = crypto.randomUUID();
    }
  }
  return copy;
}

function camel(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
