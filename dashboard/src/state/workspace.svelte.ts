// One account on the screen: ties list, open site and overview together, and is all that the parts of the page share.
import type { Box } from "../map/view_box.js";
import type { Position } from "../position.js";
import { Granularity } from "../gen/waymark/v1/location_pb.js";
import type { Site } from "../gen/waymark/v1/site_pb.js";
import { faultOf } from "../api/fault.js";
import * as strings from "../strings.js";
import { Attention } from "./attention.svelte.js";
import { Bulk } from "./bulk.svelte.js";
import { Connections } from "./connections.svelte.js";
import { Facets } from "./facets.svelte.js";
import { SiteFilter } from "./filter.svelte.js";
import { SiteHistory } from "./history.svelte.js";
import { Listing, type Row, type Scope } from "./listing.svelte.js";
import { Navigation } from "./navigation.svelte.js";
import { OpenedSite } from "./opened.svelte.js";
import { Overview } from "./overview.svelte.js";
import { PageKeys } from "./page_keys.js";
import { PageVersion } from "./page_version.svelte.js";
import { Pages } from "./pages.svelte.js";
import { Paced } from "./paced.js";
import { Pulse } from "./pulse.svelte.js";
import { Relocation } from "./relocation.svelte.js";
import { Residence } from "./residence.svelte.js";
import { SiteSearch } from "./search.svelte.js";
import { Selection } from "./selection.svelte.js";
import type { Session } from "./session.svelte.js";
import { TokenNames } from "./token_names.svelte.js";
import { Verifications } from "./verifications.svelte.js";

/** Least pause in milliseconds between two loads of what changed: a busy account changes all the time. */
const RELOAD_PAUSE_MS = 500;

/** How close to come to a site, by how finely its position is known: closer would promise more than is known. */
const ZOOMS: Record<Granularity, number> = {
  [Granularity.UNSPECIFIED]: 8,
  [Granularity.COUNTRY]: 4,
  [Granularity.REGION]: 6,
  [Granularity.CITY]: 9,
  [Granularity.POSTCODE]: 11,
  [Granularity.STREET]: 12,
  [Granularity.INTERPOLATED]: 13,
  [Granularity.DOOR]: 13,
};

/** Somewhere that the map is asked to go. */
export interface Flight {
  to: Position;
  /** Least zoom to arrive at; absent to move no farther than it takes to see the position. */
  least?: number;
}

export class Workspace {
  readonly session: Session;
  readonly account: string;
  readonly filter = new SiteFilter();
  readonly overview: Overview;
  readonly listing: Listing;
  readonly opened: OpenedSite;
  readonly relocation: Relocation;
  readonly history: SiteHistory;
  readonly residence: Residence;
  readonly tokenNames: TokenNames;
  readonly search: SiteSearch;
  readonly connections: Connections;
  readonly verifications: Verifications;
  readonly selection = new Selection();
  readonly bulk: Bulk;
  readonly attention: Attention;
  readonly navigation: Navigation;
  readonly facets: Facets;
  readonly pages: Pages;
  readonly pulse: Pulse;
  readonly version = new PageVersion();

  /** Whether the page of the ticketing systems is open, in the place of a site's. */
  ticketing = $state(false);
  /** The site that the pointer is on, in the list or on the map. */
  hovered = $state("");
  /** The latest wish for the map; each is a new object. */
  flight = $state.raw<Flight | undefined>();
  /** The latest wish that the map shows all of a box; each is a new object. */
  fitting = $state.raw<Box | undefined>();

  /** Loads again what changes may have touched. */
  #reloads = new Paced(() => this.#reload(), RELOAD_PAUSE_MS);
  readonly keys = new PageKeys();

  constructor(session: Session) {
    this.session = session;
    this.account = session.account;
    const told = {
      onChange: () => this.#reloads.ask(),
      onAgain: () => void this.version.look(),
      onMissing: () => void session.lookAgain(),
    };
    this.overview = new Overview(session.api, this.account, this.filter, told);
    this.listing = new Listing(session.api, this.account, this.filter);
    this.opened = new OpenedSite(session.api, (site, moved) => this.#changedHere(site, moved));
    this.relocation = new Relocation(session.api, this.account, this.opened, session.drafts);
    this.history = new SiteHistory(session.api, this.opened);
    this.residence = new Residence(session.api, this.opened);
    this.tokenNames = new TokenNames(session.api);
    this.search = new SiteSearch(session.api, this.account);
    this.connections = new Connections(session.api, this.account);
    this.verifications = new Verifications(session.api, this.account);
    this.bulk = new Bulk(session.api, this.account, () => this.#reloads.ask());
    this.attention = new Attention(
      session.api,
      this.account,
      // The page of a site has the map, while one is open.
      ({ site: { location } }) =>
        this.opened.name === "" && location?.position && this.visit(location.position, location.granularity),
      () => this.#reloads.ask(),
    );
    this.navigation = new Navigation(this);
    this.facets = new Facets(session.api, this.account, this.filter);
    const erased = (location: boolean) => this.erasedAll(location);
    this.pages = new Pages(session.api, this.account, () => this.#reloads.ask(), erased);
    this.pulse = new Pulse(session.api, () => this.#catchUp());
  }

  /** What needs attention rests on exact positions, and on the sites around: who does not see those hears nothing of it. */
  get hasQueue(): boolean {
    return !this.session.rough && !this.session.confined;
  }

  start(): void {
    this.navigation.start();
    this.overview.start();
    this.pulse.start();
    this.version.start();
    void this.#attend();
  }

  /** Connects anew and loads what may have changed, as after an outage. */
  resume(): void {
    this.pulse.ask();
    this.#catchUp();
  }

  #catchUp(): void {
    this.overview.reconnect();
    this.#reloads.ask();
  }

  /** Ends all that is under way: nobody would see how far it is, and another account or token may be next. */
  stop(): void {
    this.navigation.stop();
    this.selection.clear();
    this.bulk.forget();
    this.relocation.attend("");
    this.facets.stop();
    this.overview.stop();
    this.pulse.stop();
    this.version.stop();
    this.#reloads.stop();
    this.listing.stop();
    this.pages.stop();
  }

  /** Opens the page of a site that is known by its name alone. */
  openNamed(name: string): void {
    this.#open(name);
  }

  /** Opens a site's page, as it was chosen from the list: the map flies there. */
  openRow({ name, position, granularity }: Row): void {
    this.#open(name);
    if (position) this.visit(position, granularity);
  }

  /** Opens the page of a site that was chosen on the map: the map stays, unless the page would cover it. */
  openSymbol(name: string, position: Position): void {
    this.#open(name);
    this.flight = { to: position };
  }

  /** Sends the map to a position that is known so finely. */
  visit(position: Position, granularity: Granularity): void {
    this.flight = { to: position, least: ZOOMS[granularity] };
  }

  /** Lists something in the place of the queue, and of a page that may cover it. */
  list(scope: Scope): void {
    this.endQueue();
    this.relist(scope);
    if (scope.kind !== "view") this.close();
  }

  /** Lists something else, behind whatever is open. */
  relist(scope: Scope): void {
    void this.keys.stayInList();
    this.listing.show(scope);
  }

  /** Opens the queue in the place of the list, and of a page that may cover it. */
  openQueue(): void {
    this.close();
    void this.attention.begin();
  }

  endQueue(): void {
    if (!this.attention.open) return;
    void this.keys.stayInList();
    this.attention.end();
  }

  /** Looks at the sites that the filter has just been set to. */
  refilter(): void {
    void this.listing.reload();
    this.overview.watch();
  }

  /** Shows all sites that match, as far as they are on the map. Says why it did not go; an empty text where it did. */
  async fit(): Promise<string> {
    const request = { parent: this.account, filter: this.filter.text };
    try {
      const { bounds } = await this.session.api.map.fitSites(request);
      if (!bounds?.low || !bounds.high) return strings.filter.nothingToFit;
      this.#show(bounds.low, bounds.high);
      return "";
    } catch (error) {
      return faultOf(error).message;
    }
  }

  #show(low: Position, high: Position): void {
    this.fitting = { west: low.lng, south: low.lat, east: high.lng, north: high.lat };
  }

  close(): void {
    if (this.opened.name) void this.keys.leave();
    this.opened.close();
    this.relocation.attend("");
    this.ticketing = false;
  }

  /** Loads again what shows a site once persons were erased from it; with `location` its address and pin, too. */
  async erased(site: string, location: boolean): Promise<void> {
    if (location) this.relocation.discard(site);
    if (location) this.session.drafts.forgetKept(site, "location");
    const isOpen = this.opened.name === site;
    // The history goes behind the site's last version: no newer one tells of it.
    await Promise.all([this.#reload(), isOpen && this.history.load(), isOpen && this.residence.load()]);
  }

  /** The same once they were erased from all sites of the account. */
  async erasedAll(location: boolean): Promise<void> {
    if (location) this.session.drafts.dirty(this.account).forEach((site) => this.relocation.discard(site));
    if (location) this.session.drafts.forgetKept(this.account, "location");
    const { name } = this.opened;
    await (name ? this.erased(name, location) : this.#reload());
  }

  /** Opens the page of the ticketing systems. */
  openTicketing(): void {
    this.close();
    this.ticketing = true;
  }

  #open(name: string): void {
    this.ticketing = false;
    if (name !== this.opened.name) {
      this.session.drafts.turnTo(name);
      this.relocation.attend(name);
    }
    this.opened.open(name);
    void this.keys.enter();
  }

  #changedHere(site: Site, moved: boolean): void {
    this.listing.took(site);
    this.#reloads.ask();
    const { position, granularity } = site.location ?? {};
    if (moved && position && granularity !== undefined) this.visit(position, granularity);
  }

  async #reload(): Promise<void> {
    await Promise.all([this.listing.refresh(), this.opened.refresh(), this.#attend()]);
  }

  async #attend(): Promise<void> {
    if (this.hasQueue) await this.attention.refresh();
  }
}
