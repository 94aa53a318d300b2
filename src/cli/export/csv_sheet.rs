//! Sites as CSV (RFC 4180): what people may set, in columns that an import reads back exactly, then what waymark says.

use std::collections::BTreeMap;
use std::io::Write;

use super::info::{Said, info_of};
use super::{Extent, SiteWriter, contact_of, id_of, note_of, pin_of};
use crate::api::proto::waymark::v1 as pb;
use crate::cli::sheet::cell::guard;
use crate::cli::sheet::column::{Column, INFO};
use crate::cli::sheet::json::LinkJson;
use crate::cli::sheet::{phones, status_word};

/// The columns that people may set.
const SETTABLE: [Column; 14] = [
    Column::Name,
    Column::Status,
    Column::Email,
    Column::FirstName,
    Column::LastName,
    Column::Phones,
    Column::CustomerId,
    Column::ContractId,
    Column::Note,
    Column::Labels,
    Column::TicketingLinks,
    Column::Address,
    Column::Lat,
    Column::Lng,
];

/// A CSV file that is being written.
pub(super) struct CsvSheet<W: Write> {
    writer: csv::Writer<W>,
    extent: Extent,
}

impl<W: Write> CsvSheet<W> {
    /// Writes the heading; behind a byte order mark where `bom` says so.
    pub(super) fn begin(mut out: W, extent: Extent, attention: bool, bom: bool) -> anyhow::Result<Self> {
        if bom {
            out.write_all("\u{feff}".as_bytes())?;
        }
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        let mut heading: Vec<String> = SETTABLE.iter().map(Column::heading).collect();
        if extent == Extent::All {
            heading.extend([Column::SiteId.heading(), Column::AgentId.heading()]);
            heading.extend(info_of(&pb::Site::default()).iter().map(|(name, _)| format!("{INFO}{name}")));
        }
        heading.extend(attention.then(|| format!("{INFO}attention")));
        writer.write_record(heading)?;
        Ok(Self { writer, extent })
    }
}

impl<W: Write> SiteWriter for CsvSheet<W> {
    fn write(&mut self, site: &pb::Site, attention: Option<&str>) -> anyhow::Result<()> {
        let mut cells = Vec::with_capacity(SETTABLE.len());
        for column in &SETTABLE {
            cells.push(cell(site, column)?);
        }
        if self.extent == Extent::All {
            cells.extend([id_of(site).to_owned(), guard(&site.agent_id)]);
            // Numbers stay numbers, and nothing of this is read back.
            let info = |(name, said): (&str, Said)| {
                let text = said.into_cell();
                if name == "lat" || name == "lng" { text } else { guard(&text) }
            };
            cells.extend(info_of(site).map(info));
        }
        cells.extend(attention.map(str::to_owned));
        Ok(self.writer.write_record(cells)?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(self.writer.flush()?)
    }
}

/// What a column says of a site.
fn cell(site: &pb::Site, column: &Column) -> anyhow::Result<String> {
    let contact = contact_of(site).cloned().unwrap_or_default();
    let typed = || site.location.as_ref().and_then(|location| location.address.as_ref()).map(|it| it.typed.clone());
    Ok(match column {
        Column::Name => guard(&site.display_name),
        Column::Status => status_word(site.status()),
        Column::Email => guard(&contact.email),
        Column::FirstName => guard(&contact.first_name),
        Column::LastName => guard(&contact.last_name),
        Column::Phones => phones::write(&contact.phones),
        Column::CustomerId => guard(&site.customer_id),
        Column::ContractId => guard(&site.contract_id),
        Column::Note => guard(note_of(site)),
        Column::Labels if site.labels.is_empty() => String::new(),
        // In the order of the keys, so that the same site is the same text.
        Column::Labels => serde_json::to_string(&site.labels.iter().collect::<BTreeMap<_, _>>())?,
        Column::TicketingLinks if site.ticketing_links.is_empty() => String::new(),
        Column::TicketingLinks => {
            serde_json::to_string(&site.ticketing_links.iter().map(LinkJson::from).collect::<Vec<_>>())?
        }
        Column::Address => guard(&typed().unwrap_or_default()),
        Column::Lat => pin_of(site).map(|pin| pin.lat.to_string()).unwrap_or_default(),
        Column::Lng => pin_of(site).map(|pin| pin.lng.to_string()).unwrap_or_default(),
        _ => String::new(),
    })
}
