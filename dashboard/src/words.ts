// Sentences about a site's location, and what lists are called, put together from the strings.
import { distance } from "./format.js";
import type { Location } from "./gen/waymark/v1/location_pb.js";
import { NoEstimateReason } from "./gen/waymark/v1/location_pb.js";
import type { Scope } from "./state/listing.svelte.js";
import * as strings from "./strings.js";

/** Where a site is, how exactly, and who says so; nothing that the source did not state. */
export function locationSentence(location: Location | undefined): string {
  if (!location?.position) {
    return strings.site.unplaced(noEstimateWords(location));
  }
  const level = strings.granularity[location.granularity];
  const sentence = strings.site.sentence(location.confirmed, level, strings.source[location.source]);
  return location.accuracyM === undefined
    ? sentence
    : `${sentence}, ${strings.site.within(distance(location.accuracyM))}`;
}

/** Why nothing estimates where a site is. */
export function noEstimateWords(location: Location | undefined): string {
  return strings.noEstimate[location?.noEstimateReason ?? NoEstimateReason.UNSPECIFIED];
}

/** What the list beside the map is called. */
export function listTitle(scope: Scope): string {
  if (scope.kind === "view") return strings.list.title;
  if (scope.kind === "unplaced") return strings.list.unplacedTitle;
  return scope.stack ? strings.list.group : strings.list.groupArea;
}
