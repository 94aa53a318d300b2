//! The address of a row: when it asks something of a geocoder, and what the answer makes of a site.
//!
//! A row that says of a site's address what is there already changes nothing, however often it is sent, and whatever became
//! of the address.

use jiff::Timestamp;

use super::row::{Said, SiteRow};
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::address::AddressQuery;
use crate::model::geo::LatLng;
use crate::model::id::AccountId;
use crate::model::location::Fix;
use crate::model::site::Site;
use crate::model::site_address::{AddressState, SiteAddress};
use crate::service::addresses::{Answer, NO_ADDRESS, is_overtaken, settle};
use crate::service::{Error, Waymark, pasted};

impl SiteRow {
    /// The address that has to be looked up; `None` where the row has none, or the site has it already.
    pub(super) fn question(&self, site: Option<&Site>) -> Option<&AddressQuery> {
        let Said::Some(query) = &self.address else { return None };
        Some(query).filter(|_| !site.is_some_and(|site| self.is_settled(query, site)))
    }

    /// Whether a site has an address, and nothing is left to be asked: it stands at it, or beside it by a person's word.
    fn is_settled(&self, query: &AddressQuery, site: &Site) -> bool {
        let Some(known) = &site.address else { return false };
        let is_answered = match known.state {
            AddressState::Applied => true,
            // Where the row takes the pin away, the site goes to the address, of which a fix has to say where it is.
            AddressState::PinKept => {
                let has_fix = || site.answer().is_some_and(|answer| answer.formatted_address == known.formatted);
                self.position != Said::None || has_fix()
            }
            AddressState::Ambiguous | AddressState::NotFound | AddressState::Pending | AddressState::Expired => false,
        };
        is_answered && known.typed == query.one_line()
    }
}

impl Waymark {
    /// What the geocoder says to a row's address; `None` where it is not asked.
    pub(super) async fn answer_to_row(
        &self,
        account: &AccountId,
        row: &SiteRow,
        site: Option<&Site>,
    ) -> Result<Option<Answer>, Error> {
        let Some(query) = row.question(site) else { return Ok(None) };
        if row.position != Said::Nothing && pasted::parse(query)?.is_some() {
            return Err(Invalid::new("address_line", NO_ADDRESS).into());
        }
        self.ask(account, query, query.country(), site).await.map(Some)
    }

    /// Makes of a site what the answer to a row's address makes of it.
    pub(super) fn apply_answer(
        &self,
        row: &SiteRow,
        query: &AddressQuery,
        answer: &Answer,
        site: &mut Site,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<(), Error> {
        // Of coordinates the pin alone tells that they were stated before.
        if answer.pasted_position().is_some_and(|position| stands_at(site, position)) {
            return Ok(());
        }
        let keep_pin = matches!(row.position, Said::Some(_));
        let stated_at = site.fixes.next_time(now);
        let stated = SiteAddress::stated(query, query.country(), keep_pin, principal.actor(), stated_at);
        let mut settled = site.clone();
        settle(&mut settled, stated, answer, self.pace(), now)?;
        let is_repeat = match (&site.address, &settled.address) {
            (Some(known), Some(stated)) => is_repeat(known, stated),
            _ => false,
        };
        if !is_repeat {
            *site = settled;
        }
        Ok(())
    }
}

/// Whether a site is at a position by a person's word, and no address that was stated later waits to move it.
pub(super) fn stands_at(site: &Site, position: LatLng) -> bool {
    let is_there = |fix: &Fix| fix.source.is_person() && fix.position == position;
    let moves = |address: &SiteAddress| address.state.is_open() && !address.keep_pin && !is_overtaken(site, address);
    site.fixes.effective().is_some_and(is_there) && !site.address.as_ref().is_some_and(moves)
}

/// Whether an address was stated before in the same words, and as little came of it. Who stated it first and when, and its next
/// attempt, are then those of the first statement.
fn is_repeat(known: &SiteAddress, stated: &SiteAddress) -> bool {
    let words = |address: &SiteAddress| {
        (address.typed.clone(), address.parts.clone(), address.country, address.keep_pin, address.state)
    };
    let is_unanswered =
        matches!(stated.state, AddressState::Ambiguous | AddressState::NotFound | AddressState::Pending);
    is_unanswered && words(known) == words(stated)
}
