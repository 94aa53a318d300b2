// The shares by which an account sees sites of others now, one of each.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Api } from "../api/client.js";
import { type Share, ShareState } from "../gen/waymark/v1/share_service_pb.js";

/** Shares a page: as many as the server gives. */
const PAGE_SIZE = 1_000;

/** Of several of the same owner the one counts that was accepted first, as it does for the server. */
export async function receivedShares({ shares }: Api, account: string): Promise<Share[]> {
  const active: Share[] = [];
  let pageToken = "";
  do {
    const page = await shares.listShares({ parent: account, pageSize: PAGE_SIZE, pageToken });
    active.push(...page.shares.filter(({ recipient, state }) => recipient === account && state === ShareState.ACTIVE));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  active.sort((one, other) => acceptedAt(one) - acceptedAt(other) || (one.name < other.name ? -1 : 1));
  return active.filter(({ owner }, at) => active.findIndex((share) => share.owner === owner) === at);
}

function acceptedAt({ acceptTime }: Share): number {
  return acceptTime ? timestampMs(acceptTime) : 0;
}
