// Moving the open site: candidates of an address, a pin dropped on the map, and back to the automatic estimate.
import type { Api } from "../api/client.js";
import { type Fault, faultOf } from "../api/fault.js";
import { distance, metresBetween } from "../format.js";
import { type Candidate, type Fix, type FixSource, Granularity } from "../gen/waymark/v1/location_pb.js";
import type { Site } from "../gen/waymark/v1/site_pb.js";
import * as strings from "../strings.js";
import { Draft } from "./draft.svelte.js";
import type { Drafts } from "./drafts.svelte.js";
import type { OpenedSite } from "./opened.svelte.js";
import { Suggestions } from "./suggestions.svelte.js";
import { undoMove } from "./undo_move.js";
import type { Position } from "../position.js";

/** Candidates asked for: as many as fit beside the map without scrolling far. */
const CANDIDATES_MAX = 6;
/** Rest in milliseconds after which the address at a pin is asked for: a pin that keys move makes many steps a second. */
const NAME_PAUSE_MS = 200;
/** Nothing is typed, and no pin is dropped. */
const NOTHING: Unsaved = { typed: "", pin: null };

/** What is typed in the address field and not used yet, and the pin that is not saved. */
interface Unsaved {
  typed: string;
  pin: Position | null;
}

/** Where the site was and is, after a move. */
export interface Move {
  before: Position | undefined;
  after: Position | undefined;
}

export class Relocation {
  /** What it may become. */
  readonly suggestions: Suggestions;
  /** What was found for it; absent before a search. */
  candidates = $state.raw<Candidate[] | undefined>();
  /** Index of the candidate that the pointer or the focus is on; -1 for none. */
  highlighted = $state(-1);
  /** Whether a click on the map drops a pin. */
  placing = $state(false);
  /** The latest wish that the pin is put at the middle of the map; each is a new object. */
  aimed = $state.raw<object | undefined>();
  /** The address nearest to that pin; absent where none is known. */
  nearest = $state.raw<Candidate | undefined>();
  /** The address nearest to the pin that was saved last, while it may be written beside it. */
  adoptable = $state.raw<Candidate | undefined>();
  /** What is being waited for. */
  busy = $state<"" | "find" | "change">("");
  message = $state("");
  failed = $state(false);
  /** The last move; absent before one. */
  move = $state.raw<Move | undefined>();
  /** Whether the last move can be taken back. */
  undoable = $state(false);
  /** The fix that the pointer or the keys are on, in the list of them. */
  pointed = $state.raw<Fix | undefined>();

  #api: Api;
  #account: string;
  #opened: OpenedSite;
  #drafts: Drafts;
  /** Of the site in hand; it stays with that site while another one is. */
  #unsaved = $state.raw(new Draft<Unsaved>());
  #naming: ReturnType<typeof setTimeout> | undefined;

  constructor(api: Api, account: string, opened: OpenedSite, drafts: Drafts) {
    this.#api = api;
    this.#account = account;
    this.#opened = opened;
    this.#drafts = drafts;
    this.suggestions = new Suggestions(api, account);
  }

  /** What is typed in the address field. */
  get typed(): string {
    return this.#unsaved.value?.typed ?? "";
  }

  set typed(typed: string) {
    if (this.#unsaved.value) this.#unsaved.value.typed = typed;
  }

  /** The pin that is not saved yet. */
  get draft(): Position | undefined {
    const pin = this.#unsaved.value?.pin;
    return pin ? { lat: pin.lat, lng: pin.lng } : undefined;
  }

  /** Turns to a site, or with an empty name to none: what was left unsaved there is there again. */
  attend(site: string): void {
    this.busy = "";
    this.#say("", false);
    this.#forget();
    this.#unsaved = site ? this.#drafts.of<Unsaved>(site, "location") : new Draft<Unsaved>();
    if (!this.#unsaved.isDirty) this.#unsaved.begin({ ...NOTHING }, "");
    const pin = this.draft;
    this.placing = pin !== undefined;
    if (pin) this.#nameSoon(pin, site);
  }

  /** Drops what was typed and found for a site, as when it was erased. */
  discard(site: string): void {
    this.#drafts.of<Unsaved>(site, "location").begin({ ...NOTHING }, "");
    if (site !== this.#opened.name) return;
    this.busy = "";
    this.#say("", false);
    this.#forget();
  }

  /** Asks for what the typed text may become. */
  suggest(): void {
    this.suggestions.ask(this.typed, this.#opened.name);
  }

  /** Takes a suggestion: a street or a door moves the site, and anything coarser is shown, to be used or typed on. */
  async choose(candidate: Candidate): Promise<void> {
    this.suggestions.close();
    this.typed = candidate.formattedAddress;
    if (candidate.granularity >= Granularity.STREET) return this.apply(candidate);
    this.#clear();
    this.candidates = [candidate];
    this.#say(strings.locate.coarse(strings.granularity[candidate.granularity]), false);
  }

  /** Looks for the places that the typed address may mean. */
  async find(): Promise<void> {
    this.suggestions.close();
    const site = this.#opened.site;
    const addressLine = this.typed.trim();
    if (!site || !addressLine || this.busy) return;
    this.#clear();
    await this.#run("find", site, async () => {
      const address = { case: "addressLine" as const, value: addressLine };
      const request = { parent: this.#account, site: site.name, address, candidatesMax: CANDIDATES_MAX };
      const { candidates } = await this.#api.location.geocodeAddress(request);
      if (this.#opened.name !== site.name) return;
      this.candidates = candidates;
      this.#say(candidates.length === 0 ? strings.locate.none : strings.locate.found(candidates.length), false);
    });
  }

  /** Moves the site to a candidate. */
  async apply(candidate: Candidate): Promise<void> {
    await this.#change((site) =>
      this.#api.location.applyCandidate({ site: site.name, candidateToken: candidate.token, etag: site.etag }),
    );
  }

  /** Begins or ends placing a pin. */
  togglePlacing(): void {
    const placing = !this.placing;
    this.#clear();
    this.#say("", false);
    this.placing = placing;
  }

  /** Puts the unsaved pin somewhere. */
  drop(position: Position): void {
    if (!this.placing || !this.#unsaved.value) return;
    this.#unsaved.value.pin = position;
    this.nearest = undefined;
    this.#nameSoon(position, this.#opened.name);
  }

  /** Asks for the pin to be put at the middle of the map. */
  aim(): void {
    this.aimed = {};
  }

  /** Saves the pin. */
  async savePin(): Promise<void> {
    const position = this.draft;
    if (!position) return;
    const nearest = this.nearest;
    await this.#change((site) => this.#api.location.setPin({ site: site.name, position, etag: site.etag }));
    if (this.move) this.adoptable = nearest;
  }

  /** Writes an address beside the pin, which stays where it is. */
  async adopt(candidate: Candidate): Promise<void> {
    const request = { candidateToken: candidate.token, keepPin: true };
    await this.#change((site) =>
      this.#api.location.applyCandidate({ ...request, site: site.name, etag: site.etag }),
    );
  }

  /** Takes back what persons said. */
  async resetToAutomatic(): Promise<void> {
    await this.#change((site) => this.#api.location.resetLocation({ site: site.name, etag: site.etag }));
  }

  /** Takes the last move back; refused where somebody has changed the site since. */
  async undo(): Promise<void> {
    await this.#change(async (site) => {
      return (await undoMove(this.#api, site)) ?? site;
    });
    this.undoable = false;
  }

  /** Takes away one source's fix. */
  async removeFix(source: FixSource): Promise<void> {
    await this.#change((site) => this.#api.location.deleteFix({ site: site.name, source, etag: site.etag }));
  }

  /** Looks for the address at the unsaved pin. That there is none, or no answer, keeps nobody from saving it. */
  #nameSoon(position: Position, site: string): void {
    clearTimeout(this.#naming);
    const naming = setTimeout(() => void this.#name(position, site, () => naming === this.#naming), NAME_PAUSE_MS);
    this.#naming = naming;
  }

  async #name(position: Position, site: string, isWanted: () => boolean): Promise<void> {
    const request = { parent: this.#account, site, position, candidatesMax: 1 };
    try {
      const { candidates } = await this.#api.location.reverseGeocode(request);
      if (isWanted()) this.nearest = candidates[0];
    } catch {
      // The pin is what the person wants; its address is a help.
    }
  }

  async #change(call: (site: Site) => Promise<Site>): Promise<void> {
    const site = this.#opened.site;
    if (!site || this.busy) return;
    const unsaved = this.#unsaved;
    await this.#run("change", site, async () => {
      const moved = await call(site);
      // What was typed and dropped was used, or is no plan any more.
      unsaved.begin({ ...NOTHING }, "");
      this.#opened.took(moved);
      if (this.#opened.name !== site.name) return;
      this.#clear();
      this.move = { before: site.location?.position, after: moved.location?.position };
      this.undoable = true;
      this.#say(sentence(this.move), false);
    });
  }

  async #run(busy: "find" | "change", site: Site, task: () => Promise<void>): Promise<void> {
    this.busy = busy;
    this.#say("", false);
    try {
      await task();
    } catch (error) {
      if (this.#opened.name === site.name) await this.#refused(faultOf(error));
    } finally {
      if (this.#opened.name === site.name) this.busy = "";
    }
  }

  async #refused(fault: Fault): Promise<void> {
    if (fault.kind === "conflict") await this.#opened.refresh();
    this.#say(fault.kind === "conflict" ? strings.locate.conflict : fault.message, true);
  }

  #say(message: string, failed: boolean): void {
    this.message = message;
    this.failed = failed;
  }

  /** Takes away what was found, and the pin that is not saved. */
  #clear(): void {
    this.#forget();
    if (this.#unsaved.value) this.#unsaved.value.pin = null;
  }

  #forget(): void {
    clearTimeout(this.#naming);
    this.#naming = undefined;
    this.move = undefined;
    this.undoable = false;
    this.pointed = undefined;
    this.candidates = undefined;
    this.highlighted = -1;
    this.placing = false;
    this.nearest = undefined;
    this.adoptable = undefined;
    this.suggestions.close();
  }
}

function sentence({ before, after }: Move): string {
  if (!after) return strings.locate.nowUnplaced;
  if (!before) return strings.locate.placed;
  const metres = metresBetween(before, after);
  return metres < 1 ? strings.locate.unchanged : strings.locate.moved(distance(metres));
}
