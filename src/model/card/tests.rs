//! Cards give back what was packed into them, and what is looked for in them.

use proptest::prelude::*;

use super::*;
use crate::model::text::fold;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn full() -> Card {
    let mut packer = CardPacker::new("Head Office Malmö", at("2026-11-01T10:00:00.5Z"), at("2026-11-02T00:00:00Z"));
    packer.text(CardField::CustomerId, "C-17");
    packer.text(CardField::ContractId, "");
    packer.text(CardField::Address, "Laugavegur 1");
    packer.text(CardField::Address, "Laugavegur 1, 101 Reykjavík");
    packer.text(CardField::Phone, "+3545451000");
    packer.text(CardField::TicketingOrganizationName, "Harbour");
    packer.link_state(LinkState::Drifted);
    packer.label("region", "Nordics");
    packer.label("tier/sla", "Gold");
    packer.pack()
}

#[test]
fn a_card_gives_back_what_was_packed() {
    let card = full();
    let card = card.as_ref();
    assert_eq!(card.display_name(), "Head Office Malmö");
    assert_eq!(card.created_at(), at("2026-11-01T10:00:00.5Z"));
    assert_eq!(card.updated_at(), at("2026-11-02T00:00:00Z"));
    assert!(card.any(CardField::CustomerId, |text| text == "c-17"));
    assert!(!card.any(CardField::ContractId, |_| true) && !card.any(CardField::AgentId, |_| true));
    assert!(card.any(CardField::Address, |text| text.ends_with("reykjavík")));
    assert!(card.label("region", |value| value == "nordics") && card.label("tier/sla", |value| value == "gold"));
    assert!(!card.label("reg", |_| true) && !card.label("region", |value| value == "gold"));
    assert!(card.contains("laugavegur 1,") && card.contains("ordic"));
    assert!(!card.contains("region") && !card.contains("head") && !card.contains("c-17laug"));
    assert!(card.any(CardField::Phone, |text| text == "+3545451000") && card.contains("5451000"));
    let seen = |part: &str| card.contains_in(part, |field| !field.is_contact());
    assert!(!seen("5451000") && !seen("tier") && seen("gold") && seen("harbour"), "a number is of the contact");
    assert!(card.has_link(LinkState::Drifted) && !card.has_link(LinkState::Broken) && !card.contains("\u{1d}"));
    assert!(card.any(CardField::TicketingOrganizationName, |text| text == "harbour"), "a state ends the text");
    assert_eq!(Card::default().as_ref().display_name(), "");
    assert!(!Card::default().as_ref().contains("x"));
}

proptest! {
    #[test]
    fn times_and_texts_come_back(
        name in "\\PC{0,20}",
        texts in prop::collection::vec((1..=2_u8, "\\PC{0,8}"), 0..6),
        created in -377_705_023_201_000_000_000_i128..253_402_207_200_999_999_999,
        since in -1_000_000_000_000_i128..1_000_000_000_000,
    ) {
        let created_at = Timestamp::from_nanosecond(created).unwrap();
        let updated_at = Timestamp::from_nanosecond(created + since).unwrap();
        let mut packer = CardPacker::new(&name, created_at, updated_at);
        let mut texts = texts;
        texts.sort();
        for (field, text) in &texts {
            let field = if *field == 1 { CardField::AgentId } else { CardField::CustomerId };
            packer.text(field, text);
        }
        let packed = packer.pack();
        let card = packed.as_ref();
        prop_assert_eq!(card.display_name(), name);
        prop_assert_eq!(&CardRef::of(card.packed()).to_card(), &packed);
        prop_assert_eq!((card.created_at(), card.updated_at()), (created_at, updated_at));
        for (field, text) in &texts {
            let folded = fold(text);
            let field = if *field == 1 { CardField::AgentId } else { CardField::CustomerId };
            prop_assert!(folded.is_empty() || card.any(field, |packed| packed == folded), "{:?}", card);
        }
    }
}
