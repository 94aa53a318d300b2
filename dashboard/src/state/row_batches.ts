// Rows at the server, many in a call, and what became of each.
import { toBinary } from "@bufbuild/protobuf";
import type { Api } from "../api/client.js";
import { AddressState } from "../gen/waymark/v1/location_pb.js";
import { ImportOutcome, SiteRowSchema } from "../gen/waymark/v1/import_service_pb.js";
import type { SheetRow } from "../sheet/read.js";
import { ROW_BYTES_MAX } from "../sheet/row.js";

/** Rows of a call, as many as the server takes. */
const ROWS_MAX = 100;
/** Rows with an address of a call: the server looks them up, and a geocoder may be far away. */
const ADDRESSES_MAX = 4;

/** What becomes of a row, and why. */
export interface RowResult {
  source: SheetRow;
  outcome: ImportOutcome;
  addressState: AddressState;
  /** Its site; empty where there is none yet. */
  site: string;
  /** The column or field at fault; empty for none. */
  field: string;
  /** What is wrong; empty for nothing. */
  message: string;
}

/** A row of which nothing more is known. */
export function resultOf(source: SheetRow, outcome: ImportOutcome): RowResult {
  return { source, outcome, addressState: AddressState.UNSPECIFIED, site: "", field: "", message: "" };
}

/** A row that was refused before it was sent. */
export function refusal(source: SheetRow): RowResult {
  const { field = "", message = "" } = source.fault ?? {};
  return { ...resultOf(source, ImportOutcome.REFUSED), field, message };
}

/** Rows by the call. */
export function* batchesOf(rows: SheetRow[]): Generator<SheetRow[]> {
  let [batch, bytes, addresses]: [SheetRow[], number, number] = [[], 0, 0];
  for (const row of rows) {
    const size = row.message ? toBinary(SiteRowSchema, row.message).length : 0;
    const located = row.message?.address.case ? 1 : 0;
    const isFull = batch.length === ROWS_MAX || bytes + size > ROW_BYTES_MAX || addresses + located > ADDRESSES_MAX;
    if (isFull && batch.length > 0) {
      yield batch;
      [batch, bytes, addresses] = [[], 0, 0];
    }
    batch.push(row);
    bytes += size;
    addresses += located;
  }
  if (batch.length > 0) yield batch;
}

/** Sends rows that can be read; a `dry` call changes nothing. */
export async function send(
  api: Api,
  parent: string,
  rows: SheetRow[],
  requestId: (row: number) => string,
  dry: boolean,
): Promise<RowResult[]> {
  const messages = rows.flatMap(({ row, message }) => (message ? [{ ...message, requestId: requestId(row) }] : []));
  const { results } = await api.imports.importSites({ parent, rows: messages, validateOnly: dry });
  if (results.length !== rows.length) throw new Error("the server answered about other rows than it was sent");
  return rows.map((source, at) => {
    const { outcome = ImportOutcome.REFUSED, addressState = 0, name = "", field = "", message = "" } = results[at] ?? {};
    // The name of a site that was not made means nothing.
    const site = dry && outcome === ImportOutcome.CREATED ? "" : name;
    return { source, outcome, addressState, site, field, message };
  });
}
