//! Tokens whose bearers have certificates: who makes them, who is let in by them, and how they end.

use super::*;
use crate::model::access::Token;
use crate::model::certificate::{Binding, ClientCertificate};
use crate::service::Error;
use crate::service::rotation::NewSecret;
use crate::service::tokens::NewToken;

const URI: &str = "spiffe://example.org/agent/7";
const NAME: &str = "fw-7.example";

fn uri() -> Binding {
    Binding::Uri(URI.to_owned())
}

/// The certificate of a key, with both names.
fn certificate(key: u8) -> ClientCertificate {
    ClientCertificate::new([key; 32], [URI].into_iter(), [NAME].into_iter())
}

impl World {
    fn machine(&self, scope: Scope) -> NewToken {
        NewToken::of(Some(&self.account), scope, "machine")
    }

    async fn certified(&self, binding: Binding) -> Result<Token, Error> {
        let new = self.machine(Scope::Enrollment);
        self.waymark.create_certified_token(&self.operator, new, binding).await
    }

    fn let_in(&self, certificate: &ClientCertificate) -> Result<Principal, Error> {
        self.waymark.authenticate_certificate(certificate)
    }
}

#[tokio::test]
async fn a_certificate_is_the_token_that_knows_it_until_that_ends() {
    let world = World::new().await;
    let (shown, other) =
        (certificate(1), ClientCertificate::new([2; 32], ["x:y"].into_iter(), ["example"].into_iter()));
    assert!(matches!(world.let_in(&shown), Err(Error::Certificate)), "nobody knows it");
    for binding in [Binding::Key([1; 32]), uri(), Binding::DnsName(NAME.to_owned())] {
        let token = world.certified(binding.clone()).await.unwrap();
        let principal = world.let_in(&shown).unwrap();
        assert_eq!((principal.token, principal.scope), (token.id, Scope::Enrollment), "{binding:?}");
        assert_eq!(principal.account.as_ref(), Some(&world.account));
        assert!(matches!(world.let_in(&other), Err(Error::Certificate)), "{binding:?}");
        let goes_on = || world.waymark.principal_of(principal.token, principal.secret_number).is_ok();
        assert!(goes_on());
        world.waymark.revoke_token(&world.operator, Some(&world.account), token.id).await.unwrap();
        assert!(matches!(world.let_in(&shown), Err(Error::Certificate)), "{binding:?}");
        assert!(!goes_on(), "a watch outlives its token");
    }
}

#[tokio::test]
async fn a_certificate_that_several_tokens_know_is_nobodys() {
    let world = World::new().await;
    let first = world.certified(uri()).await.unwrap();
    let second = world.certified(Binding::DnsName(NAME.to_owned())).await.unwrap();
    assert!(matches!(world.let_in(&certificate(1)), Err(Error::Certificate)));
    world.waymark.revoke_token(&world.operator, Some(&world.account), first.id).await.unwrap();
    assert_eq!(world.let_in(&certificate(1)).unwrap().token, second.id);
}

/// Whoever administers an account could have taken the agents of another one, whose names are no secret.
#[tokio::test]
async fn the_operator_alone_says_whose_a_certificate_is_and_of_machines_once() {
    let world = World::new().await;
    let admin = Principal { account: Some(world.account.clone()), ..world.operator.clone() };
    let new = world.machine(Scope::Enrollment);
    let made = world.waymark.create_certified_token(&admin, new, uri()).await;
    assert!(matches!(made, Err(Error::Scope)), "{made:?}");
    for scope in [Scope::Admin, Scope::Editor, Scope::Viewer, Scope::Agent, Scope::Resident] {
        let made = world.waymark.create_certified_token(&world.operator, world.machine(scope), uri()).await;
        assert!(matches!(made, Err(Error::Invalid(_))), "{scope:?}");
    }
    let of_none = NewToken { account: None, ..world.machine(Scope::Service) };
    assert!(matches!(
        world.waymark.create_certified_token(&world.operator, of_none, uri()).await,
        Err(Error::Invalid(_))
    ));
    let ends = NewToken { expires_at: Some(now() + SignedDuration::from_hours(1)), ..world.machine(Scope::Service) };
    world.waymark.create_certified_token(&world.operator, ends, uri()).await.unwrap();
    assert!(matches!(world.certified(uri()).await, Err(Error::Exists(_))));
    wait(SignedDuration::from_hours(2));
    assert!(matches!(world.let_in(&certificate(1)), Err(Error::Certificate)), "it has expired");
    let token = world.certified(uri()).await.unwrap();
    assert_eq!(world.let_in(&certificate(1)).unwrap().token, token.id);
    let new = NewSecret::default();
    let rotated = world.waymark.rotate_token(&world.operator, Some(&world.account), token.id, &new).await;
    assert!(matches!(rotated, Err(Error::Invalid(_))), "it has no secret");
}

#[tokio::test]
async fn tokens_of_certificates_are_found_again_after_a_start() {
    let world = World::new().await;
    let token = world.certified(uri()).await.unwrap();
    let live = Live::follow(&*world.store).await.unwrap();
    let found = live.tokens_known_by(certificate(1).known_by());
    assert_eq!(found.iter().map(|found| found.id).collect::<Vec<_>>(), [token.id]);
    assert_eq!(found[0].certificate, Some(uri()));
}
