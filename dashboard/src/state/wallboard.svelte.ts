// A wallboard: regions of the account, one after the other, with their tallies and what needs attention. Asks for no record of
// a site, and for symbols without names: what a region is called is found on the page, by where its symbols are. Names of sites
// are asked for only where its address says so.
import type { Api } from "../api/client.js";
import { faultOf } from "../api/fault.js";
import { AttentionReason } from "../gen/waymark/v1/attention_pb.js";
import type { MapSymbols, SiteTally } from "../gen/waymark/v1/map_pb.js";
import { SiteStatus } from "../gen/waymark/v1/site_pb.js";
import { type CountryAt, loadCountries } from "../map/countries.js";
import type { Position } from "../position.js";
import { Paced } from "./paced.js";
import type { WallboardWish } from "./wallboard_wish.js";

/** Regions of a round: a wallboard comes back to each every few minutes. */
const REGIONS_MAX = 10;
/** Zoom at which the world is asked for, and the sides of a region in degrees. */
const WORLD_ZOOM = 3;
const CELL_LNG_DEG = 24;
const CELL_LAT_DEG = 16;
/** Closest that a region is shown: below the zoom at which pins have names. */
const ZOOM_MAX = 6;
const ZOOM_MIN = 2;
/** Part of the window that a region fills. */
const FILLED = 0.6;
const TILE_PX = 512;
/** Countries that a region is called by. */
const PLACES_MAX = 3;
/** Names of sites that are told of a region. */
const NAMES_MAX = 6;
/** Why sites need attention, the worst first, as the server lists them. */
const REASONS = [
  AttentionReason.UNPLACED,
  AttentionReason.ADDRESS_EXPIRED,
  AttentionReason.ADDRESS_FAILED,
  AttentionReason.ADDRESS_AMBIGUOUS,
  AttentionReason.PIN_FAR_FROM_GEOIP,
  AttentionReason.TICKETING_LINK_BROKEN,
  AttentionReason.ADDRESS_PENDING,
  AttentionReason.CROWDED,
];
/** Least pause in milliseconds between two loads of a busy account. */
const RELOAD_PAUSE_MS = 5_000;
/** Pause in milliseconds behind a load that failed: in a quiet account no change asks for the next one. */
const RETRY_PAUSE_MS = 10_000;

/** Sites that need attention for one reason. */
export interface Problem {
  reason: AttentionReason;
  siteCount: bigint;
}

export interface Region {
  /** Empty for the whole world. */
  key: string;
  center: Position;
  zoom: number;
  tally: Pick<SiteTally, "total" | "online" | "offline" | "maintenance" | "unknown">;
  low: Position;
  high: Position;
  /** Where its symbols are, and of how many sites each is. */
  spots: { at: Position; sites: number }[];
}

export class WallboardTour {
  regions = $state.raw<Region[]>([]);
  at = $state(0);
  playing = $state(true);
  /** What needs attention, the worst first. */
  attention = $state.raw<Problem[]>([]);
  /** In which countries regions are, by their keys: codes, or names of those that have none. */
  places = $state.raw<Record<string, string[]>>({});
  /** Names of sites that are offline in the region shown. */
  offline = $state.raw<string[]>([]);
  loaded = $state(false);

  readonly region = $derived(this.regions[this.at % Math.max(1, this.regions.length)]);

  #api: Api;
  #account: string;
  #wish: WallboardWish;
  #countries: Promise<CountryAt> | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  #reloads = new Paced(() => this.#load(), RELOAD_PAUSE_MS);

  constructor(api: Api, account: string, wish: WallboardWish) {
    this.#api = api;
    this.#account = account;
    this.#wish = wish;
  }

  start(): void {
    this.reload();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    clearTimeout(this.#retry);
    this.#reloads.stop();
  }

  /** Loads what changes may have touched. */
  reload(): void {
    this.#reloads.ask();
  }

  /** Goes to the next region, or to the one before. */
  step(by: 1 | -1): void {
    const regions = Math.max(1, this.regions.length);
    this.at = (this.at + by + regions) % regions;
    this.#wind();
    void this.#about();
  }

  toggle(): void {
    this.playing = !this.playing;
    this.#wind();
  }

  #wind(): void {
    clearInterval(this.#timer);
    if (this.playing) this.#timer = setInterval(() => this.step(1), this.#wish.seconds * 1_000);
  }

  /** An outage is told elsewhere: what was loaded last stays, and is loaded again. */
  async #load(): Promise<void> {
    clearTimeout(this.#retry);
    const parent = this.#account;
    const viewport = { low: { lat: -90, lng: -180 }, high: { lat: 90, lng: 180 } };
    try {
      const [{ symbols, accountTally }, problems, countryAt] = await Promise.all([
        this.#api.map.queryViewport({ parent, viewport, zoom: WORLD_ZOOM, omitNames: true }),
        this.#problems(),
        (this.#countries ??= loadCountries()),
      ]);
      const shown = this.region?.key;
      this.regions = regionsOf(symbols, accountTally);
      this.at = Math.max(0, this.regions.findIndex(({ key }) => key === shown));
      this.attention = problems;
      this.places = Object.fromEntries(this.regions.map(({ key, spots }) => [key, placesOf(spots, countryAt)]));
      if (!this.loaded && !this.#stopped) this.#wind();
      this.loaded = true;
      await this.#about();
    } catch (error) {
      // The session deals with a token that ended, and asks again when it goes on.
      const isOver = this.#stopped || faultOf(error).kind === "signed-out";
      if (!isOver) this.#retry = setTimeout(() => this.reload(), RETRY_PAUSE_MS);
    }
  }

  /** What needs attention, by tallies alone: the list of it brings records of sites. */
  async #problems(): Promise<Problem[]> {
    const ask = async (filter: string): Promise<bigint> => {
      const { tally, unplaced } = await this.#api.map.fitSites({ parent: this.#account, filter });
      return (tally?.total ?? 0n) + unplaced;
    };
    try {
      if ((await ask("attention : *")) === 0n) return [];
    } catch (error) {
      // It rests on exact positions, which not every token is shown.
      if (faultOf(error).reason === "POSITIONS_WITHHELD") return [];
      throw error;
    }
    const asked = REASONS.map(async (reason) => ({ reason, siteCount: await ask(`attention : ${AttentionReason[reason]}`) }));
    return (await Promise.all(asked)).filter(({ siteCount }) => siteCount > 0n);
  }

  /** Learns, where names are told, what is offline in the region shown. */
  async #about(): Promise<void> {
    const { region } = this;
    this.offline = [];
    if (!region?.key || !this.#wish.names || region.tally.offline === 0n) return;
    const viewport = { low: region.low, high: region.high };
    try {
      const request = { parent: this.#account, viewport, pageSize: NAMES_MAX, filter: "status = OFFLINE" };
      const { sites } = await this.#api.map.listViewportSites(request);
      if (this.region === region) this.offline = sites.map(({ displayName }) => displayName);
    } catch {
      return;
    }
  }
}

/** The whole, then the parts of the world that have sites, those with most that is offline first. */
function regionsOf(symbols: MapSymbols | undefined, whole: SiteTally | undefined): Region[] {
  const cells = new Map<string, Region>();
  const { pins = [], clusters = [], areas = [] } = symbols ?? {};
  for (const { position, tally } of [...clusters, ...areas]) if (position && tally) add(cells, position, tally);
  for (const { position, status } of pins) if (position) add(cells, position, one(status));
  const tallies = (region: Region): number => Number(region.tally.offline) * 1e9 + Number(region.tally.total);
  const parts = [...cells.values()].sort((a, b) => tallies(b) - tallies(a)).slice(0, REGIONS_MAX);
  const world: Region = {
    key: "",
    center: { lat: 28, lng: 10 },
    zoom: zoomOf(360, 150),
    tally: whole ?? one(SiteStatus.UNSPECIFIED, 0n),
    low: { lat: -90, lng: -180 },
    high: { lat: 90, lng: 180 },
    spots: [],
  };
  return [world, ...parts.map(framed)];
}

function one(status: SiteStatus, sites = 1n): Region["tally"] {
  const of = (known: SiteStatus): bigint => (status === known ? sites : 0n);
  const { ONLINE, OFFLINE, UNKNOWN, MAINTENANCE } = SiteStatus;
  return { total: sites, online: of(ONLINE), offline: of(OFFLINE), unknown: of(UNKNOWN), maintenance: of(MAINTENANCE) };
}

function add(cells: Map<string, Region>, { lat, lng }: Position, tally: Region["tally"]): void {
  const key = `${Math.floor(lat / CELL_LAT_DEG)} ${Math.floor(lng / CELL_LNG_DEG)}`;
  const cell = cells.get(key);
  const at = { lat, lng };
  const spot = { at, sites: Number(tally.total) };
  if (!cell) {
    cells.set(key, { key, center: at, zoom: 0, low: { ...at }, high: { ...at }, tally: { ...tally }, spots: [spot] });
    return;
  }
  cell.spots.push(spot);
  cell.low = { lat: Math.min(cell.low.lat, lat), lng: Math.min(cell.low.lng, lng) };
  cell.high = { lat: Math.max(cell.high.lat, lat), lng: Math.max(cell.high.lng, lng) };
  const names = ["total", "online", "offline", "unknown", "maintenance"] as const;
  for (const name of names) cell.tally[name] += tally[name];
}

/** A region with room around its symbols, and how the map shows it. */
function framed(region: Region): Region {
  const low = { lat: Math.max(-90, region.low.lat - 1), lng: Math.max(-180, region.low.lng - 1) };
  const high = { lat: Math.min(90, region.high.lat + 1), lng: Math.min(180, region.high.lng + 1) };
  const center = { lat: (low.lat + high.lat) / 2, lng: (low.lng + high.lng) / 2 };
  return { ...region, low, high, center, zoom: zoomOf(high.lng - low.lng, high.lat - low.lat) };
}

/** The zoom at which so many degrees fill the greater part of the window. */
function zoomOf(lngDeg: number, latDeg: number): number {
  const filled = lngDeg >= 360 ? 1 : FILLED;
  const fits = (px: number, deg: number): number => Math.log2((px * filled * 360) / (TILE_PX * deg));
  const zoom = Math.min(fits(window.innerWidth, lngDeg), fits(window.innerHeight, latDeg));
  return Math.min(ZOOM_MAX, lngDeg >= 360 ? Math.max(0, zoom) : Math.max(ZOOM_MIN, zoom));
}

/** The countries that most of some sites are in. */
function placesOf(spots: Region["spots"], countryAt: CountryAt): string[] {
  const counts = new Map<string, number>();
  for (const { at, sites } of spots) {
    const country = countryAt(at);
    if (country) counts.set(country, (counts.get(country) ?? 0) + sites);
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.slice(0, PLACES_MAX).map(([country]) => country);
}
