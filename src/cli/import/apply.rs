//! Rows at the server, many in a call. The server applies each whole or not at all, and finds what is done by a repeat done.

use std::iter::Peekable;

use prost::Message as _;
use tonic::Code;

use super::journal::{Done, Outcome, Place};
use super::row::{Fault, Row, Stated};
use super::sheet::Numbered;
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::import_service_client::ImportServiceClient;
use crate::cli::client::{Connection, ServerArguments, explain, patiently};
use crate::model::text::LINE_BYTES_MAX;

/// Rows of a call, as many as the server takes.
const ROWS_MAX: usize = 100;
/// Bytes of a call's rows beyond which no more are added: half of what the server takes, which no single row exceeds.
const BYTES_MAX: usize = 512 * 1024;
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
        let imports = ImportServiceClient::with_interceptor(server.channel()?, server.credential()?);
        Ok(Self { imports, parent: parent.to_owned(), import, dry })
    }

    /// Applies rows, and says what became of each. An error is one that no row would fare better with: the server is gone, or
    /// the token is no good.
    pub(super) async fn run(&self, rows: Vec<Numbered>) -> anyhow::Result<Vec<Done>> {
        let (mut done, mut good) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for (line, row) in rows {
            match row {
                Ok(row) => good.push((line, row)),
                Err(fault) => done.push(Done::failed(line, String::new(), fault)),
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

    async fn apply(&self, rows: &[(u64, Row)]) -> Result<Vec<Done>, tonic::Status> {
        let of_row = |(line, row): &(u64, Row)| pb::SiteRow {
            request_id: self.request_id(*line).to_string(),
            ..row.message.clone()
        };
        let request = pb::ImportSitesRequest {
            parent: self.parent.clone(),
            rows: rows.iter().map(of_row).collect(),
            validate_only: self.dry,
        };
        let answer = patiently(|| {
            let (mut imports, request) = (self.imports.clone(), request.clone());
            async move { imports.import_sites(request).await }
        });
        let results = answer.await?.into_inner().results;
        if results.len() != rows.len() {
            return Err(tonic::Status::internal("the server tells of other rows than it was asked for"));
        }
        Ok(rows.iter().zip(results).map(|((line, row), result)| self.done(*line, row, result)).collect())
    }

    fn done(&self, line: u64, row: &Row, result: pb::SiteRowResult) -> Done {
        let outcome = match result.outcome() {
            pb::ImportOutcome::Created => Outcome::Created,
            pb::ImportOutcome::Updated => Outcome::Updated,
            pb::ImportOutcome::Unchanged => Outcome::Unchanged,
            pb::ImportOutcome::Refused | pb::ImportOutcome::Unspecified => {
                return Done::failed(line, row.name.clone(), Fault::new(result.field, result.message));
            }
        };
        let address_state = match result.address_state() {
            pb::AddressState::Unspecified => String::new(),
            state => state.as_str_name().trim_start_matches("ADDRESS_STATE_").to_lowercase(),
        };
        Done {
            // The name of a site that was not made means nothing.
            site: if self.dry && outcome == Outcome::Created { String::new() } else { result.name },
            etag: result.etag,
            address: row.address.as_ref().and_then(Stated::one_line).unwrap_or_default(),
            parts: row.address.as_ref().and_then(Stated::parts),
            address_state,
            places: result.candidates.into_iter().map(place).collect(),
            ..Done::new(line, row.name.clone(), outcome)
        }
    }

    /// The same for the same row of the same import, so that a row which is done again makes no second site.
    fn request_id(&self, line: u64) -> uuid::Uuid {
        let mut bytes = *self.import.as_bytes();
        for (byte, part) in bytes[8..].iter_mut().zip(line.to_be_bytes()) {
            *byte ^= part;
        }
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

fn place(candidate: pb::Candidate) -> Place {
    let granularity = candidate.granularity().as_str_name().trim_start_matches("GRANULARITY_").to_lowercase();
    let pb::LatLng { lat, lng } = candidate.position.unwrap_or_default();
    let pb::Candidate { formatted_address, confidence, .. } = candidate;
    Place { formatted_address, granularity, confidence, lat, lng }
}

impl Done {
    /// A row that was refused.
    fn failed(line: u64, mut name: String, fault: Fault) -> Self {
        // One that is too long is what was refused.
        name.truncate(name.floor_char_boundary(LINE_BYTES_MAX));
        Self { field: fault.field, message: fault.why, ..Self::new(line, name, Outcome::Failed) }
    }
}

/// Rows by the call.
pub(super) struct Batches<I: Iterator<Item = Numbered>>(Peekable<I>);

impl<I: Iterator<Item = Numbered>> Batches<I> {
    pub(super) fn of(rows: I) -> Self {
        Self(rows.peekable())
    }
}

impl<I: Iterator<Item = Numbered>> Iterator for Batches<I> {
    type Item = Vec<Numbered>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut batch, mut bytes, mut addresses) = (Vec::new(), 0, 0);
        while let Some((_, row)) = self.0.peek() {
            bytes += row.as_ref().map_or(0, |row| row.message.encoded_len());
            addresses += usize::from(row.as_ref().is_ok_and(|row| row.address.is_some()));
            let is_full = batch.len() == ROWS_MAX || bytes > BYTES_MAX || addresses > ADDRESSES_MAX;
            if is_full && !batch.is_empty() {
                break;
            }
            batch.extend(self.0.next());
        }
        (!batch.is_empty()).then_some(batch)
    }
}
