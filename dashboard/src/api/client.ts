// The server's services over gRPC-Web, from the page's own origin. The one place that puts the token on a call.
import { type Client, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { ActivationService } from "../gen/waymark/v1/activation_service_pb.js";
import { AdminService } from "../gen/waymark/v1/admin_service_pb.js";
import { AttentionService } from "../gen/waymark/v1/attention_service_pb.js";
import { HistoryService } from "../gen/waymark/v1/history_service_pb.js";
import { ImportService } from "../gen/waymark/v1/import_service_pb.js";
import { LocationService } from "../gen/waymark/v1/location_service_pb.js";
import { MapService } from "../gen/waymark/v1/map_service_pb.js";
import { ResidentAccessService } from "../gen/waymark/v1/resident_access_service_pb.js";
import { ShareService } from "../gen/waymark/v1/share_service_pb.js";
import { SiteService } from "../gen/waymark/v1/site_service_pb.js";
import { TicketingService } from "../gen/waymark/v1/ticketing_service_pb.js";
import { faultOf } from "./fault.js";
import { accountOf, Revisions } from "./revisions.js";

/** A call that has not answered after so many milliseconds counts as failed: far above any answer of a sound server. */
const CALL_TIMEOUT_MS = 20_000;

/** The same of an erasure, which writes the store's files anew: the server takes ten minutes at most. */
export const ERASE_TIMEOUT_MS = 660_000;

/** A server that does not know enough yet did nothing; it waited for 5 seconds. */
const NOT_READY = "NOT_READY";
/** Asks of one that is behind, before that is told: as many as there is time for. */
const TRIES_MAX = 3;

/** The services, all called with one token, and what is known by what they answered. */
export interface Api {
  revisions: Revisions;
  activation: Client<typeof ActivationService>;
  admin: Client<typeof AdminService>;
  attention: Client<typeof AttentionService>;
  sites: Client<typeof SiteService>;
  history: Client<typeof HistoryService>;
  imports: Client<typeof ImportService>;
  location: Client<typeof LocationService>;
  map: Client<typeof MapService>;
  residents: Client<typeof ResidentAccessService>;
  shares: Client<typeof ShareService>;
  ticketing: Client<typeof TicketingService>;
}

/**
 * The services as the holder of a token calls them; `token` gives it, and may give another one later. `onRejected` runs
 * whenever the server does not know the token that a call was made with.
 */
export function connect(token: () => string, onRejected: (token: string) => void): Api {
  const authorize: Interceptor = (next) => async (request) => {
    const used = token();
    request.header.set("authorization", `Bearer ${used}`);
    const watched = (error: unknown): unknown => {
      if (ConnectError.from(error).code === Code.Unauthenticated) onRejected(used);
      return error;
    };
    try {
      const response = await next(request);
      return response.stream ? { ...response, message: through(response.message, watched) } : response;
    } catch (error) {
      throw watched(error);
    }
  };
  const revisions = new Revisions();
  const transport = createGrpcWebTransport({
    baseUrl: location.origin,
    interceptors: [authorize, keepingUp(revisions)],
    defaultTimeoutMs: CALL_TIMEOUT_MS,
  });
  return {
    revisions,
    activation: createClient(ActivationService, transport),
    admin: createClient(AdminService, transport),
    attention: createClient(AttentionService, transport),
    sites: createClient(SiteService, transport),
    history: createClient(HistoryService, transport),
    imports: createClient(ImportService, transport),
    location: createClient(LocationService, transport),
    map: createClient(MapService, transport),
    residents: createClient(ResidentAccessService, transport),
    shares: createClient(ShareService, transport),
    ticketing: createClient(TicketingService, transport),
  };
}

/** Has calls answered by who knows what the page knows. Streams say what that is themselves: their requests are read once. */
function keepingUp(revisions: Revisions): Interceptor {
  return (next) => async (request) => {
    const asked: Record<string, string> = request.stream ? {} : revisions.asked(accountOf(request.message));
    for (const [name, value] of Object.entries(asked)) request.header.set(name, value);
    for (let tries = 1; ; tries += 1) {
      try {
        const response = await next(request);
        revisions.heed(response.header);
        return response;
      } catch (error) {
        revisions.heed(ConnectError.from(error).metadata);
        const isBehind = Object.keys(asked).length > 0 && faultOf(error).reason === NOT_READY;
        if (!isBehind || tries === TRIES_MAX) throw error;
      }
    }
  };
}

/** The same messages; what ends them early goes through `watched`. */
async function* through<T>(messages: AsyncIterable<T>, watched: (error: unknown) => unknown): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    throw watched(error);
  }
}
