// The accounts as the operator keeps them: listed page by page, and made.
import type { Api } from "../api/client.js";
import { type Fault, faultOf } from "../api/fault.js";
import type { Account } from "../gen/waymark/v1/admin_service_pb.js";

const PAGE_SIZE = 100;

/** An account as the form makes it. */
export interface AccountForm {
  accountId: string;
  displayName: string;
  countryCode: string;
}

export class Accounts {
  all = $state.raw<Account[]>([]);
  loading = $state(false);
  more = $state(false);
  fault = $state.raw<Fault | undefined>();

  #api: Api;
  #next = "";

  constructor(api: Api) {
    this.#api = api;
  }

  async load(): Promise<void> {
    this.#next = "";
    this.all = [];
    await this.further();
  }

  async further(): Promise<void> {
    this.loading = true;
    try {
      const page = await this.#api.admin.listAccounts({ pageSize: PAGE_SIZE, pageToken: this.#next });
      this.all = [...this.all, ...page.accounts];
      this.#next = page.nextPageToken;
      this.more = page.nextPageToken !== "";
      this.fault = undefined;
    } catch (error) {
      this.fault = faultOf(error);
    } finally {
      this.loading = false;
    }
  }

  /** Makes an account; says why it did not go. */
  async create({ accountId, displayName, countryCode }: AccountForm): Promise<Fault | undefined> {
    try {
      const made = await this.#api.admin.createAccount({ accountId, account: { displayName, countryCode } });
      this.all = [...this.all, made].sort((a, b) => (a.name < b.name ? -1 : 1));
      return undefined;
    } catch (error) {
      return faultOf(error);
    }
  }
}
