//! A card: of a site, its name and what filters ask of it, packed into one text in memory.
//!
//! Everything but the name is folded when the card is made, so that a look at it is a search for bytes. The note is not
//! on it: up to 64 KiB a site is too much for memory. Knows nothing of positions.

use jiff::Timestamp;

use super::sketch::SiteSketch;
use super::text::folded;
use super::ticketing::LinkState;

/// A field of a card that holds texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum CardField {
    /// The agent's id.
    AgentId = 1,
    /// The customer's id or reference.
    CustomerId,
    /// The contract's id.
    ContractId,
    /// The contact's e-mail address.
    Email,
    /// The contact's first name.
    FirstName,
    /// The contact's last name.
    LastName,
    /// The contact's phone numbers, in E.164 form.
    Phone,
    /// The address, as typed and as the geocoder writes it.
    Address,
    /// Systems of ticketing links.
    TicketingSystem,
    /// Organisations of ticketing links, by id.
    TicketingOrganization,
    /// Organisations of ticketing links, by name.
    TicketingOrganizationName,
    /// Sites of ticketing links, by id.
    TicketingSite,
    /// Sites of ticketing links, by name.
    TicketingSiteName,
    /// Labels: the key, a mark, the value.
    Label,
}

impl CardField {
    /// All of them, in the order of their marks, of which the first is 1.
    const ALL: [Self; 14] = [
        Self::AgentId,
        Self::CustomerId,
        Self::ContractId,
        Self::Email,
        Self::FirstName,
        Self::LastName,
        Self::Phone,
        Self::Address,
        Self::TicketingSystem,
        Self::TicketingOrganization,
        Self::TicketingOrganizationName,
        Self::TicketingSite,
        Self::TicketingSiteName,
        Self::Label,
    ];

    /// Whether it is of the contact.
    #[must_use]
    pub fn is_contact(self) -> bool {
        matches!(self, Self::Email | Self::FirstName | Self::LastName | Self::Phone)
    }

    /// The character that begins a text of the field: texts themselves hold no control characters.
    fn mark(self) -> char {
        char::from(self as u8)
    }
}

/// Ends the name.
const NAME_END: char = '\0';
/// Between a label's key and its value.
const KEY_END: char = '\u{1f}';
/// Bits of one digit of a time, and the first of the 64 digits: `0` to `o`.
const DIGIT_BITS: u32 = 6;
const DIGIT_ZERO: u8 = b'0';
/// Digits of the time at which the site was made: 72 bits hold all nanoseconds that a timestamp can.
const CREATED_DIGITS: usize = 12;

/// Bytes that the rest of a card usually has: most are packed without growing.
const USUAL_BYTES: usize = 192;

/// A packed card: the name, its end, the times, and then the texts, each behind the mark of its field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Card(Box<str>);

/// A card that stands somewhere else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CardRef<'a>(&'a str);

impl Card {
    /// The card of a site.
    #[must_use]
    pub fn of(site: &SiteSketch<'_>) -> Self {
        let contact = &site.contact;
        let mut packer = CardPacker::new(&site.display_name, site.created_at, site.updated_at);
        for (field, text) in [
            (CardField::AgentId, site.agent.as_deref().unwrap_or_default()),
            (CardField::CustomerId, &site.customer_id),
            (CardField::ContractId, &site.contract_id),
            (CardField::Email, &contact.email),
            (CardField::FirstName, &contact.first_name),
            (CardField::LastName, &contact.last_name),
        ] {
            packer.text(field, text);
        }
        contact.phones.iter().for_each(|phone| packer.text(CardField::Phone, &phone.number));
        if let Some(address) = &site.address {
            packer.text(CardField::Address, &address.typed);
            packer.text(CardField::Address, &address.formatted);
        }
        for link in &site.ticketing_links {
            packer.text(CardField::TicketingSystem, &link.system);
            packer.text(CardField::TicketingOrganization, &link.organization_id);
            packer.text(CardField::TicketingOrganizationName, &link.organization_name);
            packer.text(CardField::TicketingSite, &link.external_site_id);
            packer.text(CardField::TicketingSiteName, &link.external_site_name);
            packer.link_state(link.state);
        }
        site.labels.iter().for_each(|(key, value)| packer.label(key, value));
        packer.pack()
    }

    /// The card, to be read.
    #[must_use]
    pub fn as_ref(&self) -> CardRef<'_> {
        CardRef(&self.0)
    }
}

impl<'a> CardRef<'a> {
    /// The card that was packed into this text.
    #[must_use]
    pub fn of(packed: &'a str) -> Self {
        Self(packed)
    }

    /// The text that it is packed into.
    #[must_use]
    pub fn packed(self) -> &'a str {
        self.0
    }

    /// A copy that borrows nothing.
    #[must_use]
    pub fn to_card(self) -> Card {
        Card(self.0.into())
    }

    /// The name, as people write it.
    #[must_use]
    pub fn display_name(self) -> &'a str {
        &self.0[..self.name_end().unwrap_or(self.0.len())]
    }

    /// When the site was made.
    #[must_use]
    pub fn created_at(self) -> Timestamp {
        timestamp(number(self.times().get(..CREATED_DIGITS).unwrap_or_default()))
    }

    /// When it was last changed.
    #[must_use]
    pub fn updated_at(self) -> Timestamp {
        let (created, since) = self.times().split_at_checked(CREATED_DIGITS).unwrap_or_default();
        timestamp(number(created) + number(since))
    }

    /// Whether a folded text of the field is as `fits` says.
    pub fn any(self, field: CardField, fits: impl FnMut(&str) -> bool) -> bool {
        self.texts(field.mark()).any(fits)
    }

    /// Whether the folded value of the label is as `fits` says; it is not where the site has no such label.
    pub fn label(self, key: &str, fits: impl FnMut(&str) -> bool) -> bool {
        let values =
            self.texts(CardField::Label.mark()).filter_map(|text| text.strip_prefix(key)?.strip_prefix(KEY_END));
        values.take(1).any(fits)
    }

    /// Whether the far end of some ticketing link is in this state.
    #[must_use]
    pub fn has_link(self, state: LinkState) -> bool {
        self.0.contains(state_mark(state))
    }

    /// Whether the folded `part` stands within some text of some field, or in a label's value. The name is not looked
    /// through.
    #[must_use]
    pub fn contains(self, part: &str) -> bool {
        // No part holds a mark, so one search tells that it stands nowhere; where it stands may still be a label's key.
        self.behind_name().1.contains(part) && self.contains_in(part, |_| true)
    }

    /// The same, of some fields alone. How long it takes does not tell what the others hold: nothing is looked for in them.
    #[must_use]
    pub fn contains_in(self, part: &str, is_meant: impl Fn(CardField) -> bool) -> bool {
        let mut rest = self.behind_name().1;
        while let Some(mark) = rest.bytes().next() {
            let (text, others) = rest[1..].split_at(rest[1..].find(is_mark).unwrap_or(rest.len() - 1));
            // States of links are no fields.
            if CardField::ALL.get(usize::from(mark) - 1).is_some_and(|field| is_meant(*field))
                && text.split_once(KEY_END).map_or(text, |(_, value)| value).contains(part)
            {
                return true;
            }
            rest = others;
        }
        false
    }

    /// Where the name ends. Asked of each site of an answer: a vector's width of bytes is compared at once.
    fn name_end(self) -> Option<usize> {
        memchr::memchr(NAME_END as u8, self.0.as_bytes())
    }

    fn times(self) -> &'a str {
        self.behind_name().0
    }

    /// The times, and the texts with their marks.
    fn behind_name(self) -> (&'a str, &'a str) {
        let rest = self.name_end().map_or("", |end| &self.0[end + NAME_END.len_utf8()..]);
        rest.split_at(rest.find(is_mark).unwrap_or(rest.len()))
    }

    fn texts(self, mark: char) -> impl Iterator<Item = &'a str> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let text = &rest[rest.find(mark)? + mark.len_utf8()..];
            let (text, others) = text.split_at(text.find(is_mark).unwrap_or(text.len()));
            rest = others;
            Some(text)
        })
    }
}

/// Puts a card together.
#[derive(Debug)]
pub struct CardPacker(String);

impl CardPacker {
    /// A card of a name and two times, so far.
    #[must_use]
    pub fn new(display_name: &str, created_at: Timestamp, updated_at: Timestamp) -> Self {
        let mut packed = String::with_capacity(display_name.len() + USUAL_BYTES);
        push_text(&mut packed, display_name);
        packed.push(NAME_END);
        let created = created_at.as_nanosecond();
        push_number(&mut packed, created, CREATED_DIGITS);
        push_number(&mut packed, updated_at.as_nanosecond() - created, 0);
        Self(packed)
    }

    /// Adds a text, folded; an empty one is left out.
    pub fn text(&mut self, field: CardField, text: &str) {
        if !text.is_empty() {
            self.0.push(field.mark());
            push_text(&mut self.0, &folded(text));
        }
    }

    /// Adds the state of a ticketing link: a byte.
    pub fn link_state(&mut self, state: LinkState) {
        self.0.push(state_mark(state));
    }

    /// Adds a label, its value folded.
    pub fn label(&mut self, key: &str, value: &str) {
        self.0.push(CardField::Label.mark());
        push_text(&mut self.0, key);
        self.0.push(KEY_END);
        push_text(&mut self.0, &folded(value));
    }

    /// The card.
    #[must_use]
    pub fn pack(self) -> Card {
        // A copy of just the right size: what was set aside for packing would mostly stay unused.
        Card(Box::from(self.0.as_str()))
    }
}

/// Says that some link is in the state, with no text behind it, in which a word could be found.
fn state_mark(state: LinkState) -> char {
    match state {
        LinkState::Unverified => '\u{1b}',
        LinkState::Verified => '\u{1c}',
        LinkState::Drifted => '\u{1d}',
        LinkState::Broken => '\u{1e}',
    }
}

fn is_mark(c: char) -> bool {
    c < KEY_END && c != NAME_END
}

/// Control characters would read as marks: what slipped past the checks of texts is a space here.
fn push_text(packed: &mut String, text: &str) {
    if text.contains(|c: char| c <= KEY_END) {
        packed.extend(text.chars().map(|c| if c <= KEY_END { ' ' } else { c }));
    } else {
        packed.push_str(text);
    }
}

/// The number in digits of six bits, the lowest first, at least `digits` of them; its sign is in the lowest bit.
fn push_number(packed: &mut String, number: i128, digits: usize) {
    let mut bits = (number.unsigned_abs() << 1) | u128::from(number < 0);
    let mut written = 0;
    while bits != 0 || written < digits {
        let digit = u8::try_from(bits & ((1 << DIGIT_BITS) - 1)).expect("six bits fit a byte");
        packed.push(char::from(DIGIT_ZERO + digit));
        bits >>= DIGIT_BITS;
        written += 1;
    }
}

fn number(digits: &str) -> i128 {
    let bits = digits.bytes().rev().fold(0_u128, |bits, digit| bits << DIGIT_BITS | u128::from(digit - DIGIT_ZERO));
    let magnitude = (bits >> 1).cast_signed();
    if bits & 1 == 1 { -magnitude } else { magnitude }
}

fn timestamp(nanoseconds: i128) -> Timestamp {
    // A card without times is that of no site.
    Timestamp::from_nanosecond(nanoseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
