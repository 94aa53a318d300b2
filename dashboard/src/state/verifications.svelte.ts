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

  /** Loads what is new, and plans the next look. */
  async look(): Promise<void> {
    clearTimeout(this.#timer);
    const { ticketing } = this.#api;
    try {
      const open = this.open;
      if (open) this.#put(await ticketing.getTicketingVerification({ name: open.name }));
      else this.runs = (await ticketing.listTicketingVerifications({ parent: this.#account })).verifications;
      [this.fault, this.loaded] = [undefined, true];
    } catch (error) {
      this.fault = faultOf(error);
    }
    clearTimeout(this.#timer);
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

  async #change(call: (api: Api["ticketing"]) => Promise<TicketingVerification>): Promise<Fault | undefined> {
    try {
      this.#put(await call(this.#api.ticketing));
    } catch (error) {
      return faultOf(error);
    }
    await this.look();
    return undefined;
  }

  #put(run: TicketingVerification): void {
    const others = this.runs.filter(({ name }) => name !== run.name);
    // Their ids count up, in digits of one length.
    this.runs = [run, ...others].sort((one, other) => (one.name < other.name ? 1 : -1));
  }
}
