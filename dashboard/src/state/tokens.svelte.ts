// Tokens of an account, or the operator's own: listed, made, given new secrets, ended. A new secret is held until it is put away.
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Api } from "../api/client.js";
import { type Fault, faultOf } from "../api/fault.js";
import { PositionAccess } from "../gen/waymark/v1/location_pb.js";
import { ContactAccess, type Token } from "../gen/waymark/v1/token_pb.js";
import { TokenScope } from "../gen/waymark/v1/token_scope_pb.js";

/** Tokens a page: as many as the server gives, for most may be agents' own. */
const PAGE_SIZE = 1_000;
/** Pages in a row that are looked through for tokens of people and programs. */
const PAGES_MAX = 5;
const DAY_MS = 86_400_000;

/** Tokens that are not made here, and are as many as there are sites. */
const OWN_KIND = [TokenScope.AGENT, TokenScope.RESIDENT];

/** A token as the form makes it. */
export interface TokenForm {
  displayName: string;
  scope: TokenScope;
  /** Days until it ends; 0 for never. */
  days: number;
  masked: boolean;
  /** For a viewer's alone; others see exactly what they act on. */
  precision: PositionAccess;
  /** Which sites a field operator's is good for, by their labels; for no other. */
  assigned: string;
}

/** A secret that is shown once. */
export interface MadeSecret {
  token: Token;
  secret: string;
  /** Whether the token was there before. */
  anew: boolean;
}

export type TokenState = "good" | "expired" | "revoked";

export class Tokens {
  /** `accounts/{account}`; empty for the operator's own. */
  parent = $state("");
  all = $state.raw<Token[]>([]);
  loading = $state(false);
  loaded = $state(false);
  /** Whether there are more to look through. */
  more = $state(false);
  /** Whether tokens of agents or residents were left out. */
  leftOut = $state(false);
  fault = $state.raw<Fault | undefined>();
  /** The token that was made last, or got a new secret, with its secret; absent once it is put away. */
  made = $state.raw<MadeSecret | undefined>();

  #api: Api;
  #next = "";
  #turn = 0;

  constructor(api: Api, account: string) {
    this.#api = api;
    this.parent = account;
  }

  /** Shows the tokens of another parent. */
  async of(parent: string): Promise<void> {
    this.parent = parent;
    await this.load();
  }

  /** Loads them anew. */
  async load(): Promise<void> {
    this.all = [];
    this.#next = "";
    [this.loaded, this.leftOut] = [false, false];
    await this.further();
  }

  /** Looks on, until some are found. */
  async further(): Promise<void> {
    const turn = (this.#turn += 1);
    this.loading = true;
    try {
      for (let pages = 0; pages < PAGES_MAX; pages += 1) {
        const request = { parent: this.parent, pageSize: PAGE_SIZE, pageToken: this.#next };
        const { tokens, nextPageToken } = await this.#api.admin.listTokens(request);
        if (turn !== this.#turn) return;
        const found = tokens.filter(({ scope }) => !OWN_KIND.includes(scope));
        this.leftOut ||= found.length < tokens.length;
        this.all = [...this.all, ...found];
        this.#next = nextPageToken;
        this.more = nextPageToken !== "";
        if (!this.more || found.length > 0) break;
      }
      [this.loaded, this.fault] = [true, undefined];
    } catch (error) {
      if (turn === this.#turn) this.fault = faultOf(error);
    } finally {
      if (turn === this.#turn) this.loading = false;
    }
  }

  /** Makes a token; says why it did not go. */
  async create({ displayName, scope, days, masked, ...form }: TokenForm): Promise<Fault | undefined> {
    const contacts = masked ? ContactAccess.MASKED : ContactAccess.UNSPECIFIED;
    const positions = scope === TokenScope.VIEWER ? form.precision : PositionAccess.UNSPECIFIED;
    const assigned = scope === TokenScope.FIELD ? form.assigned : "";
    const expiry = days > 0 && { expireTime: timestampFromDate(new Date(Date.now() + days * DAY_MS)) };
    try {
      const request = { parent: this.parent, token: { displayName, scope, contacts, positions, assigned, ...expiry } };
      const { token, secret } = await this.#api.admin.createToken(request);
      if (token) {
        this.made = { token, secret, anew: false };
        this.all = [token, ...this.all];
      }
      return undefined;
    } catch (error) {
      return faultOf(error);
    }
  }

  /** Forgets the secret of the new token. */
  putAway(): void {
    this.made = undefined;
  }

  /** Gives a token a new secret; says why it did not go. A repeat with the same `requestId` (a UUID) gives the same secret. */
  async rotate(name: string, requestId: string): Promise<Fault | undefined> {
    try {
      const { token, secret } = await this.#api.admin.rotateToken({ name, requestId });
      if (token) {
        this.made = { token, secret, anew: true };
        // When it was used, the list alone tells.
        const known = this.all.find((one) => one.name === name);
        const changed = { ...token, ...(known?.lastUseTime && { lastUseTime: known.lastUseTime }) };
        this.all = this.all.map((one) => (one.name === name ? changed : one));
      }
      return undefined;
    } catch (error) {
      return faultOf(error);
    }
  }

  /** Ends a token at once; says why it did not go. */
  async revoke(name: string): Promise<Fault | undefined> {
    try {
      const ended = await this.#api.admin.revokeToken({ name });
      this.all = this.all.map((token) => (token.name === name ? ended : token));
      if (this.made?.token.name === name) this.putAway();
      return undefined;
    } catch (error) {
      return faultOf(error);
    }
  }
}

/** Whether a token is good at `now` (milliseconds since 1970). */
export function tokenState({ expireTime, revokeTime }: Token, now: number): TokenState {
  if (revokeTime) return "revoked";
  return expireTime && timestampDate(expireTime).getTime() <= now ? "expired" : "good";
}
