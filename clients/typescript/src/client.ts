// A server as a program calls it: all services of the API, each call with a deadline and repeated where it may be.
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { ActivationService } from "./gen/waymark/v1/activation_service_pb.js";
import { AdminService } from "./gen/waymark/v1/admin_service_pb.js";
import { AttentionService } from "./gen/waymark/v1/attention_service_pb.js";
import { AuditService } from "./gen/waymark/v1/audit_service_pb.js";
import { GeoIpService } from "./gen/waymark/v1/geoip_service_pb.js";
import { HistoryService } from "./gen/waymark/v1/history_service_pb.js";
import { ImportService } from "./gen/waymark/v1/import_service_pb.js";
import { LocationService } from "./gen/waymark/v1/location_service_pb.js";
import { MapService } from "./gen/waymark/v1/map_service_pb.js";
import { PrefixService } from "./gen/waymark/v1/prefix_service_pb.js";
import { ResidentAccessService } from "./gen/waymark/v1/resident_access_service_pb.js";
import { ShareService } from "./gen/waymark/v1/share_service_pb.js";
import { SiteService } from "./gen/waymark/v1/site_service_pb.js";
import { TicketingService } from "./gen/waymark/v1/ticketing_service_pb.js";
import type { SiteEvent } from "./ledger.js";
import { checked, Revisions } from "./revisions.js";
import { type Manner, RepeatingTransport } from "./transport.js";
import { type WatchOptions, watchSites } from "./watch.js";

export interface Options {
  /** `https://HOST[:PORT]`, or `http://HOST[:PORT]` on this machine. */
  server: string;
  /** The token, `wmk_…`, or what gives it, asked for each call. Without one only invitations can be accepted. Shown nowhere. */
  token?: string | (() => string | Promise<string>);
  /** Allows http:// to another machine, where others may read the token. */
  plaintext?: boolean;
  /** Milliseconds for each call, all attempts and waits included, in the place of what docs/clients.md says. */
  deadlineMs?: number;
  /** Most attempts at a call; as many as there is time for if not given. */
  attemptsMax?: number;
  /** What fetches, for programs that bring their own certificates or proxies. */
  fetch?: typeof globalThis.fetch;
}

/** The services of a server. Their methods answer with messages, or throw `WaymarkError`. */
export interface WaymarkClient {
  readonly activation: Client<typeof ActivationService>;
  readonly admin: Client<typeof AdminService>;
  readonly attention: Client<typeof AttentionService>;
  readonly audit: Client<typeof AuditService>;
  readonly geoip: Client<typeof GeoIpService>;
  readonly history: Client<typeof HistoryService>;
  readonly imports: Client<typeof ImportService>;
  readonly location: Client<typeof LocationService>;
  readonly map: Client<typeof MapService>;
  readonly prefixes: Client<typeof PrefixService>;
  readonly residents: Client<typeof ResidentAccessService>;
  readonly shares: Client<typeof ShareService>;
  readonly sites: Client<typeof SiteService>;
  readonly ticketing: Client<typeof TicketingService>;

  /**
   * The sites of an account, `accounts/ACCOUNT`, that match, then what becomes of them. It goes on after cuts, for as long as it is
   * read, and tells each change once; several changes of a site in a row may be told as its last one. Throws where watching again
   * would not help, as with a bad token or filter. Remembers name and version of each site that it told of.
   */
  watchSites(on: string, options?: WatchOptions): AsyncGenerator<SiteEvent, void, undefined>;
  /** The highest revision of `accounts/ACCOUNT` that calls of this client wrote, as `atLeast` takes it on any machine. */
  written(account: string): string | undefined;
  /** The same client, answered by servers that know at least this revision. */
  atLeast(revision: string): WaymarkClient;
  /** The same client, on which every answer has in it what it, or the present one, wrote to an account before. */
  withOwnWritesOf(account: string): WaymarkClient;
}

/** A client of a server; nothing is asked before its first call. Throws TypeError for what no client can be made of. */
export function connect(options: Options): WaymarkClient {
  const server = addressOf(options);
  const transport = createGrpcWebTransport({ baseUrl: server, fetch: options.fetch });
  const manner: Manner = {
    authorization: async () => authorizationOf(typeof options.token === "function" ? await options.token() : options.token),
    minRevision: () => undefined,
    deadlineMs: options.deadlineMs,
    attemptsMax: options.attemptsMax,
    revisions: new Revisions(),
  };
  if (typeof options.token === "string") authorizationOf(options.token);
  const clientOf = (manner: Manner): WaymarkClient => {
    const repeating = new RepeatingTransport(transport, manner);
    const sites = createClient(SiteService, repeating);
    return {
      activation: createClient(ActivationService, repeating),
      admin: createClient(AdminService, repeating),
      attention: createClient(AttentionService, repeating),
      audit: createClient(AuditService, repeating),
      geoip: createClient(GeoIpService, repeating),
      history: createClient(HistoryService, repeating),
      imports: createClient(ImportService, repeating),
      location: createClient(LocationService, repeating),
      map: createClient(MapService, repeating),
      prefixes: createClient(PrefixService, repeating),
      residents: createClient(ResidentAccessService, repeating),
      shares: createClient(ShareService, repeating),
      sites,
      ticketing: createClient(TicketingService, repeating),
      watchSites: (on, options = {}) => watchSites(sites, on, options),
      written: (account) => manner.revisions.written(account),
      atLeast: (revision) => {
        const least = checked(revision);
        return clientOf({ ...manner, minRevision: () => least });
      },
      withOwnWritesOf: (account) =>
        clientOf({ ...manner, minRevision: () => manner.revisions.written(account) }),
    };
  };
  return clientOf(manner);
}

function addressOf({ server, plaintext }: Options): string {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (!url || !["http:", "https:"].includes(url.protocol) || url.pathname !== "/" || url.search || url.hash) {
    throw new TypeError(`a server's address is https://HOST[:PORT] or http://HOST[:PORT], got ${JSON.stringify(server)}`);
  }
  if (url.protocol === "http:" && !plaintext && !isThisMachine(url.hostname)) {
    throw new TypeError(`${url.hostname} is another machine: use https://, or plaintext where nobody listens`);
  }
  return url.origin;
}

function isThisMachine(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(\.\d+){3}$/.test(host);
}

function authorizationOf(token: string | undefined): string | undefined {
  if (token === undefined) return undefined;
  const secret = token.trim();
  if (!/^[!-~]+$/.test(secret)) throw new TypeError("the token is malformed");
  return `Bearer ${secret}`;
}
