//! The columns of a sheet of sites. What begins with `info.` is told and never read: a sheet that was exported is a sheet that
//! can be imported.

/// What a column of a label begins with.
const LABEL: &str = "label.";
/// What a column begins with that is told and never read.
pub(in crate::cli) const INFO: &str = "info.";

/// What a column says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Column {
    Name,
    SiteId,
    AgentId,
    Status,
    Email,
    FirstName,
    LastName,
    /// One phone, which joins those that are there.
    Phone,
    /// All phones.
    Phones,
    CustomerId,
    ContractId,
    Note,
    /// One label, which joins those that are there.
    Label(String),
    /// All labels.
    Labels,
    TicketingLinks,
    Address,
    Street,
    PostalCode,
    Locality,
    Region,
    Country,
    Lat,
    Lng,
    /// What waymark says of the site, with what stands behind `info.`.
    Info(String),
}

/// The columns that have one name, by it.
const NAMED: [(&str, Column); 22] = [
    ("name", Column::Name),
    ("site_id", Column::SiteId),
    ("agent_id", Column::AgentId),
    ("status", Column::Status),
    ("email", Column::Email),
    ("first_name", Column::FirstName),
    ("last_name", Column::LastName),
    ("phone", Column::Phone),
    ("phones", Column::Phones),
    ("customer_id", Column::CustomerId),
    ("contract_id", Column::ContractId),
    ("note", Column::Note),
    ("labels", Column::Labels),
    ("ticketing_links", Column::TicketingLinks),
    ("address", Column::Address),
    ("street", Column::Street),
    ("postal_code", Column::PostalCode),
    ("locality", Column::Locality),
    ("region", Column::Region),
    ("country", Column::Country),
    ("lat", Column::Lat),
    ("lng", Column::Lng),
];

impl Column {
    /// The column of a heading, without regard to case.
    pub(in crate::cli) fn parse(heading: &str) -> Option<Self> {
        let heading = heading.trim().to_lowercase();
        let of_name = |name: &str| NAMED.into_iter().find(|(known, _)| *known == name).map(|(_, column)| column);
        of_name(if heading == "display_name" { "name" } else { &heading })
            .or_else(|| Some(Self::Info(heading.strip_prefix(INFO)?.to_owned())))
            .or_else(|| Some(Self::Label(heading.strip_prefix(LABEL).filter(|key| !key.is_empty())?.to_owned())))
    }

    /// Its heading.
    pub(in crate::cli) fn heading(&self) -> String {
        match self {
            Self::Label(key) => format!("{LABEL}{key}"),
            Self::Info(what) => format!("{INFO}{what}"),
            named => {
                NAMED.iter().find(|(_, column)| column == named).map(|(name, _)| (*name).to_owned()).unwrap_or_default()
            }
        }
    }

    /// The columns there are, for people.
    pub(in crate::cli) fn all() -> String {
        let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
        format!("{}, label.KEY, info.ANYTHING", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_is_its_column_and_back() {
        for (name, column) in NAMED {
            assert_eq!(Column::parse(&format!(" {} ", name.to_uppercase())), Some(column.clone()));
            assert_eq!(column.heading(), name);
        }
        for heading in ["label.tier", "label.a.b/c", "info.source"] {
            assert_eq!(Column::parse(heading).unwrap().heading(), heading);
        }
        assert_eq!(Column::parse("Display_Name"), Some(Column::Name));
        assert_eq!(Column::parse("label."), None);
        assert_eq!(Column::parse("adress"), None);
    }
}
