// The site whose page is open, and the changes of its record. Where it is, is changed in relocation.svelte.ts.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Api } from "../api/client.js";
import { type Fault, faultOf, refusedField } from "../api/fault.js";
import { type Site, type SiteSchema, SiteStatus } from "../gen/waymark/v1/site_pb.js";
import type { TicketingFailure } from "../gen/waymark/v1/ticketing_service_pb.js";
import * as strings from "../strings.js";
import { filledPhones, type PhoneForm, phonesOf } from "./phones.js";

/**
 * Longest note in bytes, as the server has it. A longer one is not sent: of megabytes the server reads the beginning and ends the
 * connection, and a browser that is still sending tells of that alone.
 */
const NOTE_BYTES_MAX = 64 * 1024;

/** The fields that the form edits: plain texts, the status and the phones. */
export interface SiteForm {
  displayName: string;
  status: SiteStatus;
  note: string;
  customerId: string;
  contractId: string;
  email: string;
  firstName: string;
  lastName: string;
  phones: PhoneForm[];
}

/** A ticketing link as the form edits it. */
export interface LinkForm {
  system: string;
  organizationId: string;
  organizationName: string;
  externalSiteId: string;
  externalSiteName: string;
  uri: string;
}

const MASK: Record<keyof SiteForm, string> = {
  displayName: "display_name",
  status: "status",
  note: "note",
  customerId: "customer_id",
  contractId: "contract_id",
  email: "contact.email",
  firstName: "contact.first_name",
  lastName: "contact.last_name",
  phones: "contact.phones",
};

export class OpenedSite {
  /** Resource name of the open site; empty for none. */
  name = $state("");
  /** Its record; absent until it is loaded. */
  site = $state.raw<Site | undefined>();
  fault = $state.raw<Fault | undefined>();

  #api: Api;
  #onChange: (site: Site, moved: boolean) => void;

  /** `onChange` runs after each change that was made here; `moved` says whether the position is another. */
  constructor(api: Api, onChange: (site: Site, moved: boolean) => void) {
    this.#api = api;
    this.#onChange = onChange;
  }

  open(name: string): void {
    if (name === this.name) return;
    this.name = name;
    this.site = undefined;
    this.fault = undefined;
    void this.refresh();
  }

  close(): void {
    this.name = "";
    this.site = undefined;
    this.fault = undefined;
  }

  /** Loads the record again. */
  async refresh(): Promise<void> {
    const name = this.name;
    if (!name) return;
    try {
      const site = await this.#api.sites.getSite({ name });
      if (this.name === name) this.#show(site);
    } catch (error) {
      if (this.name === name) this.fault = faultOf(error);
    }
  }

  /** Shows a record that a change answered with, and tells the page of the change. */
  took(site: Site): void {
    const before = this.site?.location?.position;
    const after = site.location?.position;
    if (site.name === this.name) this.#show(site);
    this.#onChange(site, before?.lat !== after?.lat || before?.lng !== after?.lng);
  }

  /** Saves the fields that differ from `before`. On a conflict the present record is loaded and the fault returned. */
  async save(form: SiteForm, before: SiteForm, etag: string): Promise<Fault | undefined> {
    const differs = (field: keyof SiteForm): boolean => JSON.stringify(form[field]) !== JSON.stringify(before[field]);
    const changed = (Object.keys(MASK) as (keyof SiteForm)[]).filter(differs);
    if (changed.length === 0) return undefined;
    const noteBytes = changed.includes("note") ? new TextEncoder().encode(form.note).length : 0;
    if (noteBytes > NOTE_BYTES_MAX) return refusedField("site.note", strings.site.tooLong(NOTE_BYTES_MAX, noteBytes));
    const { displayName, status, note, customerId, contractId, email, firstName, lastName } = form;
    const contact = { email, firstName, lastName, phones: filledPhones(form.phones) };
    const paths = changed.map((field) => MASK[field]);
    return this.#put({ displayName, status, note, customerId, contractId, contact, etag }, paths);
  }

  /** Saves all labels. On a conflict the present record is loaded and the fault returned. */
  saveLabels(labels: Record<string, string>, etag: string): Promise<Fault | undefined> {
    return this.#put({ labels, etag }, ["labels"]);
  }

  /** Saves all ticketing links. On a conflict the present record is loaded and the fault returned. */
  saveLinks(ticketingLinks: LinkForm[], etag: string): Promise<Fault | undefined> {
    return this.#put({ ticketingLinks, etag }, ["ticketing_links"]);
  }

  /** Has the far ends of the ticketing links looked at now. Says which systems gave no answer, or why nothing was asked. */
  async verifyLinks(): Promise<{ failures: TicketingFailure[]; fault?: Fault }> {
    try {
      const { site, failures } = await this.#api.ticketing.verifySiteTicketingLinks({ site: this.name });
      if (site?.name === this.name) this.#show(site);
      return { failures };
    } catch (error) {
      return { failures: [], fault: faultOf(error) };
    }
  }

  /** Lets an agent take the site over until `expiry`. Says why it did not go. */
  allowReplacement(agentId: string, expiry: Date): Promise<Fault | undefined> {
    const request = { site: this.name, agentId, expireTime: timestampFromDate(expiry) };
    return this.#change((api) => api.activation.allowReplacement(request));
  }

  /** Takes that consent back. Says why it did not go. */
  cancelReplacement(): Promise<Fault | undefined> {
    const request = { site: this.name };
    return this.#change((api) => api.activation.cancelReplacement(request));
  }

  #put(fields: MessageInitShape<typeof SiteSchema>, paths: string[]): Promise<Fault | undefined> {
    const site = { ...fields, name: this.name };
    return this.#change((api) => api.sites.updateSite({ site, updateMask: { paths } }));
  }

  async #change(call: (api: Api) => Promise<Site>): Promise<Fault | undefined> {
    try {
      this.took(await call(this.#api));
      return undefined;
    } catch (error) {
      const fault = faultOf(error);
      if (fault.kind === "conflict") await this.refresh();
      return fault;
    }
  }

  /** An older answer that comes late never replaces a newer one. */
  #show(site: Site): void {
    if (this.site?.name === site.name && this.site.revision > site.revision) return;
    this.site = site;
    this.fault = undefined;
  }
}

/** The form as the record fills it. */
export function formOf(site: Site): SiteForm {
  const { displayName, status, note, customerId, contractId, contact } = site;
  const { email = "", firstName = "", lastName = "" } = contact ?? {};
  const phones = phonesOf(contact?.phones);
  return { displayName, status, note, customerId, contractId, email, firstName, lastName, phones };
}
