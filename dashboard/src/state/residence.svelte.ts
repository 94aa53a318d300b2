// The resident's access to the open site, and its devices. Loaded when somebody looks at it.
import type { Api } from "../api/client.js";
import { type Fault, faultOf } from "../api/fault.js";
import type { Device, ResidentAccess, ResidentDevicePermission } from "../gen/waymark/v1/resident_access_pb.js";
import type { Parts } from "./merge.js";
import type { OpenedSite } from "./opened.svelte.js";

/** What the resident may do with one device, as three boxes. */
export interface Allowed {
  visible: boolean;
  power: boolean;
  block: boolean;
}

const NOTHING: Allowed = { visible: false, power: false, block: false };

/** What the form edits: allowances by the ids of devices. */
export interface AccessForm {
  ownerEmail: string;
  enabled: boolean;
  allowed: Record<string, Allowed>;
}

/** What begins the name of the part that says what is allowed with a device. */
const DEVICE = "device ";

/** Address, switch, and what is allowed with each device are parts of their own; a device with nothing allowed is none. */
export const accessParts: Parts<AccessForm> = {
  of: ({ ownerEmail, enabled, allowed }) => {
    const some = Object.entries(allowed).filter(([, { visible, power, block }]) => visible || power || block);
    const devices = some.map(([id, may]): [string, unknown] => [DEVICE + id, { ...may }]);
    return new Map<string, unknown>([["ownerEmail", ownerEmail], ["enabled", enabled], ...devices]);
  },
  set: (form, key, part) => {
    const id = deviceOf(key);
    if (id !== undefined) form.allowed[id] = (part as Allowed | undefined) ?? { ...NOTHING };
    else Object.assign(form, { [key]: part });
  },
};

/** The device that a part is of; absent for another part. */
export function deviceOf(part: string): string | undefined {
  return part.startsWith(DEVICE) ? part.slice(DEVICE.length) : undefined;
}

/** The steps that an invitation takes. */
export type Step = "invite" | "resend" | "revoke";

export class Residence {
  access = $state.raw<ResidentAccess | undefined>();
  devices = $state.raw<Device[]>([]);
  loading = $state(false);
  fault = $state.raw<Fault | undefined>();

  #api: Api;
  #opened: OpenedSite;
  /** The site that the access is of. */
  #site = "";
  /** Numbers the loads: an answer that comes late is dropped. */
  #turn = 0;

  constructor(api: Api, opened: OpenedSite) {
    this.#api = api;
    this.#opened = opened;
  }

  /** Loads the access of the open site again. */
  async load(): Promise<void> {
    const site = this.#opened.name;
    if (site !== this.#site) [this.access, this.devices, this.fault] = [undefined, [], undefined];
    this.#site = site;
    const turn = ++this.#turn;
    this.loading = true;
    try {
      const residents = this.#api.residents;
      const [access, { devices }] = await Promise.all([
        residents.getResidentAccess({ name: `${site}/residentAccess` }),
        residents.listDevices({ parent: site }),
      ]);
      if (turn !== this.#turn) return;
      [this.access, this.devices, this.fault] = [access, devices, undefined];
    } catch (error) {
      if (turn === this.#turn) this.fault = faultOf(error);
    } finally {
      if (turn === this.#turn) this.loading = false;
    }
  }

  /** Saves what the form says over the version that it began with. Says why it did not go. */
  save(form: AccessForm, etag: string): Promise<Fault | undefined> {
    const { ownerEmail, enabled } = form;
    const kept = Object.entries(form.allowed).filter(([, { visible, power, block }]) => visible || power || block);
    const devicePermissions = kept.map(([deviceId, allowed]) => ({ deviceId, ...allowed }));
    const residentAccess = { name: this.#name(), etag, ownerEmail, enabled, devicePermissions };
    // An address that is masked, or bound to an invitation, is not said again.
    const ownerPath = ownerEmail === this.access?.ownerEmail ? [] : ["owner_email"];
    const updateMask = { paths: [...ownerPath, "enabled", "device_permissions"] };
    return this.#change((api) => api.residents.updateResidentAccess({ residentAccess, updateMask }));
  }

  /** Takes a step with the invitation. Says why it did not go. */
  take(step: Step): Promise<Fault | undefined> {
    const request = { name: this.#name(), etag: this.access?.etag ?? "" };
    return this.#change(({ residents }) => {
      if (step === "invite") return residents.inviteResident(request);
      return step === "resend" ? residents.resendInvitation(request) : residents.revokeResidentAccess(request);
    });
  }

  #name(): string {
    return `${this.#site}/residentAccess`;
  }

  async #change(call: (api: Api) => Promise<ResidentAccess>): Promise<Fault | undefined> {
    const turn = ++this.#turn;
    try {
      const access = await call(this.#api);
      if (turn === this.#turn) this.access = access;
      return undefined;
    } catch (error) {
      const fault = faultOf(error);
      if (fault.kind === "conflict") await this.load();
      return fault;
    }
  }
}

/** The form as the access and the devices fill it. What stands of devices that have gone stays. */
export function accessForm(access: ResidentAccess | undefined, devices: Device[]): AccessForm {
  const of = ({ deviceId, visible, power, block }: ResidentDevicePermission) => [deviceId, { visible, power, block }];
  const known: Record<string, Allowed> = Object.fromEntries(access?.devicePermissions.map(of) ?? []);
  const allowed = { ...Object.fromEntries(devices.map(({ id }) => [id, { ...NOTHING }])), ...known };
  return { ownerEmail: access?.ownerEmail ?? "", enabled: access?.enabled ?? false, allowed };
}
