// Shares of sites that an account made or accepted: listed, proposed, accepted or declined by their codes, ended. A new code is held until
// it is put away.
import { timestampFromDate, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Api } from "../api/client.js";
import { type Fault, faultOf } from "../api/fault.js";
import type { PositionAccess } from "../gen/waymark/v1/location_pb.js";
import { type Share, ShareState } from "../gen/waymark/v1/share_service_pb.js";
import { ContactAccess } from "../gen/waymark/v1/token_pb.js";

/** Shares a page: as many as the server gives. */
const PAGE_SIZE = 1_000;
const DAY_MS = 86_400_000;

/** A share as the form proposes it. */
export interface ShareForm {
  displayName: string;
  /** Which sites, by their labels. */
  sites: string;
  /** Days until it ends; 0 for never. */
  days: number;
  /** Whether contacts and notes are shown. */
  contacts: boolean;
  precision: PositionAccess;
}

/** A code that is shown once. */
export interface MadeCode {
  share: Share;
  code: string;
}

export class Shares {
  loading = $state(false);
  loaded = $state(false);
  /** Whether there are more to load. */
  more = $state(false);
  fault = $state.raw<Fault | undefined>();
  /** The share that was proposed last, with its code; absent once that is put away. */
  made = $state.raw<MadeCode | undefined>();
  /** What a code opens that somebody was handed; absent while none is looked at. */
  offer = $state.raw<MadeCode | undefined>();

  #api: Api;
  #account: string;
  #all = $state.raw<Share[]>([]);
  #next = "";
  #turn = 0;

  constructor(api: Api, account: string) {
    this.#api = api;
    this.#account = account;
  }

  /** Those of the account's own sites: what is in effect or to be accepted first, and of these the newest. */
  get own(): Share[] {
    return inOrder(this.#all.filter(({ owner }) => owner === this.#account));
  }

  /** Those of other accounts' sites, in the same order. */
  get received(): Share[] {
    return inOrder(this.#all.filter(({ owner }) => owner !== this.#account));
  }

  /** Loads them anew. */
  async load(): Promise<void> {
    this.#all = [];
    this.#next = "";
    this.loaded = false;
    await this.further();
  }

  /** Loads the next page. */
  async further(): Promise<void> {
    const turn = (this.#turn += 1);
    this.loading = true;
    try {
      const request = { parent: this.#account, pageSize: PAGE_SIZE, pageToken: this.#next };
      const { shares, nextPageToken } = await this.#api.shares.listShares(request);
      if (turn !== this.#turn) return;
      // One that was made or changed meanwhile may be in the list already.
      const names = new Set(shares.map(({ name }) => name));
      this.#all = [...this.#all.filter(({ name }) => !names.has(name)), ...shares];
      this.#next = nextPageToken;
      this.more = nextPageToken !== "";
      [this.loaded, this.fault] = [true, undefined];
    } catch (error) {
      if (turn === this.#turn) this.fault = faultOf(error);
    } finally {
      if (turn === this.#turn) this.loading = false;
    }
  }

  /** Proposes a share; says why it did not go. */
  async propose({ displayName, sites, days, contacts, precision }: ShareForm): Promise<Fault | undefined> {
    const expiry = days > 0 && { expireTime: timestampFromDate(new Date(Date.now() + days * DAY_MS)) };
    const shown = { contacts: contacts ? ContactAccess.READ : ContactAccess.MASKED, positions: precision };
    try {
      const request = { parent: this.#account, share: { displayName, sites, ...shown, ...expiry } };
      const { share, code } = await this.#api.shares.proposeShare(request);
      if (share) {
        this.made = { share, code };
        this.#took(share);
      }
      return undefined;
    } catch (error) {
      return faultOf(error);
    }
  }

  /** Forgets the code of the new share. */
  putAway(): void {
    this.made = undefined;
  }

  /** Looks at what a code opens, and accepts nothing; says why it opens nothing. */
  async look(code: string): Promise<Fault | undefined> {
    try {
      const share = await this.#api.shares.acceptShare({ parent: this.#account, code, validateOnly: true });
      this.offer = { share, code };
      return undefined;
    } catch (error) {
      return faultOf(error);
    }
  }

  /** Accepts what is looked at, or declines it; says why it did not go. */
  async answer(accepts: boolean): Promise<Fault | undefined> {
    if (!this.offer) return undefined;
    const request = { parent: this.#account, code: this.offer.code };
    try {
      // What is declined is of nobody here, and in no list.
      if (accepts) this.#took(await this.#api.shares.acceptShare(request));
      else await this.#api.shares.declineShare(request);
      this.forgetOffer();
      return undefined;
    } catch (error) {
      return faultOf(error);
    }
  }

  /** Looks at no code any more. */
  forgetOffer(): void {
    this.offer = undefined;
  }

  /** Ends a share at once, or takes it back; says why it did not go. */
  async end(name: string): Promise<Fault | undefined> {
    try {
      this.#took(await this.#api.shares.endShare({ name }));
      if (this.made?.share.name === name) this.putAway();
      return undefined;
    } catch (error) {
      return faultOf(error);
    }
  }

  /** Takes a share into the list as it is now. */
  #took(share: Share): void {
    this.#all = [share, ...this.#all.filter(({ name }) => name !== share.name)];
  }
}

/** Whether a share is in effect, or can be accepted. */
export function isOpen({ state }: Share): boolean {
  return state === ShareState.PROPOSED || state === ShareState.ACTIVE;
}

function inOrder(shares: Share[]): Share[] {
  const proposedAt = ({ proposeTime }: Share): number => (proposeTime ? timestampMs(proposeTime) : 0);
  return shares.sort(
    (one, other) => Number(isOpen(other)) - Number(isOpen(one)) || proposedAt(other) - proposedAt(one),
  );
}
