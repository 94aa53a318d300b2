// Sentences about shares, put together from their strings.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Fault } from "./api/fault.js";
import { accountId } from "./api/names.js";
import { time } from "./format.js";
import { PositionAccess } from "./gen/waymark/v1/location_pb.js";
import { type Share, ShareState } from "./gen/waymark/v1/share_service_pb.js";
import { ContactAccess } from "./gen/waymark/v1/token_pb.js";
import * as strings from "./share_strings.js";

const words = strings.share;

/** Why something did not go. */
export function shareFaultWords({ reason, message }: Fault): string {
  return strings.shareFault[reason] ?? message;
}

/** What of the sites is shown. */
export function shownWords({ contacts, positions }: Share): string {
  const people = contacts === ContactAccess.READ ? words.withContacts : words.withoutContacts;
  return `${people}, ${positionWords(positions)}`;
}

/** Whose sites they are. */
export function ownerWords({ owner, ownerDisplayName }: Share): string {
  return nameWords(ownerDisplayName, owner);
}

/** When it ends, by itself. */
function endWords({ expireTime }: Share): string {
  return expireTime ? words.endsAt(time(expireTime)) : words.never;
}

/** Until when it is what it is, or when and by whom it ended. */
export function standWords(share: Share): string {
  const { state, offerExpireTime, endTime, endedBy, expireTime, acceptTime } = share;
  if (state === ShareState.PROPOSED) {
    return [offerExpireTime && words.offeredUntil(time(offerExpireTime)), endWords(share)].filter(Boolean).join(", ");
  }
  if (state === ShareState.ACTIVE) return endWords(share);
  if (endTime && state === ShareState.DECLINED) return words.declinedAt(time(endTime));
  if (endTime) return endedBy ? words.endedBy(time(endTime), accountId(endedBy)) : words.endedAt(time(endTime));
  // One that was not accepted ended with its offer, unless its own end came first.
  const ends = (acceptTime ? [expireTime] : [offerExpireTime, expireTime]).filter((end) => end !== undefined);
  const [end] = ends.sort((one, other) => timestampMs(one) - timestampMs(other));
  return end ? words.endedAt(time(end)) : "";
}

/** The account on the other side; empty where there is none. */
export function otherWords(share: Share, isReceived: boolean): string {
  if (isReceived) return words.by(ownerWords(share));
  return share.recipient ? words.to(nameWords(share.recipientDisplayName, share.recipient)) : "";
}

/** What an account is called, and its id where that says more. */
function nameWords(displayName: string, account: string): string {
  const id = accountId(account);
  return displayName && displayName !== id ? `${displayName} (${id})` : id;
}

function positionWords(positions: PositionAccess): string {
  if (positions === PositionAccess.HIDDEN) return words.hidden;
  return positions === PositionAccess.APPROXIMATE ? words.rough : words.exact;
}
