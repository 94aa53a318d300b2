// Takes the last move of a site back, out of its history: whatever kind of move it was, and whatever was there before.
import type { Api } from "../api/client.js";
import { FixSource } from "../gen/waymark/v1/location_pb.js";
import type { FieldEdit, SiteChange } from "../gen/waymark/v1/history_pb.js";
import type { Site } from "../gen/waymark/v1/site_pb.js";

/** Changes that are looked at: behind a move there may be a machine's word on the same site, and no more than a few. */
const CHANGES_MAX = 8;
const FIX = "location.fixes.";
const FIELDS: Partial<Record<FixSource, string>> = {
  [FixSource.ADDRESS]: "location.fixes.address",
  [FixSource.PIN]: "location.fixes.pin",
};

/**
 * Puts back what the newest move replaced, as long as nobody has changed `site` since; absent where nothing can be put back.
 * Of two fixes that went together the one that counted comes last: the newest one counts.
 */
export async function undoMove(api: Api, site: Site): Promise<Site | undefined> {
  const request = { parent: site.name, field: "location", pageSize: CHANGES_MAX };
  const { changes } = await api.history.listSiteChanges(request);
  const change = changes.find(({ edits }) => restorable(edits).length > 0);
  if (!change) return undefined;
  let now = site;
  for (const field of inOrder(change)) {
    const requestId = crypto.randomUUID();
    now = await api.history.restoreSiteValue({ name: change.name, field, etag: now.etag, requestId });
  }
  return now;
}

function restorable(edits: FieldEdit[]): string[] {
  const fields = edits.filter(({ field, restorable }) => restorable && field.startsWith("location.")).map(({ field }) => field);
  const fixes = fields.filter((field) => field.startsWith(FIX));
  // A fix comes back with the address that it stands at.
  return fixes.length > 0 ? fixes : fields;
}

function inOrder({ edits }: SiteChange): string[] {
  const source = edits.find(({ field }) => field === "location.source")?.oldValue?.kind;
  const counted = source?.case === "source" ? FIELDS[source.value] : undefined;
  return restorable(edits).sort((one, other) => Number(one === counted) - Number(other === counted));
}
