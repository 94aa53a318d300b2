//! Tokens that mask contacts: what they may not ask, nor write, and what they may still do.

use std::collections::BTreeMap;

use super::*;
use crate::model::access::Contacts;
use crate::model::id::SiteId;
use crate::model::phone::Phone;
use crate::service::Error;
use crate::service::accounts::AccountPatch;
use crate::service::filter::{Filter, MapFilter};
use crate::service::history::Restoration;
use crate::service::importing::row::{RowKey, Said, SiteRow};
use crate::service::paging::PageRequest;
use crate::service::patch::SitePatch;
use crate::service::resident::AccessPatch;
use crate::service::search::{Field, Search};
use crate::service::site_list::{Order, SiteQuery};
use crate::service::sites::ChangeOptions;
use crate::service::tokens::NewToken;

impl World {
    /// The operator as one that masks contacts, and a site with a contact and a note that changed once.
    async fn with_contact() -> (Self, Principal, SiteId) {
        let world = Self::new().await;
        let patch = |name: &str, email: &str| SitePatch {
            display_name: Some(name.to_owned()),
            email: Some(email.to_owned()),
            phones: Some(vec![Phone { number: "+3545451000".to_owned(), ..Phone::default() }]),
            note: Some(format!("the key lies with {email} in the cellar")),
            customer_id: Some("kunde".to_owned()),
            ..SitePatch::default()
        };
        let (operator, acme) = (&world.operator, &world.account);
        let made = world.waymark.create_site(operator, acme, patch("pump", "anna@example.org"), "").await.unwrap();
        let id = made.value.id;
        let options = ChangeOptions::default();
        let changed = patch("pump", "berta@example.org");
        world.waymark.update_site(operator, acme, id, changed, &options).await.unwrap();
        let masked = Principal { contacts: Contacts::Masked, ..world.operator.clone() };
        (world, masked, id)
    }

    /// The names of the sites that match.
    async fn listed(&self, principal: &Principal, filter: &str) -> Result<Vec<String>, Error> {
        let filter = Filter::parse(filter).unwrap();
        let order = Order { by_name: false, descending: false };
        let query = SiteQuery { account: self.account.clone(), filter, order, show_deleted: false };
        let page = self.waymark.list_sites(principal, &query, &PageRequest::default()).await?.page;
        Ok(page.items.into_iter().map(|site| site.value.display_name).collect())
    }
}

fn is_refused<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::ContactsMasked))
}

#[tokio::test]
async fn no_filter_looks_at_masked_contacts() {
    let (world, masked, _) = World::with_contact().await;
    for filter in [
        "contact.email = 'berta@example.org'",
        "NOT contact.first_name : a",
        "status = ONLINE OR (display_name = pump AND -contact.last_name = *)",
        "contact.phones : '+354 545'",
        "pump OR -contact.phones = 3545451000",
    ] {
        assert!(MapFilter::parse(filter, Contacts::Read).is_ok(), "{filter}");
        assert!(is_refused(&MapFilter::parse(filter, Contacts::Masked)), "{filter}");
    }
    for filter in [
        "contact.email = 'berta@example.org'",
        "display_name = pump OR -contact.last_name = *",
        "contact.phones : '+354 545'",
        "NOT contact.phones = ''",
        "note : berta",
        "note = ''",
        "NOT note : nobody",
        "pump AND (status = ONLINE OR note != cellar)",
    ] {
        assert!(is_refused(&world.listed(&masked, filter).await), "{filter}");
        assert!(world.listed(&world.operator, filter).await.is_ok(), "{filter}");
    }
    for word in ["berta", "5451000", "contact.phones = '+354 545-1000'"] {
        assert_eq!(world.listed(&world.operator, word).await.unwrap(), ["pump"], "{word}");
    }
    for nothing in ["berta", "-pump", "example.org", "pump AND berta", "5451000", "+354"] {
        assert!(world.listed(&masked, nothing).await.unwrap().is_empty(), "{nothing}");
    }
    for filter in ["pump", "kunde", "NOT berta", "NOT 5451000"] {
        assert_eq!(world.listed(&masked, filter).await.unwrap(), ["pump"], "{filter}");
    }
}

#[tokio::test]
async fn masked_fields_are_not_written_and_other_fields_leave_them() {
    let (world, masked, id) = World::with_contact().await;
    let (waymark, acme, options) = (&world.waymark, &world.account, ChangeOptions::default());
    for patch in [
        SitePatch { email: Some(String::new()), ..SitePatch::default() },
        SitePatch { last_name: Some("x".to_owned()), ..SitePatch::default() },
        SitePatch { phones: Some(Vec::new()), ..SitePatch::default() },
        SitePatch { note: Some(String::new()), ..SitePatch::default() },
        SitePatch { note: Some("seen".to_owned()), ..SitePatch::default() },
    ] {
        assert!(is_refused(&waymark.update_site(&masked, acme, id, patch, &options).await));
    }
    let named = |name: &str, first_name: &str| SitePatch {
        display_name: Some(name.to_owned()),
        first_name: Some(first_name.to_owned()),
        ..SitePatch::default()
    };
    assert!(is_refused(&waymark.create_site(&masked, acme, named("other", "Anna"), "").await));
    assert!(is_refused(&waymark.preview_site(&masked, acme, named("other", "Anna")).await));
    let noted = |note: &str| SitePatch { note: Some(note.to_owned()), ..named("noted", "") };
    assert!(is_refused(&waymark.create_site(&masked, acme, noted("seen"), "").await));
    assert!(is_refused(&waymark.preview_site(&masked, acme, noted("seen")).await));
    assert!(waymark.create_site(&masked, acme, noted(""), "").await.is_ok(), "what is empty says nothing");
    let contract = SitePatch { contract_id: Some("K-7".to_owned()), ..SitePatch::default() };
    let changed = waymark.update_site(&masked, acme, id, contract, &options).await.unwrap();
    assert_eq!(changed.value.contact.email, "berta@example.org");
    assert!(changed.value.note.contains("berta"));
    let back = |field: &str| Restoration { site: id, change: 2, field: field.to_owned(), request_id: String::new() };
    for field in ["contact.email", "note"] {
        assert!(is_refused(&waymark.restore_value(&masked, acme, &back(field), &options).await), "{field}");
    }
    let restored = waymark.restore_value(&world.operator, acme, &back("contact.email"), &options).await.unwrap();
    assert_eq!(restored.value.contact.email, "anna@example.org");
    let owner = AccessPatch { owner_email: Some("jo@example.org".into()), ..AccessPatch::default() };
    assert!(is_refused(&waymark.update_resident_access(&masked, acme, id, owner, (&options, "")).await));
}

#[tokio::test]
async fn a_token_that_masks_contacts_makes_none_that_does_not() {
    let (world, masked, _) = World::with_contact().await;
    let new = |contacts| NewToken {
        account: Some(world.account.clone()),
        scope: Scope::Viewer,
        display_name: String::new(),
        expires_at: None,
        contacts,
        positions: None,
        assigned: None,
    };
    assert!(is_refused(&world.waymark.create_token(&masked, new(Some(Contacts::Read))).await));
    for (maker, wanted, made) in [
        (&masked, None, Contacts::Masked),
        (&world.operator, None, Contacts::Read),
        (&world.operator, Some(Contacts::Masked), Contacts::Masked),
    ] {
        let (token, secret) = world.waymark.create_token(maker, new(wanted)).await.unwrap();
        assert_eq!((token.contacts, world.waymark.authenticate(&secret).unwrap().contacts), (made, made));
    }
}

#[tokio::test]
async fn an_etag_is_no_hash_of_what_the_site_says() {
    let (world, _, id) = World::with_contact().await;
    let site = world.waymark.get_site(&world.operator, &world.account, id).await.unwrap().value;
    let (shown, bare) = (world.waymark.etag_of(&site), crate::service::sites::etag_of(&site));
    assert_ne!(shown, bare);
    let patch = SitePatch { note: Some("seen".to_owned()), ..SitePatch::default() };
    let change = |etag: String| {
        let (options, patch) = (ChangeOptions { etag, validate_only: true }, patch.clone());
        let (waymark, world) = (&world.waymark, &world);
        async move { waymark.update_site(&world.operator, &world.account, id, patch, &options).await }
    };
    assert!(matches!(change(bare).await, Err(Error::EtagMismatch(_))));
    assert!(change(shown).await.is_ok());
}

#[tokio::test]
async fn neither_a_sheet_nor_a_list_of_users_tells_whether_a_guess_is_right() {
    let (world, masked, _) = World::with_contact().await;
    let phone = Phone { number: "+3545551234".to_owned(), ..Phone::default() };
    let row = SiteRow {
        key: RowKey::Name,
        patch: SitePatch { display_name: Some("pump".to_owned()), ..SitePatch::default() },
        set_labels: BTreeMap::new(),
        add_phones: vec![phone],
        position: Said::Nothing,
        address: Said::Nothing,
        request_id: String::new(),
    };
    let open = SiteRow { add_phones: Vec::new(), ..row.clone() };
    let noted = SitePatch { note: Some("cellar".to_owned()), ..row.patch.clone() };
    let noted = SiteRow { patch: noted, ..open.clone() };
    for validate_only in [true, false] {
        let rows = vec![Ok(row.clone()), Ok(open.clone()), Ok(noted.clone())];
        let rows = world.waymark.import_sites(&masked, &world.account, rows, validate_only).await.unwrap();
        assert!(is_refused(&rows[0]) && is_refused(&rows[2]), "{rows:?}");
        assert!(rows[1].is_ok(), "it keeps none of the others away: {rows:?}");
    }
    let guess = AccountPatch { user_emails: Some(vec!["jo@example.org".to_owned()]), ..AccountPatch::default() };
    assert!(is_refused(&world.waymark.update_account(&masked, &world.account, guess).await));
    let named = AccountPatch { display_name: Some("Acme".to_owned()), ..AccountPatch::default() };
    assert!(world.waymark.update_account(&masked, &world.account, named).await.is_ok());
}

#[tokio::test]
async fn no_search_looks_at_masked_contacts() {
    let (world, masked, id) = World::with_contact().await;
    let found = async |principal: &Principal, typed: &str| {
        let search = Search { typed, filter: "", page_size: 0 };
        let found = world.waymark.search_sites(principal, &world.account, &search).await.unwrap();
        let fields: Vec<Field> = found.hits.iter().flat_map(|hit| &hit.matches).map(|found| found.field).collect();
        (found.total, found.hits.iter().map(|hit| hit.site.value.id).collect::<Vec<_>>(), fields)
    };
    for typed in ["berta", "example.org", "pump berta", "ber", "cellar", "pump cell"] {
        assert_eq!(found(&world.operator, typed).await.1, [id], "{typed}");
        assert_eq!(found(&masked, typed).await, (0, Vec::new(), Vec::new()), "{typed}");
    }
    assert_eq!(found(&masked, "pump").await, (1, vec![id], vec![Field::DisplayName]));
}
