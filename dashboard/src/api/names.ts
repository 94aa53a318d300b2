// Resource names, taken apart and put together.

/** The id of an account, the last part of `accounts/{account}`. */
export function accountId(account: string): string {
  return account.replace(/^accounts\//, "");
}

/** The full name of a site, from its name or its bare id, as vector tiles carry it. */
export function siteName(account: string, id: string): string {
  return id.startsWith("accounts/") ? id : `${account}/sites/${id}`;
}

/** The id of a site, the last part of its name. */
export function siteId(site: string): string {
  return site.slice(site.lastIndexOf("/") + 1);
}
