//! Rows at the server, many in a call. The server applies each whole or not at all, and finds what is done by a repeat done.

use std::iter::Peekable;

use prost::Message as _;
use tonic::Code;

use super::journal::{Done, Outcome, Place};
use super::row::{Fault, ROW_BYTES_MAX, Row, Stated};
use super::sheet::{Numbered, RowAt};
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::import_service_client::ImportServiceClient;
use crate::cli::client::{ServerArguments, explain};
use crate::cli::sheet::word;
use crate::client::Connection;
use crate::model::text::LINE_BYTES_MAX;

/// Rows of a call, as many as the server takes.
const ROWS_MAX: usize = 100;
/// Bytes of a call's rows beyond which no more are added: as many as one row may have.
const BYTES_MAX: usize = ROW_BYTES_MAX;
/// Longest message of a row that is kept, in bytes: all columns by their names, with room.
const MESSAGE_BYTES_MAX: usize = 1024;
/// Rows with an address of a call: the server looks them up at once, and a geocoder may be far away.
const ADDRESSES_MAX: usize = 4;

/// The server, as an import sees it.
#[derive(Debug, Clone)]
pub(super) struct Importer {
    imports: ImportServiceClient<Connection>,
    parent: String,
    import: uuid::Uuid,
    dry: bool,
}

impl Importer {
    /// `import` makes the request ids of one import its own; a `dry` one changes nothing.
    pub(super) fn new(server: &ServerArguments, parent: &str, import: uuid::Uuid, dry: bool) -> anyhow::Result<Self> {
        let imports = ImportServiceClient::new(server.connect()?);
        Ok(Self { imports, parent: parent.to_owned(), import, dry })
    }

    /// Applies rows, and says what became of each. An error is one that no row would fare better with: the server is gone, or
    /// the token is no good.
    pub(super) async fn run(&self, rows: Vec<Numbered>) -> anyhow::Result<Vec<Done>> {
        let (mut done, mut good) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for (at, row) in rows {
            match row {
                Ok(row) => good.push((at, row)),
                Err(fault) => done.push(Done::failed(at, String::new(), fault)),
            }
        }
        if good.is_empty() {
            return Ok(done);
        }
        match self.apply(&good).await {
            Ok(results) => done.extend(results),
            // Together they took too long, as where a geocoder is slow.
            Err(status) if status.code() == Code::DeadlineExceeded && good.len() > 1 => {
                for row in &good {
                    done.extend(self.apply(std::slice::from_ref(row)).await.map_err(|status| explain(&status))?);
                }
            }
            Err(status) => return Err(explain(&status)),
        }
        Ok(done)
    }

    async fn apply(&self, rows: &[(RowAt, Row)]) -> Result<Vec<Done>, tonic::Status> {
        let of_row = |(at, row): &(RowAt, Row)| pb::SiteRow {
            request_id: self.request_id(*at).to_string(),
            ..row.message.clone()
        };
        let request = pb::ImportSitesRequest {
            parent: self.parent.clone(),
            rows: rows.iter().map(of_row).collect(),
            validate_only: self.dry,
        };
        let results = self.imports.clone().import_sites(request).await?.into_inner().results;
        if results.len() != rows.len() {
            return Err(tonic::Status::internal("the server tells of other rows than it was asked for"));
        }
        Ok(rows.iter().zip(results).map(|((at, row), result)| self.done(*at, row, result)).collect())
    }

    fn done(&self, at: RowAt, row: &Row, result: pb::SiteRowResult) -> Done {
        let outcome = match result.outcome() {
            pb::ImportOutcome::Created => Outcome::Created,
            pb::ImportOutcome::Updated => Outcome::Updated,
            pb::ImportOutcome::Unchanged => Outcome::Unchanged,
            pb::ImportOutcome::Refused | pb::ImportOutcome::Unspecified => {
                return Done::failed(at, row.name.clone(), Fault::new(result.field, result.message));
            }
        };
        let address_state = match result.address_state() {
            pb::AddressState::Unspecified => String::new(),
            state => word(state.as_str_name(), "ADDRESS_STATE_"),
        };
        Done {
            // The name of a site that was not made means nothing.
            site: if self.dry && outcome == Outcome::Created { String::new() } else { result.name },
            etag: result.etag,
            address: row.address.as_ref().and_then(Stated::one_line).unwrap_or_default(),
            parts: row.address.as_ref().and_then(Stated::parts),
            address_state,
            places: result.candidates.into_iter().map(place).collect(),
            ..Done::new(at, row.name.clone(), outcome)
        }
    }

    /// The same for the same row of the same import, so that a row which is done again makes no second site.
    fn request_id(&self, at: RowAt) -> uuid::Uuid {
        let mut bytes = *self.import.as_bytes();
        for (byte, part) in bytes[8..].iter_mut().zip(at.row.to_be_bytes()) {
            *byte ^= part;
        }
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

fn place(candidate: pb::Candidate) -> Place {
    let granularity = word(candidate.granularity().as_str_name(), "GRANULARITY_");
    let pb::LatLng { lat, lng } = candidate.position.unwrap_or_default();
    let pb::Candidate { formatted_address, confidence, .. } = candidate;
    Place { formatted_address, granularity, confidence, lat, lng }
}

impl Done {
    /// A row that was refused. Of texts that are too long, which may be why, it keeps the beginning.
    fn failed(at: RowAt, name: String, fault: Fault) -> Self {
        let (field, message) = (beginning(fault.field, LINE_BYTES_MAX), beginning(fault.why, MESSAGE_BYTES_MAX));
        Self { field, message, ..Self::new(at, beginning(name, LINE_BYTES_MAX), Outcome::Failed) }
    }
}

fn beginning(mut text: String, bytes_max: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

/// Rows by the call, as far as the file can be read.
pub(super) struct Batches<I: Iterator<Item = anyhow::Result<Numbered>>>(Peekable<I>);

impl<I: Iterator<Item = anyhow::Result<Numbered>>> Batches<I> {
    pub(super) fn of(rows: I) -> Self {
        Self(rows.peekable())
    }
}

impl<I: Iterator<Item = anyhow::Result<Numbered>>> Iterator for Batches<I> {
    type Item = anyhow::Result<Vec<Numbered>>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut batch, mut bytes, mut addresses) = (Vec::new(), 0, 0);
        while let Some(Ok((_, row))) = self.0.peek() {
            bytes += row.as_ref().map_or(0, |row| row.message.encoded_len());
            addresses += usize::from(row.as_ref().is_ok_and(|row| row.address.is_some()));
            let is_full = batch.len() == ROWS_MAX || bytes > BYTES_MAX || addresses > ADDRESSES_MAX;
            if is_full && !batch.is_empty() {
                break;
            }
            batch.extend(self.0.next().and_then(Result::ok));
        }
        if batch.is_empty() {
            // There is none, or what comes is the fault that ends the file.
            return Some(Err(self.0.next()?.err()?));
        }
        Some(Ok(batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A property may be called anything, of any length, and went whole into journal and report.
    #[test]
    fn of_a_row_that_was_refused_the_beginning_is_kept() {
        let fault = Fault::new("é".repeat(1_000_000), "é".repeat(1_000_000));
        let done = Done::failed(RowAt { row: 1, line: 2 }, "é".repeat(1_000_000), fault);
        assert_eq!([done.name.len(), done.field.len(), done.message.len()], [256, 256, 1024]);
    }
}
