// The tiles' description (TileJSON): of it the page needs the attributions alone, and takes nothing of them but words
// and web links.

/** Words, perhaps with a link behind them. */
export interface AttributionPart {
  text: string;
  href?: string;
}

/** What must be named although a server's description fails to load. */
const FALLBACK = '<a href="https://db-ip.com">IP Geolocation by DB-IP</a>';
/** Where the sources live, for attributions that come as bare words. */
const HOMES: [RegExp, string][] = [
  [/DB-IP/i, "https://db-ip.com"],
  [/GeoNames/i, "https://www.geonames.org"],
  [/Natural Earth/i, "https://www.naturalearthdata.com"],
];
const SEPARATOR = /\s*[·|;]\s*/;
/** A tag with its attributes, and where in it a handler's name begins and ends. */
const TAG = /<(?:"[^"]*"|'[^']*'|[^>"'])*>/g;
const HANDLER = /([\s/"'])on\w+(?=\s*=)/gi;

/** The attribution as the server writes it: text with links, in HTML. */
export async function loadAttribution(account: string, authorization: string): Promise<string> {
  try {
    const answer = await fetch(`/v1/${account}/tiles.json`, { headers: { authorization } });
    const { attribution } = answer.ok ? await answer.json() : {};
    return typeof attribution === "string" && attribution ? attribution : FALLBACK;
  } catch {
    return FALLBACK;
  }
}

/**
 * Takes the attribution apart. The markup is parsed in a document of its own, which runs and loads nothing; handlers in it are
 * renamed first, because browsers report them to the page's policy all the same.
 */
export function attributionParts(attribution: string): AttributionPart[] {
  const silent = attribution.replace(TAG, (tag) => tag.replace(HANDLER, "$1title"));
  const { body } = new DOMParser().parseFromString(silent, "text/html");
  return Array.from(body.childNodes).flatMap((node): AttributionPart[] => {
    const text = node.textContent?.trim() ?? "";
    if (node instanceof HTMLAnchorElement && /^https?:$/.test(node.protocol))
      return text ? [{ text, href: node.href }] : [];
    return text
      .split(SEPARATOR)
      .filter((words) => /[\p{L}\p{N}]/u.test(words))
      .map(withHome);
  });
}

function withHome(text: string): AttributionPart {
  const home = HOMES.find(([source]) => source.test(text));
  return home ? { text, href: home[1] } : { text };
}
