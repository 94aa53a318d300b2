// Which page of the account lies over list and map, and what the pages hold: it outlives their closing.
import type { Api } from "../api/client.js";
import { AccountData } from "./account_data.svelte.js";
import { Accounts } from "./accounts.svelte.js";
import { Exporting } from "./exporting.svelte.js";
import { Importing } from "./importing.svelte.js";
import type { Shares } from "./shares.svelte.js";
import { Tokens } from "./tokens.svelte.js";

export type PageName = "" | "exchange" | "access";

export class Pages {
  /** Empty for none. */
  shown = $state<PageName>("");
  readonly importing: Importing;
  readonly exporting: Exporting;
  readonly tokens: Tokens;
  readonly accounts: Accounts;
  readonly data: AccountData;
  /** Made by the part that shows them, whose code is loaded with it. */
  shares: Shares | undefined;

  /** `onChange` runs when sites were changed, `onErased` when persons were erased; with `location` where they live, too. */
  constructor(api: Api, account: string, onChange: () => void, onErased: (location: boolean) => Promise<void>) {
    this.importing = new Importing(api, account, onChange);
    this.exporting = new Exporting(api, account);
    this.tokens = new Tokens(api, account);
    this.accounts = new Accounts(api);
    this.data = new AccountData(api, account, onErased);
  }

  show(page: PageName): void {
    this.shown = page;
  }

  close(): void {
    this.shown = "";
    document.getElementById("open-more")?.focus();
  }

  /** Ends what is under way. */
  stop(): void {
    this.importing.reset();
    this.exporting.cancel();
  }
}
