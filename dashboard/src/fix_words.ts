// What one source says of a site, as people read it: what it rests on, who agrees, whose word it is, and what to doubt.
import { date, distance, list, time } from "./format.js";
import { DatabaseAgreement, type OtherRecord } from "./gen/waymark/v1/evidence_pb.js";
import type { DatabaseEvidence, Fix } from "./gen/waymark/v1/location_pb.js";
import * as strings from "./strings.js";

/** Names of tokens by their ids, as far as they are known. */
type NamesById = ReadonlyMap<string, string>;

/** What a token's maker begins with. */
const TOKEN = "token:";
const AGENT = "agent:";
const IDENTITY = "identity:";

/** Somebody for whom an identity provider vouches, from `issuer|subject`: who they are there. */
export function identityWords(name: string): string {
  return name.slice(name.indexOf("|") + 1);
}

/** The id of the token that made a fix; absent where another one did. */
export function tokenOf(maker: string): string | undefined {
  return maker.startsWith(TOKEN) ? maker.slice(TOKEN.length) : undefined;
}

/** Who made a fix, from its `maker`. */
export function makerWords(maker: string, names: NamesById): string {
  const token = tokenOf(maker);
  if (token !== undefined) return names.get(token) || strings.history.token(token);
  if (maker.startsWith(IDENTITY)) return identityWords(maker.slice(IDENTITY.length));
  return maker.startsWith(AGENT) ? strings.history.agent(maker.slice(AGENT.length)) : strings.history.system;
}

/** What a fix rests on, a label and a text each; of several lines where there are several. */
export function fixRows({ evidence, makeTime, maker, accuracyM }: Fix, names: NamesById): [string, string][] {
  const rows: [string, string][] = [];
  if (evidence.case === "database") rows.push(...databaseRows(evidence.value));
  if (evidence.case === "prefix") {
    const { displayName, network } = evidence.value;
    rows.push([strings.evidence.ownNetwork, [displayName, network].filter(Boolean).join(", ")]);
  }
  if (evidence.case === "geocoded") {
    rows.push([strings.site.matched, evidence.value.formattedAddress]);
    rows.push([strings.site.asked, evidence.value.query]);
    rows.push([strings.site.provider, evidence.value.provider]);
  }
  const accuracy = accuracyM === undefined ? strings.site.accuracyUnknown : strings.evidence.within(distance(accuracyM));
  rows.push([strings.site.accuracy, accuracy]);
  const who = makerWords(maker, names);
  rows.push([strings.site.madeBy, makeTime ? `${who}, ${time(makeTime)}` : who]);
  return rows.filter(([, text]) => text !== "");
}

/** What makes a fix doubtful, a sentence each. */
export function fixDoubts({ evidence, granularity }: Fix): string[] {
  if (evidence.case !== "database") return [];
  const { outdated, loweredBy } = evidence.value;
  const words = strings.evidence.lowering;
  const kinds = (Object.keys(words) as (keyof typeof words)[]).filter((kind) => loweredBy?.[kind]);
  const lowered = strings.evidence.lowered(list(kinds.map((kind) => words[kind])), strings.granularity[granularity]);
  return [outdated ? strings.evidence.outdated : "", kinds.length > 0 ? lowered : ""].filter(Boolean);
}

function databaseRows({ city, region, countryCode, network, ...evidence }: DatabaseEvidence): [string, string][] {
  const { databaseType, buildTime, agreement, others } = evidence;
  const built = buildTime ? `${databaseType}, ${strings.site.built(date(buildTime))}` : databaseType;
  return [
    [strings.site.matched, [city, region, countryCode].filter(Boolean).join(", ")],
    [strings.site.network, network],
    [strings.site.database, built],
    [strings.evidence.compared, agreementWords(agreement, others)],
    [strings.evidence.others, others.map(otherWords).join("\n")],
  ];
}

/** Whether databases of other makers say the same city. */
function agreementWords(agreement: DatabaseAgreement, others: OtherRecord[]): string {
  const witnesses = list(others.filter(({ witness }) => witness).map(({ databaseType }) => databaseType));
  switch (agreement) {
    case DatabaseAgreement.AGREE:
      return strings.evidence.agree(witnesses);
    case DatabaseAgreement.NEAR:
      return strings.evidence.near(witnesses);
    case DatabaseAgreement.DIFFER:
      return strings.evidence.differ(witnesses);
    default:
      return "";
  }
}

/** Where another database puts the address, and what was taken from it. */
function otherWords({ databaseType, distanceM, gave }: OtherRecord): string {
  const says =
    distanceM === undefined
      ? strings.evidence.silent(databaseType)
      : strings.evidence.says(databaseType, distance(distanceM));
  const parts = gave.flatMap((part) => strings.evidence.part[part] ?? []);
  return parts.length > 0 ? `${says} ${strings.evidence.adds(list(parts))}` : says;
}
