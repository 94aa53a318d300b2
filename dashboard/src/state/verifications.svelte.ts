// The runs that check all ticketing links of the account: begun, followed while somebody looks, and ended.
import type { Api } from "../api/client.js";
import { type Fault, faultOf } from "../api/fault.js";
import { type TicketingVerification, TicketingVerification_State as State } from "../gen/waymark/v1/ticketing_service_pb.js";

/** How often a run that goes on is looked at, in milliseconds. */
const FOLLOW_MS = 1_000;
/** How often is looked whether one began by itself. */
const LOOK_MS = 15_000;

export class Verifications {
  /** The newest first. */
  runs = $state.raw<TicketingVerification[]>([]);
  loaded = $state(false);
  fault = $state.raw<Fault | undefined>();

  #api: Api;
  #account: string;
  #watched = false;
  /** Counts the looks: what an older one answers is not shown. */
  #turn = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(api: Api, account: string) {
    this.#api = api;
    this.#account = account;
  }

  /** The run that goes on. */
  get open(): TicketingVerification | undefined {
    return this.runs.find(({ state }) => state === State.RUNNING);
  }

  /** Follows the runs until `unwatch`. */
  watch(): void {
    this.#watched = true;
    void this.look();
  }

  unwatch(): void {
    this.#watched = false;
    clearTimeout(this.#timer);
  }

  /** Loads the runs, and plans the next look. */
  async look(): Promise<void> {
    clearTimeout(this.#timer);
    this.#turn += 1;
    const turn = this.#turn;
    let [runs, fault] = [this.runs, undefined as Fault | undefined];
    try {
      runs = (await this.#api.ticketing.listTicketingVerifications({ parent: this.#account })).verifications;
    } catch (error) {
      fault = faultOf(error);
    }
    if (turn !== this.#turn) return;
    [this.runs, this.fault, this.loaded] = [runs, fault, this.loaded || !fault];
    if (this.#watched) this.#timer = setTimeout(() => void this.look(), this.open ? FOLLOW_MS : LOOK_MS);
  }

  /** Begins a run, or takes up the one that goes on. Says why it did not go. */
  begin(): Promise<Fault | undefined> {
    return this.#change((api) => api.verifyTicketingLinks({ parent: this.#account }));
  }

  /** Ends the run that goes on. Says why it did not go. */
  async cancel(): Promise<Fault | undefined> {
    const name = this.open?.name;
    return name ? this.#change((api) => api.cancelTicketingVerification({ name })) : undefined;
  }

  async #change(call: (api: Api["ticketing"]) => Promise<unknown>): Promise<Fault | undefined> {
    try {
      await call(this.#api.ticketing);
    } catch (error) {
      return faultOf(error);
    }
    await this.look();
    return undefined;
  }
}
