// The queue of sites that need a person: one after the other, with what can be done about it. Knows nothing of the page.
import type { Api } from "../api/client.js";
import { type Fault, faultOf } from "../api/fault.js";
import { type AttentionCount, type AttentionDetail, AttentionReason } from "../gen/waymark/v1/attention_pb.js";
import { type Candidate, Granularity } from "../gen/waymark/v1/location_pb.js";
import type { Site } from "../gen/waymark/v1/site_pb.js";
import type { Position } from "../position.js";
import * as strings from "../strings.js";

/** Sites of the queue that are loaded at once: more than anybody works through before the next load. */
const PAGE_SIZE = 100;
/** Places to choose from: one a digit key, and no more than fit. */
const PLACES_MAX = 6;

/** What the queue holds: all that the server says needs attention, one reason of it, or what a filter finds. */
export type Kind = AttentionReason | "approximate" | "offline";
const ALL = AttentionReason.UNSPECIFIED;
const FILTERS = { approximate: "location.confirmed = false location.placed = true", offline: "status = OFFLINE" };
const ADDRESS_REASONS = [
  AttentionReason.ADDRESS_AMBIGUOUS,
  AttentionReason.ADDRESS_FAILED,
  AttentionReason.ADDRESS_EXPIRED,
  AttentionReason.ADDRESS_PENDING,
];

export interface Item {
  site: Site;
  reasons: AttentionReason[];
  details: AttentionDetail[];
}

/** Where the site may be: a geocoder's answer, or where a neighbour in the network stands. */
export interface Place {
  position: Position;
  granularity: Granularity;
  words: string;
  /** Of a geocoder's answer. */
  candidate?: Candidate;
  /** Metres from where the site is shown; absent for an unplaced one. */
  distanceM?: number | undefined;
}

export class Attention {
  open = $state(false);
  kind = $state<Kind>(ALL);
  /** Sites that need attention, by the server's word, each once. */
  count = $state(0);
  counts = $state.raw<AttentionCount[]>([]);
  items = $state.raw<Item[]>([]);
  /** Whether there are more than those that are loaded. */
  more = $state(false);
  /** Names of sites that perhaps belong to the queue: their records cannot be read. */
  unreachable = $state.raw<string[]>([]);
  /** Number of the one in hand, from 0. */
  at = $state(0);
  /** Where it may be; absent while that is not known. */
  places = $state.raw<Place[] | undefined>();
  highlighted = $state(-1);
  loading = $state(false);
  busy = $state(false);
  message = $state("");
  fault = $state.raw<Fault | undefined>();
  /** The dismissal that can be taken back. */
  dismissed = $state.raw<{ site: Site; reason: AttentionReason } | undefined>();

  readonly current = $derived(this.items[this.at]);

  #api: Api;
  #account: string;
  #onTurn: (item: Item) => void;
  #onChange: () => void;
  /** Numbers the loads and the questions: a late answer is dropped. */
  #turn = 0;
  #sought = "";

  /** `onTurn` runs when another site comes to hand, and `onChange` when one was changed. */
  constructor(api: Api, account: string, onTurn: (item: Item) => void, onChange: () => void) {
    this.#api = api;
    this.#account = account;
    this.#onTurn = onTurn;
    this.#onChange = onChange;
  }

  async begin(kind: Kind = ALL): Promise<void> {
    this.open = true;
    this.kind = kind;
    [this.items, this.at, this.message, this.dismissed, this.#sought] = [[], 0, "", undefined, ""];
    this.unreachable = [];
    await this.refresh();
  }

  end(): void {
    this.open = false;
    [this.items, this.places, this.#sought] = [[], undefined, ""];
  }

  /** Loads counts and queue again. The site in hand stays so while it is in the queue; else the next one comes up. */
  async refresh(): Promise<void> {
    const turn = ++this.#turn;
    const name = this.current?.site.name;
    this.loading = true;
    try {
      const items = await this.#load(turn);
      if (turn !== this.#turn || !items) return;
      const stays = items.findIndex(({ site }) => site.name === name);
      this.items = items;
      this.at = Math.max(0, stays >= 0 ? stays : Math.min(this.at, items.length - 1));
      this.fault = undefined;
      this.#turnTo();
    } catch (error) {
      if (turn === this.#turn) this.fault = faultOf(error);
    } finally {
      if (turn === this.#turn) this.loading = false;
    }
  }

  /** Goes on to another one, round the ends. */
  step(by: number): void {
    const { length } = this.items;
    if (length > 0) this.go((this.at + by + length) % length);
  }

  go(at: number): void {
    this.at = at;
    this.message = "";
    this.fault = undefined;
    this.#turnTo();
  }

  /** Moves the site to one of the places. */
  async choose(index: number): Promise<void> {
    const [item, place] = [this.current, this.places?.[index]];
    if (!item || !place) return;
    const { name, etag, displayName } = item.site;
    await this.#act(strings.attention.moved(displayName), () =>
      place.candidate
        ? this.#api.location.applyCandidate({ site: name, candidateToken: place.candidate.token, etag })
        : this.#api.location.setPin({ site: name, position: place.position, etag }),
    );
  }

  /** The reason that is dealt with: that of the queue, or the worst one. Absent for none. */
  get reason(): AttentionReason | undefined {
    if (typeof this.kind === "number" && this.kind !== ALL) return this.kind;
    return this.current?.reasons[0];
  }

  /** Whether the site in hand wants another place: of others, that none is found is no news. */
  get seeks(): boolean {
    const { site, reasons = [] } = this.current ?? {};
    const wants = [...ADDRESS_REASONS, AttentionReason.UNPLACED];
    return reasons.length > 0 ? reasons.some((reason) => wants.includes(reason)) : site?.location?.confirmed === false;
  }

  /** Says that the site is right as it is. */
  async accept(): Promise<void> {
    const [item, reason] = [this.current, this.reason];
    if (!item || reason === undefined) return;
    const { site } = item;
    const request = { site: site.name, reason, etag: site.etag };
    const went = await this.#act(strings.attention.accepted(site.displayName), () =>
      this.#api.attention.dismissAttention(request),
    );
    if (went) this.dismissed = { site, reason };
  }

  /** Takes the last dismissal back. */
  async undo(): Promise<void> {
    const { dismissed } = this;
    if (!dismissed) return;
    const { site, reason } = dismissed;
    await this.#act(strings.attention.undone(site.displayName), () =>
      this.#api.attention.restoreAttention({ site: site.name, reason }),
    );
  }

  /** Takes back what persons said of the position. */
  async automatic(): Promise<void> {
    const site = this.current?.site;
    if (!site) return;
    const { name, etag, displayName } = site;
    await this.#act(strings.attention.reset(displayName), () => this.#api.location.resetLocation({ site: name, etag }));
  }

  /** Has the far ends of the ticketing links looked at. */
  async verify(): Promise<void> {
    const site = this.current?.site;
    if (!site) return;
    const request = { site: site.name };
    await this.#act(strings.attention.verified(site.displayName), () =>
      this.#api.ticketing.verifySiteTicketingLinks(request),
    );
  }

  async #act(message: string, call: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    [this.fault, this.dismissed] = [undefined, undefined];
    try {
      await call();
      this.#onChange();
      await this.refresh();
      this.message = message;
      return true;
    } catch (error) {
      const fault = faultOf(error);
      if (fault.kind === "conflict") await this.refresh();
      this.fault = fault.kind === "conflict" ? { ...fault, message: strings.attention.conflict } : fault;
      return false;
    } finally {
      this.busy = false;
    }
  }

  /** The queue; absent where only the counts are wanted. */
  async #load(turn: number): Promise<Item[] | undefined> {
    const { kind, open } = this;
    const isReason = typeof kind === "number";
    const reasons = isReason && kind !== ALL ? [kind] : [];
    const request = { parent: this.#account, reasons, pageSize: open && isReason ? PAGE_SIZE : 1 };
    const listed = await this.#api.attention.listAttention(request);
    if (turn !== this.#turn) return undefined;
    this.count = listed.siteCount;
    this.counts = listed.counts.filter(({ siteCount }) => siteCount > 0);
    if (!open) return undefined;
    this.more = isReason && listed.nextPageToken !== "";
    this.unreachable = listed.unreachable;
    if (isReason) return listed.items.flatMap(({ site, reasons, details }) => (site ? [{ site, reasons, details }] : []));
    const found = { parent: this.#account, filter: FILTERS[kind], pageSize: PAGE_SIZE };
    const { sites, nextPageToken, unreachable } = await this.#api.sites.listSites(found);
    if (turn !== this.#turn) return undefined;
    this.more = nextPageToken !== "";
    this.unreachable = unreachable;
    return sites.map((site) => ({ site, reasons: [], details: [] }));
  }

  #turnTo(): void {
    const item = this.current;
    const sought = item ? `${item.site.name} ${item.site.etag}` : "";
    if (sought === this.#sought) return;
    this.#sought = sought;
    [this.places, this.highlighted] = [undefined, -1];
    if (!item) return;
    this.#onTurn(item);
    void this.#seek(item, sought);
  }

  async #seek(item: Item, sought: string): Promise<void> {
    const asksAddress = item.reasons.some((reason) => ADDRESS_REASONS.includes(reason));
    let places: Place[] = [];
    try {
      if (asksAddress) places = await this.#byAddress(item.site);
      else if (!item.site.location?.confirmed) places = await this.#byNeighbours(item.site);
    } catch {
      // Places are a help: the site's own page says why its address is not found.
    }
    if (sought === this.#sought) this.places = places;
  }

  async #byAddress(site: Site): Promise<Place[]> {
    const typed = site.location?.address?.typed;
    if (!typed) return [];
    const address = { case: "addressLine" as const, value: typed };
    const request = { parent: this.#account, site: site.name, address, candidatesMax: PLACES_MAX };
    const { candidates } = await this.#api.location.geocodeAddress(request);
    return candidates.flatMap((candidate) => {
      const { position, granularity, formattedAddress: words, distanceToPositionM: distanceM } = candidate;
      return position ? [{ position, granularity, words, candidate, distanceM }] : [];
    });
  }

  async #byNeighbours(site: Site): Promise<Place[]> {
    const { suggestions } = await this.#api.location.suggestLocations({ site: site.name });
    return suggestions.slice(0, PLACES_MAX).flatMap(({ fix, displayName, address, distanceM }) => {
      if (!fix?.position) return [];
      const words = [strings.attention.neighbour(displayName), address].filter(Boolean).join(": ");
      return [{ position: fix.position, granularity: fix.granularity, words, distanceM }];
    });
  }
}
