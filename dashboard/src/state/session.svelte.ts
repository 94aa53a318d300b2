// Who is signed in. Holds the token (in this tab's session storage alone) and gives out the services called with it.
import { type Api, connect } from "../api/client.js";
import { faultOf } from "../api/fault.js";
import { accountId } from "../api/names.js";
import type { Account, WhoAmIResponse } from "../gen/waymark/v1/admin_service_pb.js";
import { PositionAccess } from "../gen/waymark/v1/location_pb.js";
import type { Share } from "../gen/waymark/v1/share_service_pb.js";
import { ContactAccess } from "../gen/waymark/v1/token_pb.js";
import { TokenScope } from "../gen/waymark/v1/token_scope_pb.js";
import * as strings from "../strings.js";
import { Drafts } from "./drafts.svelte.js";
import { receivedShares } from "./received_shares.js";
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
   * `choosing`: signed in with a token that opens several accounts, and none is chosen yet. `renewing`: the token ended while an
   * account was shown; the account waits unseen, with all that was typed, for another token of the same right.
   */
  phase = $state<"starting" | "signed-out" | "choosing" | "ready" | "renewing">("starting");
  /** Counts the sessions: what one showed is nothing for the next. */
  epoch = $state(0);
  /** `accounts/{account}`; empty until one is chosen. */
  account = $state("");
  /** The account that the token belongs to; empty for the operator's. */
  home = $state("");
  /** The shares in effect by which the token opens other accounts, one of each, as they were when they were last asked for. */
  shared = $state.raw<Share[]>([]);
  /** The share that shows the account; absent where it is the token's own. */
  guest = $state.raw<Share | undefined>();
  /** The accounts to choose from, as far as they are loaded. */
  accounts = $state.raw<Account[]>([]);
  /** Token of the chooser's next page; empty at the end. */
  accountsNext = $state("");
  /** A sentence for the log-in form or the chooser: why one has to sign in or choose again, or why it failed. */
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

  /**
   * The token, as the services of this session call with it. Those of another session have one of their own: what goes on there is
   * done in nobody else's name.
   */
  #held = { token: "" };
  #api: Api | undefined;
  /** What the token may see and do; another token that may the same takes the session over. */
  #rights = NOBODY;
  #who: WhoAmIResponse | undefined;

  /** Whether some sites of the account are seen alone, and nothing else of it: by who works on site, and by a guest. */
  get confined(): boolean {
    return this.onSite || this.guest !== undefined;
  }

  /** Whether histories are shown: they hold exact positions, and what was before a share. */
  get readsHistory(): boolean {
    return !this.rough && this.guest === undefined;
  }

  /** The services, for a signed-in caller. */
  get api(): Api {
    if (!this.#api) throw new Error("nobody is signed in");
    return this.#api;
  }

  /** The header that the map's own requests carry. */
  get authorization(): string {
    return `Bearer ${this.#held.token}`;
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

  /** Shows an account, `accounts/{account}`: another one than the token's own as far as a share shows it, where there is one. */
  choose(account: string): void {
    const opened = this.opens(account) ? account : this.home;
    this.#entitle(this.shared.find(({ owner }) => owner === opened));
    this.account = opened;
    this.notice = "";
    sessionStorage.setItem(ACCOUNT_KEY, opened);
    this.phase = "ready";
  }

  /** Whether the token opens an account on this page, which shows nothing without a map. */
  opens(account: string): boolean {
    const share = this.shared.find(({ owner }) => owner === account);
    return this.operator || account === this.home || (share !== undefined && share.positions !== PositionAccess.HIDDEN);
  }

  /** Back to the choice of accounts. The operator has one, and who sees sites of other accounts by shares. */
  async chooseAgain(): Promise<void> {
    sessionStorage.removeItem(ACCOUNT_KEY);
    this.account = "";
    this.guest = undefined;
    this.phase = "choosing";
    try {
      await Promise.all([this.#firstAccounts(), this.lookForShares()]);
    } catch (error) {
      this.notice = faultOf(error).message;
    }
  }

  /** Asks which other accounts the token opens by shares. */
  async lookForShares(): Promise<void> {
    if (!seesShares(this.#who)) return;
    const { epoch } = this;
    const shared = await receivedShares(this.api, this.home);
    if (epoch === this.epoch) this.shared = shared;
  }

  /** Nothing is told of the account any more: where that is because a share is over, nothing of it stays on the screen. */
  async lookAgain(): Promise<void> {
    const before = this.guest;
    if (!before) return;
    try {
      await this.lookForShares();
    } catch {
      // What is wrong with the connection is told, and it is asked again with the next watch.
      return;
    }
    if (this.phase !== "ready" || this.guest !== before) return;
    const now = this.shared.find(({ owner }) => owner === before.owner);
    if (now?.name === before.name) return;
    if (now && this.opens(now.owner)) {
      // Another one, which waited: it may show other sites, and more or less of them.
      this.epoch += 1;
      this.choose(now.owner);
      return;
    }
    this.notice = strings.guest.over(before.ownerDisplayName || accountId(before.owner));
    await this.chooseAgain();
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
    this.#held.token = "";
    this.notice = strings.login.ended;
    this.phase = "renewing";
  }

  async #begin(token: string, who: WhoAmIResponse, byHand: boolean): Promise<void> {
    const chosen = sessionStorage.getItem(ACCOUNT_KEY) ?? "";
    const shared = chosen !== "" && chosen !== who.account && seesShares(who) ? await sharesOf(token, who.account) : [];
    const held = { token };
    this.#held = held;
    this.#api = connect(
      () => held.token,
      (used) => this.#rejected(used),
    );
    this.#who = who;
    this.operator = who.account === "";
    [this.home, this.shared] = [who.account, shared];
    this.#entitle(undefined);
    this.tokenName = who.token;
    this.#rights = rightsOf(who);
    this.drafts.admit(this.#rights);
    this.epoch += 1;
    this.#keep(token, byHand);
    if (who.account) this.choose(chosen);
    else await this.#resumeChoice();
  }

  /** What the token may see and do, of another account as far as the share shows it, where nothing is changed. */
  #entitle(share: Share | undefined): void {
    const who = this.#who;
    if (!who) return;
    this.guest = share;
    this.editable = !share && WRITERS.includes(who.scope);
    this.onSite = who.scope === TokenScope.FIELD;
    this.tends = this.editable || this.onSite;
    this.administers = !share && who.scope === TokenScope.ADMIN;
    this.masks = who.contacts === ContactAccess.MASKED || (share !== undefined && share.contacts !== ContactAccess.READ);
    this.rough = [who.positions, share?.positions].includes(PositionAccess.APPROXIMATE);
    this.wallboardOnly = !READERS.includes(who.scope);
  }

  /** Goes on where the former token ended. */
  #renew(token: string, who: WhoAmIResponse, byHand: boolean): void {
    this.#held.token = token;
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
    if (token === this.#held.token) this.expire();
  }

  /** `keeps` leaves the token in the tab, for a server that may come back. */
  #end(notice: string, keeps = false): void {
    if (!keeps) {
      sessionStorage.removeItem(TOKEN_KEY);
      sessionStorage.removeItem(BY_HAND_KEY);
    }
    sessionStorage.removeItem(ACCOUNT_KEY);
    this.#held.token = "";
    this.#api = undefined;
    this.account = "";
    this.accounts = [];
    this.shared = [];
    this.guest = undefined;
    this.notice = notice;
    this.phase = "signed-out";
  }
}

/** Whether who this is sees sites of other accounts by shares: it is of those who see all of their own. */
function seesShares(who: WhoAmIResponse | undefined): boolean {
  return who !== undefined && who.account !== "" && READERS.includes(who.scope) && who.scope !== TokenScope.FIELD;
}

/** What a token opens by shares, before anything of a session is done with it; nothing where that is not told. */
async function sharesOf(token: string, account: string): Promise<Share[]> {
  const api = connect(
    () => token,
    () => undefined,
  );
  return receivedShares(api, account).catch(() => []);
}

/** An address of this page that logs in with a token: behind the `#`, so that no server and no log ever sees it. */
export function linkWith(path: string, token: string): string {
  return `${new URL(path, location.origin).href}${LINK_PREFIX}${token}`;
}
