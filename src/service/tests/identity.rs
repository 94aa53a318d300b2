//! Bearers of identity providers' tokens as use cases see them, with a clock that jumps to where those end.

use super::*;
use crate::error::{Fault as _, Reason};
use crate::identity::Issuers;
use crate::identity::error::Refusal;
use crate::identity::fixture::{ISSUER, Pair, claims, issuers, issuers_with, jwks};
use crate::model::history::Actor;
use crate::service::Error;
use crate::service::audit::{AuditQuery, Class};
use crate::service::call;
use crate::service::paging::PageRequest;

/// A world that trusts a provider, the provider's key, and somebody with a good token of it.
async fn world() -> (World, Pair, Principal) {
    let mut world = World::new().await;
    let pair = Pair::es256("one");
    let issuers = Arc::new(issuers(world.directory.path(), &jwks([&pair]), ""));
    world.waymark = world.waymark.with_issuers(issuers);
    let editor = world.waymark.authenticate(&pair.token(&claims(now()))).unwrap();
    (world, pair, editor)
}

#[tokio::test]
async fn what_goes_on_and_signed_addresses_end_with_the_token() {
    let (mut world, _, editor) = world().await;
    let end = editor.identity.as_ref().unwrap().expires_at;
    assert_eq!(world.waymark.present(&editor).unwrap(), editor);
    let signed = world.waymark.sign_tiles(&editor, &world.account, "", Some(SignedDuration::from_hours(1))).unwrap();
    assert_eq!(signed.ends_at, end, "not behind the token");
    let (opened, _) = world.waymark.open_tiles(&world.account, &signed.text).unwrap();
    assert_eq!((opened.token, opened.scope, &opened.account), (editor.token, Scope::Editor, &editor.account));
    assert_eq!(&*opened.identity.unwrap().subject, "", "an address does not say whose it is");
    wait(end.duration_since(now()));
    assert_eq!(world.waymark.present(&editor).unwrap_err().reason(), Reason::JwtExpired);
    assert!(matches!(world.waymark.open_tiles(&world.account, &signed.text), Err(Error::Credential)));
    wait(SignedDuration::from_mins(-5));
    assert!(world.waymark.open_tiles(&world.account, &signed.text).is_ok());
    world.waymark = world.waymark.with_issuers(Arc::new(Issuers::default()));
    assert!(matches!(world.waymark.open_tiles(&world.account, &signed.text), Err(Error::Credential)));
}

#[tokio::test]
async fn a_signed_address_is_of_the_sites_that_are_assigned_to_its_maker() {
    let (world, pair, _) = world().await;
    let mut of_crew = claims(now());
    of_crew["roles"] = "crew".into();
    let crew = world.waymark.authenticate(&pair.token(&of_crew)).unwrap();
    let signed = world.waymark.sign_tiles(&crew, &world.account, "", None).unwrap();
    let (opened, _) = world.waymark.open_tiles(&world.account, &signed.text).unwrap();
    assert!(opened.assigned.is_some() && opened.assigned == crew.assigned);
}

/// A server that begins anew with narrower roles took what it had signed before for an hour.
#[tokio::test]
async fn a_signed_address_is_good_while_there_is_a_role_that_gives_as_much() {
    let (mut world, pair, editor) = world().await;
    let signed = world.waymark.sign_tiles(&editor, &world.account, "", None).unwrap().text;
    for (roles, is_good) in [
        ("{ value = 'tech', role = 'viewer' }", false),
        ("{ value = 'tech', role = 'editor', mask_contacts = true }", false),
        ("{ value = 'tech', role = 'field', assigned = 'labels.team = north' }", false),
        ("{ value = 'other', role = 'editor' }", true),
    ] {
        let issuers = Arc::new(issuers_with(world.directory.path(), &jwks([&pair]), roles, ""));
        world.waymark = world.waymark.with_issuers(issuers);
        let opened = world.waymark.open_tiles(&world.account, &signed);
        assert_eq!(opened.is_ok(), is_good, "{roles}");
    }
}

#[tokio::test]
async fn a_token_of_a_provider_is_judged_by_it_and_all_others_as_before() {
    let (world, pair, editor) = world().await;
    let reason = |credential: &str| world.waymark.authenticate(credential).unwrap_err().reason();
    assert_eq!(reason("wmk_nonsense"), Reason::CredentialInvalid);
    assert_eq!(reason("a.b.c"), Reason::JwtInvalid);
    let nobody = World::new().await;
    let token = pair.token(&claims(now()));
    assert!(matches!(nobody.waymark.authenticate(&token), Err(Error::Credential)), "no provider is trusted there");
    assert_eq!(editor.actor(), format!("identity:{ISSUER}|anna"));
    let actor = Actor::from(&editor);
    assert_eq!(actor, Actor::Identity { name: format!("{ISSUER}|anna"), scope: Scope::Editor });
    assert_eq!(world.waymark.actor_name(&world.account, &actor), "");
    let kept = serde_json::to_string(&actor).unwrap();
    assert_eq!(serde_json::from_str::<Actor>(&kept).unwrap(), actor);
}

/// A forged token was checked, and counted, by each of the three that ask in a call who makes it.
#[tokio::test]
async fn a_token_is_refused_once_a_call() {
    let (world, pair, _) = world().await;
    let (good, forged) = (pair.token(&claims(now())), Pair::es256("one").token(&claims(now())));
    let counted = |cause: &str| world.waymark.refused_identities().into_iter().find(|(of, _)| *of == cause).unwrap().1;
    for calls in 1..=2 {
        call::answer(async {
            for _ in 0..3 {
                let refused = world.waymark.authenticate(&forged);
                assert!(matches!(refused, Err(Error::Identity(Refusal::Signature))), "{refused:?}");
            }
            assert!(world.waymark.authenticate(&good).is_ok(), "what was said of another token");
            assert!(matches!(world.waymark.authenticate("a.b.c"), Err(Error::Identity(Refusal::Malformed))));
        })
        .await;
        assert_eq!((counted("signature"), counted("malformed")), (calls, calls));
    }
}

#[tokio::test]
async fn the_audit_log_names_the_identity_and_finds_it_by_its_name() {
    let (world, pair, editor) = world().await;
    let mut other = claims(now());
    other["sub"] = "berta".into();
    let other = world.waymark.authenticate(&pair.token(&other)).unwrap();
    for by in [&editor, &editor, &other, &world.operator] {
        call::answer(async {
            call::is_by(by);
            world.waymark.begin_audit("SiteService.GetSite", Class::Persons);
            call::is_about(|| "accounts/acme/sites/1".to_owned());
            world.waymark.end_audit("");
        })
        .await;
    }
    world.waymark.write_notes().await.unwrap();
    let told = async |query: AuditQuery| {
        let page = world.waymark.list_audit_records(&world.operator, &query, &PageRequest::default()).await.unwrap();
        let mut told: Vec<_> = page.items.into_iter().map(|told| (told.record.identity, told.record.calls)).collect();
        told.sort();
        told
    };
    let of_acme = || AuditQuery { account: Some(world.account.clone()), ..AuditQuery::default() };
    let (anna, berta) = (format!("{ISSUER}|anna"), format!("{ISSUER}|berta"));
    assert_eq!(told(of_acme()).await, [(String::new(), 1), (anna.clone(), 2), (berta, 1)]);
    assert_eq!(told(AuditQuery { identity: anna.clone(), ..of_acme() }).await, [(anna, 2)]);
    let number = Some((editor.account.clone(), editor.token));
    assert!(told(AuditQuery { token: number, ..of_acme() }).await.is_empty(), "its number is no token's");
}
