// The account's connections to ticketing systems, and what is chosen there. Knows no credential: they pass through.
import type { Api } from "../api/client.js";
import { type Fault, faultOf } from "../api/fault.js";
import type { TicketingConnection, TicketingSystem } from "../gen/waymark/v1/ticketing_connection_pb.js";
import { whereLine } from "../ticketing_words.js";
import { Picker } from "./picker.svelte.js";

/** A connection as the form edits it. */
export interface ConnectionForm {
  displayName: string;
  baseUrl: string;
}

/** What a check came to. */
export interface Checked {
  /** When, in milliseconds since 1970. */
  at: number;
  /** Absent where the system let us in. */
  fault?: Fault;
}

export class Connections {
  systems = $state.raw<TicketingSystem[]>([]);
  all = $state.raw<TicketingConnection[]>([]);
  /** What the last check of each system's connection came to, in this page. */
  checked = $state.raw<Record<string, Checked>>({});
  loading = $state(false);
  loaded = $state(false);
  fault = $state.raw<Fault | undefined>();

  #api: Api;
  #account: string;

  constructor(api: Api, account: string) {
    this.#api = api;
    this.#account = account;
  }

  /** The connection to a system. */
  of(system: string): TicketingConnection | undefined {
    return this.all.find((connection) => connection.system === system);
  }

  /** What is known of a system beforehand. */
  about(system: string): TicketingSystem | undefined {
    return this.systems.find((known) => known.system === system);
  }

  /** Loads systems and connections again. */
  async load(): Promise<void> {
    this.loading = true;
    const parent = this.#account;
    const { ticketing } = this.#api;
    try {
      const [{ systems }, { connections }] = await Promise.all([
        ticketing.listTicketingSystems({ parent }),
        ticketing.listTicketingConnections({ parent }),
      ]);
      [this.systems, this.all, this.fault, this.loaded] = [systems, connections, undefined, true];
    } catch (error) {
      this.fault = faultOf(error);
    } finally {
      this.loading = false;
    }
  }

  /** Loads them unless they are loaded. */
  async ensure(): Promise<void> {
    if (!this.loaded && !this.loading) await this.load();
  }

  /** Connects the account to a system, and checks that it works. Says why it is not connected. */
  async create(
    system: string,
    form: ConnectionForm,
    credentials: Record<string, string>,
  ): Promise<Fault | undefined> {
    const connection = { system, ...form, credentials };
    return this.#change(system, (api) => api.createTicketingConnection({ parent: this.#account, connection }));
  }

  /** Changes what differs from `before`, and the credentials where there are any; checks that it works. */
  async update(
    before: TicketingConnection,
    form: ConnectionForm,
    credentials: Record<string, string>,
    etag: string,
  ): Promise<Fault | undefined> {
    const paths = [];
    if (form.displayName !== before.displayName) paths.push("display_name");
    if (form.baseUrl !== before.baseUrl) paths.push("base_url");
    if (Object.keys(credentials).length > 0) paths.push("credentials");
    if (paths.length === 0) return undefined;
    const connection = { name: before.name, etag, ...form, credentials };
    const updateMask = { paths };
    return this.#change(before.system, (api) => api.updateTicketingConnection({ connection, updateMask }));
  }

  /** Deletes a connection and its credentials, in the version that is shown. */
  async remove({ name, system, etag }: TicketingConnection): Promise<Fault | undefined> {
    try {
      await this.#api.ticketing.deleteTicketingConnection({ name, etag });
      this.all = this.all.filter((known) => known.name !== name);
      this.#forget(system);
      return undefined;
    } catch (error) {
      return this.#failed(error);
    }
  }

  /** Asks the system whether it lets the connection in. */
  async check(system: string): Promise<void> {
    const asked = this.of(system);
    if (!asked) return;
    let fault: Fault | undefined;
    try {
      await this.#api.ticketing.checkTicketingConnection({ name: asked.name });
    } catch (error) {
      fault = faultOf(error);
    }
    // Of another version it says nothing.
    if (this.of(system)?.etag !== asked.etag) return;
    this.checked = { ...this.checked, [system]: { at: Date.now(), fault } };
  }

  /** Chooses an organisation of a system. */
  organizations(system: string): Picker {
    return new Picker(async (search, pageToken, signal) => {
      const connection = `${this.#account}/ticketingConnections/${system}`;
      const request = { connection, search, pageToken };
      const page = await this.#api.ticketing.listExternalOrganizations(request, { signal });
      const choices = page.organizations.map(({ id, displayName, address, uri }) => {
        return { id, name: displayName, detail: whereLine(id, address), uri };
      });
      return { choices, next: page.nextPageToken };
    });
  }

  /** Chooses a site of an organisation: the system lists them and looks for none, so that is done here. */
  sites(system: string, organizationId: () => string): Picker {
    return new Picker(async (search, pageToken, signal) => {
      const connection = `${this.#account}/ticketingConnections/${system}`;
      const request = { connection, organizationId: organizationId(), pageToken };
      const page = await this.#api.ticketing.listExternalSites(request, { signal });
      const choices = page.sites.map(({ id, displayName, address }) => {
        return { id, name: displayName, detail: whereLine(id, address), uri: "" };
      });
      const has = (name: string): boolean => name.toLowerCase().includes(search.toLowerCase());
      return { choices: choices.filter(({ name }) => has(name)), next: page.nextPageToken };
    });
  }

  async #change(
    system: string,
    call: (api: Api["ticketing"]) => Promise<TicketingConnection>,
  ): Promise<Fault | undefined> {
    try {
      const connection = await call(this.#api.ticketing);
      this.all = [...this.all.filter((known) => known.name !== connection.name), connection];
      this.#forget(system);
    } catch (error) {
      return this.#failed(error);
    }
    // Whether it works is told beside the connection, which stands either way.
    void this.check(system);
    return undefined;
  }

  /** What a check said of another version says nothing of this one. */
  #forget(system: string): void {
    const { [system]: _, ...others } = this.checked;
    this.checked = others;
  }

  async #failed(error: unknown): Promise<Fault> {
    const fault = faultOf(error);
    if (fault.kind === "conflict" || fault.kind === "missing") await this.load();
    return fault;
  }
}
