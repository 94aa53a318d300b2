// Who is signed in. Holds the token (in this tab's session storage alone) and gives out the services called with it.
import { type Api, connect } from "../api/client.js";
import { faultOf } from "../api/fault.js";
import type { Account } from "../gen/waymark/v1/admin_service_pb.js";
import { TokenScope } from "../gen/waymark/v1/token_scope_pb.js";
import * as strings from "../strings.js";
import { Drafts } from "./drafts.svelte.js";

const TOKEN_KEY = "waymark.token";
const ACCOUNT_KEY = "waymark.account";
/** What a log-in link carries behind its `#`, so that no server and no log ever sees it. */
const LINK_PREFIX = "#token=";
/** Accounts a page of the chooser. */
const ACCOUNTS_PAGE_SIZE = 100;

const READERS = [TokenScope.ADMIN, TokenScope.EDITOR, TokenScope.VIEWER, TokenScope.SERVICE];
const WRITERS = [TokenScope.ADMIN, TokenScope.EDITOR, TokenScope.SERVICE];

export class Session {
  /** `choosing`: signed in as the operator, with no account chosen yet. */
  phase = $state<"starting" | "signed-out" | "choosing" | "ready">("starting");
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
  /** Whether the token may keep the account's connections. */
  administers = $state(false);

  /** What is typed and not saved: a token that ends takes nothing of it away. */
  readonly drafts = new Drafts();

  #token = "";
  #api: Api | undefined;

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
    if (token) await this.signIn(token);
    else this.phase = "signed-out";
  }

  /** Signs in with a token; `notice` says why it failed. */
  async signIn(token: string): Promise<void> {
    this.checking = true;
    this.notice = "";
    const api = connect(token, () => this.#rejected(token));
    try {
      const { scope, account } = await api.admin.whoAmI({});
      if (!READERS.includes(scope)) return this.#end(strings.login.wrongScope);
      this.#token = token;
      this.#api = api;
      this.operator = account === "";
      this.editable = WRITERS.includes(scope);
      this.administers = scope === TokenScope.ADMIN;
      sessionStorage.setItem(TOKEN_KEY, token);
      if (account) this.choose(account);
      else await this.#resumeChoice();
    } catch (error) {
      const fault = faultOf(error);
      if (fault.kind === "unreachable" && this.phase === "starting") sessionStorage.setItem(TOKEN_KEY, token);
      else sessionStorage.removeItem(TOKEN_KEY);
      this.phase = "signed-out";
      this.notice = fault.message;
    } finally {
      this.checking = false;
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

  /** Ends the session because the server did not know its token any more. */
  expire(): void {
    if (this.phase === "ready" || this.phase === "choosing") this.#end(strings.login.ended);
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

  #end(notice: string): void {
    sessionStorage.removeItem(TOKEN_KEY);
    sessionStorage.removeItem(ACCOUNT_KEY);
    this.#token = "";
    this.#api = undefined;
    this.account = "";
    this.accounts = [];
    this.notice = notice;
    this.phase = "signed-out";
  }
}
