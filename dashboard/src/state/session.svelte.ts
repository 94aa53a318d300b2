// Who is signed in. Holds the token (in this tab's session storage alone) and gives out the services called with it.
import { type Api, connect } from "../api/client.js";
import { faultOf } from "../api/fault.js";
import type { Account, WhoAmIResponse } from "../gen/waymark/v1/admin_service_pb.js";
import { PositionAccess } from "../gen/waymark/v1/location_pb.js";
import { ContactAccess } from "../gen/waymark/v1/token_pb.js";
import { TokenScope } from "../gen/waymark/v1/token_scope_pb.js";
import * as strings from "../strings.js";
import { Drafts } from "./drafts.svelte.js";
import { isSame, NOBODY, READERS, rightsOf, WRITERS } from "./rights.js";

const TOKEN_KEY = "waymark.token";
const ACCOUNT_KEY = "waymark.account";
const BY_HAND_KEY = "waymark.byHand";
/** What a log-in link carries behind its `#`, so that no server and no log ever sees it. */
const LINK_PREFIX = "#token=";
/** Accounts a page of the chooser. */
const ACCOUNTS_PAGE_SIZE = 100;

/** Scopes that this page has something to show to. */
const SIGNS_IN = [...READERS, TokenScope.WALLBOARD];

export class Session {
  /**
   * `choosing`: signed in as the operator, with no account chosen yet. `renewing`: the token ended while an account was shown;
   * the account waits unseen, with all that was typed, for another token of the same right.
   */
  phase = $state<"starting" | "signed-out" | "choosing" | "ready" | "renewing">("starting");
  /** Counts the sessions: what one showed is nothing for the next. */
  epoch = $state(0);
  /** `accounts/{account}`; empty until one is chosen. */
  account = $state("");
  /** The operator's choice, as far as it is loaded. */
  accounts = $state.raw<Account[]>([]);
  /** Token of the chooser's next page; empty at the end. */
  accountsNext = $state("");
  /** A sentence for the log-in form: why one has to sign in again, or why it failed. */
  notice = $state("");
  checking = $state(false);
  /** Whether the token is the operator's, who sees every account. */
  operator = $state(false);
  /** Whether the token may change sites. */
  editable = $state(false);
  /** Whether the token may change where sites are, their contacts and notes, if nothing else of them. */
  tends = $state(false);
  /** Whether the token is of somebody who works on site: it sees the sites that are assigned to it, and nothing else of the account. */
  onSite = $state(false);
  /** Whether the token may keep the account's connections. */
  administers = $state(false);
  /** Whether the token shows masked contacts. */
  masks = $state(false);
  /** Whether the token shows where sites are to about a kilometre, and what rests on exact positions not at all. */
  rough = $state(false);
  /** Whether the token is a wallboard's, which sees symbols without names and counts, and nothing else. */
  wallboardOnly = $state(false);
  /** Whether somebody typed the token, who may want to leave. A link opens a screen in a hall, where nobody should. */
  byHand = $state(false);
  /** Resource name of the token. */
  tokenName = $state("");

  /** What is typed and not saved: a token that ends takes nothing of it away. */
  readonly drafts = new Drafts();

  #token = "";
  #api: Api | undefined;
  /** What the token may see and do; another token that may the same takes the session over. */
  #rights = NOBODY;

  /** The services, for a signed-in caller. */
  get api(): Api {
    if (!this.#api) throw new Error("nobody is signed in");
    return this.#api;
  }

  /** The header that the map's own requests carry. */
  get authorization(): string {
    return `Bearer ${this.#token}`;
  }

  /** Takes up a log-in link or the session of this tab. */
  async start(): Promise<void> {
    window.addEventListener("beforeunload", (event) => this.drafts.isDirty && event.preventDefault());
    window.addEventListener("hashchange", () => void this.#takeLink());
    if (await this.#takeLink()) return;
    const token = sessionStorage.getItem(TOKEN_KEY);
    if (token) await this.signIn(token, sessionStorage.getItem(BY_HAND_KEY) !== null);
    else this.phase = "signed-out";
  }

  /** Signs in with a token, which somebody typed or not; `notice` says why it failed. */
  async signIn(token: string, byHand = false): Promise<void> {
    this.checking = true;
    this.notice = "";
    try {
      // Calls of its own: nothing of a session is done before the token is known to be good.
      const { admin } = connect(
        () => token,
        () => undefined,
      );
      const who = await admin.whoAmI({});
      if (!SIGNS_IN.includes(who.scope)) this.notice = strings.login.wrongScope;
      else if (who.positions === PositionAccess.HIDDEN) this.notice = strings.login.noMap;
      else if (this.phase === "renewing" && isSame(rightsOf(who), this.#rights)) this.#renew(token, who, byHand);
      else await this.#begin(token, who, byHand);
    } catch (error) {
      const fault = faultOf(error);
      if (this.phase !== "renewing") this.#end("", fault.kind === "unreachable" && this.phase === "starting");
      this.notice = fault.message;
    } finally {
      this.checking = false;
      if (this.phase === "starting") this.phase = "signed-out";
    }
  }

  /** Shows an account, `accounts/{account}`. */
  choose(account: string): void {
    this.account = account;
    sessionStorage.setItem(ACCOUNT_KEY, account);
    this.phase = "ready";
  }

  /** Back to the choice of accounts. The operator alone has one. */
  async chooseAgain(): Promise<void> {
    sessionStorage.removeItem(ACCOUNT_KEY);
    this.account = "";
    this.phase = "choosing";
    await this.#firstAccounts();
  }

  /** Loads the chooser's next page. */
  async moreAccounts(): Promise<void> {
    const page = await this.api.admin.listAccounts({ pageSize: ACCOUNTS_PAGE_SIZE, pageToken: this.accountsNext });
    this.accounts = [...this.accounts, ...page.accounts];
    this.accountsNext = page.nextPageToken;
  }

  signOut(): void {
    if (this.drafts.isDirty && !confirm(strings.conflict.leave)) return;
    this.drafts.clear();
    this.#end("");
  }

  /** The server does not know the token any more. What is shown is hidden, and nothing that was typed is lost. */
  expire(): void {
    if (this.phase === "choosing") this.#end(strings.login.ended);
    if (this.phase !== "ready") return;
    sessionStorage.removeItem(TOKEN_KEY);
    this.#token = "";
    this.notice = strings.login.ended;
    this.phase = "renewing";
  }

  async #begin(token: string, who: WhoAmIResponse, byHand: boolean): Promise<void> {
    this.#token = token;
    this.#api = connect(
      () => this.#token,
      (used) => this.#rejected(used),
    );
    this.operator = who.account === "";
    this.editable = WRITERS.includes(who.scope);
    this.onSite = who.scope === TokenScope.FIELD;
    this.tends = this.editable || this.onSite;
    this.administers = who.scope === TokenScope.ADMIN;
    this.masks = who.contacts === ContactAccess.MASKED;
    this.rough = who.positions === PositionAccess.APPROXIMATE;
    this.wallboardOnly = !READERS.includes(who.scope);
    this.tokenName = who.token;
    this.#rights = rightsOf(who);
    this.drafts.admit(this.#rights);
    this.epoch += 1;
    this.#keep(token, byHand);
    if (who.account) this.choose(who.account);
    else await this.#resumeChoice();
  }

  /** Goes on where the former token ended. */
  #renew(token: string, who: WhoAmIResponse, byHand: boolean): void {
    this.#token = token;
    this.tokenName = who.token;
    this.#keep(token, byHand);
    this.phase = "ready";
  }

  /** Keeps the token for this tab, and how it came. */
  #keep(token: string, byHand: boolean): void {
    this.byHand = byHand;
    sessionStorage.setItem(TOKEN_KEY, token);
    if (byHand) sessionStorage.setItem(BY_HAND_KEY, "yes");
    else sessionStorage.removeItem(BY_HAND_KEY);
  }

  async #takeLink(): Promise<boolean> {
    if (!location.hash.startsWith(LINK_PREFIX)) return false;
    const token = location.hash.slice(LINK_PREFIX.length);
    history.replaceState(null, "", location.pathname + location.search);
    sessionStorage.removeItem(ACCOUNT_KEY);
    await this.signIn(token);
    return true;
  }

  async #resumeChoice(): Promise<void> {
    const chosen = sessionStorage.getItem(ACCOUNT_KEY);
    if (chosen) return this.choose(chosen);
    await this.#firstAccounts();
    const [only] = this.accounts;
    if (only && this.accounts.length === 1) this.choose(only.name);
    else this.phase = "choosing";
  }

  async #firstAccounts(): Promise<void> {
    this.accounts = [];
    this.accountsNext = "";
    await this.moreAccounts();
  }

  /** A call that was on its way when another token signed in says nothing about that one. */
  #rejected(token: string): void {
    if (token === this.#token) this.expire();
  }

  /** `keeps` leaves the token in the tab, for a server that may come back. */
  #end(notice: string, keeps = false): void {
    if (!keeps) {
      sessionStorage.removeItem(TOKEN_KEY);
      sessionStorage.removeItem(BY_HAND_KEY);
    }
    sessionStorage.removeItem(ACCOUNT_KEY);
    this.#token = "";
    this.#api = undefined;
    this.account = "";
    this.accounts = [];
    this.notice = notice;
    this.phase = "signed-out";
  }
}

/** An address of this page that logs in with a token: behind the `#`, so that no server and no log ever sees it. */
export function linkWith(path: string, token: string): string {
  return `${new URL(path, location.origin).href}${LINK_PREFIX}${token}`;
}
