//! Tokens that are good, and each way in which one is not.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::fixture::{ISSUER, Pair, claims, issuers, jwks};
use super::*;
use crate::error::{Fault as _, Reason};
use crate::model::access::{Contacts, Positions, Scope};
use crate::model::assignment::Assignment;

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// A provider with one key on P-256, and what it publishes.
struct World {
    directory: tempfile::TempDir,
    pair: Pair,
    issuers: Issuers,
}

impl World {
    fn new(more: &str) -> Self {
        let (directory, pair) = (tempfile::tempdir().unwrap(), Pair::es256("one"));
        let issuers = issuers(directory.path(), &jwks([&pair]), more);
        Self { directory, pair, issuers }
    }

    fn claims(change: &Value) -> Value {
        changed(claims(now()), change)
    }

    /// Who bears a token of good claims with a change.
    fn bearer(&self, change: &Value) -> Result<Principal, Refusal> {
        self.issuers.verify(&self.pair.token(&Self::claims(change)), now())
    }

    /// Why a token of good claims with a change is refused.
    #[track_caller]
    fn check(&self, change: &Value, expect: Refusal) {
        assert_eq!(self.bearer(change).err(), Some(expect), "{change}");
    }
}

/// An object with other members; `null` takes one away.
fn changed(mut object: Value, change: &Value) -> Value {
    for (key, value) in change.as_object().unwrap() {
        match value {
            Value::Null => drop(object.as_object_mut().unwrap().remove(key)),
            _ => object[key] = value.clone(),
        }
    }
    object
}

#[test]
fn a_good_token_says_who_its_bearer_is_and_what_they_may_do() {
    let world = World::new("");
    let editor = world.bearer(&json!({})).unwrap();
    let identity = editor.identity.clone().unwrap();
    assert_eq!((editor.scope, editor.contacts), (Scope::Editor, Contacts::Read));
    assert_eq!(editor.account, Some("acme".parse().unwrap()));
    assert_eq!(identity.name(), format!("{ISSUER}|anna"));
    assert_eq!(identity.expires_at, now() + SignedDuration::from_secs(330), "its end and the leeway");
    assert_eq!(editor.actor(), format!("identity:{ISSUER}|anna"));
    let desk = world.bearer(&json!({ "roles": "desk", "aud": ["other", "waymark"] })).unwrap();
    assert_eq!((desk.scope, desk.contacts), (Scope::Viewer, Contacts::Masked));
    assert_eq!(desk.token, editor.token, "one somebody, whatever token they come with");
    assert_ne!(world.bearer(&json!({ "sub": "berta" })).unwrap().token, editor.token);
    let both = world.bearer(&json!({ "roles": ["desk", "tech"] })).unwrap();
    assert_eq!(both.scope, Scope::Editor, "the first that is configured counts");
    let hall = world.bearer(&json!({ "roles": "hall" })).unwrap();
    assert_eq!((hall.scope, hall.contacts), (Scope::Wallboard, Contacts::Masked), "without a word of contacts");
    assert_eq!((editor.positions, hall.positions), (Positions::Exact, Positions::Approximate));
    let partner = world.bearer(&json!({ "roles": "partner" })).unwrap();
    assert_eq!((partner.scope, partner.positions), (Scope::Viewer, Positions::Approximate));
    let crew = world.bearer(&json!({ "roles": "crew" })).unwrap();
    let assigned = crew.assigned.as_ref().map(Assignment::as_str);
    assert_eq!((crew.scope, assigned), (Scope::Field, Some("labels.team = \"north\"")));
    assert!([&editor, &desk, &hall, &partner].iter().all(|other| other.assigned.is_none()));
    let root = world.bearer(&json!({ "roles": ["root"], "account": null })).unwrap();
    assert_eq!((root.scope, root.account), (Scope::Admin, None));
}

#[test]
fn what_a_token_claims_has_to_be_here_now_and_for_this_service() {
    let world = World::new("");
    let at = now().as_second();
    for aud in [json!("waymark2"), json!(["a", "b"]), json!([]), json!({ "waymark": 1 }), Value::Null] {
        world.check(&json!({ "aud": aud }), Refusal::Audience);
    }
    world.check(&json!({ "exp": at - 30 }), Refusal::Expired);
    assert!(world.bearer(&json!({ "exp": at - 29 })).is_ok(), "within the leeway");
    world.check(&json!({ "nbf": at + 31 }), Refusal::NotYet);
    world.check(&json!({ "iat": at + 31 }), Refusal::NotYet);
    assert!(world.bearer(&json!({ "nbf": at + 30, "iat": 1_800_000_029.5 })).is_ok(), "within the leeway");
    world.check(&json!({ "iat": at - 86_430 }), Refusal::TooOld);
    let old = world.bearer(&json!({ "iat": at - 86_000, "exp": at + 86_400 })).unwrap().identity.unwrap();
    assert_eq!(old.expires_at, now() + SignedDuration::from_secs(430), "no token ends later than its age allows");
    for missing in ["exp", "iat", "sub"] {
        world.check(&json!({ missing: null }), Refusal::Incomplete);
    }
    for wrong in [json!("soon"), json!(-1), json!([at]), json!(1e300)] {
        world.check(&json!({ "exp": wrong }), Refusal::Malformed);
    }
    for sub in [json!(""), json!(7), json!("x".repeat(256)), json!("a\nb")] {
        world.check(&json!({ "sub": sub }), Refusal::Incomplete);
    }
    // They look like somebody else, or turn the line about that tells of them.
    for sub in ["anna\u{200b}", "\u{feff}anna", "an\u{200d}na", "\u{202e}anna", "\u{2066}anna\u{2069}", "anna\u{200f}"]
    {
        world.check(&json!({ "sub": sub }), Refusal::Incomplete);
    }
    assert!(world.bearer(&json!({ "sub": "Åsa Öberg|北京" })).is_ok());
}

#[test]
fn accounts_and_roles_come_from_the_table_alone() {
    let world = World::new("accounts = ['acme', 'beta']");
    for account in [Value::Null, json!(""), json!("Acme"), json!(["acme"]), json!("gamma"), json!("accounts/acme")] {
        world.check(&json!({ "account": account }), Refusal::Account);
    }
    assert!(world.bearer(&json!({ "account": "beta" })).is_ok());
    for roles in
        [Value::Null, json!([]), json!("guest"), json!("tech desk"), json!(["admin", "operator"]), json!("Tech")]
    {
        world.check(&json!({ "roles": roles }), Refusal::Role);
    }
    let nested = Config {
        jwt: vec![config::Issuer {
            role_claim: "/realm/x~1y/roles".into(),
            account_claim: None,
            accounts: vec!["acme".into()],
            ..settings(&world)
        }],
    };
    let nested = Issuers::open(&nested).unwrap();
    let claims = World::claims(&json!({ "realm": { "x/y": { "roles": ["tech"] } }, "account": "beta" }));
    let bearer = nested.verify(&world.pair.token(&claims), now()).unwrap();
    assert_eq!(bearer.account, Some("acme".parse().unwrap()), "without a claim it is the one account");
    let words = Config { jwt: vec![config::Issuer { role_claim: "scope".into(), ..settings(&world) }] };
    let words = Issuers::open(&words).unwrap();
    let claims = World::claims(&json!({ "scope": "openid desk" }));
    assert_eq!(words.verify(&world.pair.token(&claims), now()).unwrap().scope, Scope::Viewer);
}

/// The settings of the world's provider.
fn settings(world: &World) -> config::Issuer {
    let path = world.directory.path().join("keys.json");
    let text = format!(
        "issuer = '{ISSUER}'\naudience = 'waymark'\njwks_file = '{}'\nalgorithms = ['ES256']\naccount_claim = 'account'\n\
         role_claim = 'roles'\nroles = [{{ value = 'tech', role = 'editor' }}, {{ value = 'desk', role = 'viewer' }}]",
        path.display()
    );
    toml::from_str(&text).unwrap()
}

#[test]
fn every_algorithm_that_is_allowed_is_taken_with_a_key_of_its_kind() {
    let directory = tempfile::tempdir().unwrap();
    let (ec, ed, rsa) = (Pair::es256("ec"), Pair::ed25519("ed"), Pair::rsa("rsa"));
    let issuers = issuers(directory.path(), &jwks([&ec, &ed, &rsa]), "");
    let good = claims(now());
    for token in [
        ec.token(&good),
        ed.token(&good),
        rsa.token(&good),
        rsa.token_with(&json!({ "alg": "PS256", "kid": "rsa" }), &good),
        // The one key of its kind needs no name.
        ed.token_with(&json!({ "alg": "EdDSA", "typ": "at+JWT" }), &good),
    ] {
        assert!(issuers.verify(&token, now()).is_ok(), "{token}");
    }
    let kid_of_another = ec.token_with(&json!({ "alg": "ES256", "kid": "ed" }), &good);
    assert_eq!(issuers.verify(&kid_of_another, now()).err(), Some(Refusal::Key));
    let padding_of_another = rsa.token_with(&json!({ "alg": "RS256", "kid": "rsa" }), &good);
    let padding_of_another = padding_of_another.split_once('.').unwrap().1.to_owned();
    let header = rsa.token_with(&json!({ "alg": "PS256", "kid": "rsa" }), &good);
    let mixed = format!("{}.{padding_of_another}", header.split_once('.').unwrap().0);
    assert_eq!(issuers.verify(&mixed, now()).err(), Some(Refusal::Signature));
}

#[test]
fn no_header_changes_what_a_token_is_checked_with() {
    let world = World::new("");
    let check = |header: Value, expect: Refusal| {
        let token = world.pair.token_with(&header, &claims(now()));
        assert_eq!(world.issuers.verify(&token, now()).err(), Some(expect), "{header}");
    };
    for alg in ["none", "None", "HS256", "HS384", "RS384", "ES384", "es256", ""] {
        check(json!({ "alg": alg, "kid": "one" }), Refusal::Algorithm);
    }
    // Allowed, and of another kind than the key: a public key is no secret, and no key of another kind.
    for alg in ["RS256", "PS256", "EdDSA"] {
        check(json!({ "alg": alg, "kid": "one" }), Refusal::Key);
    }
    check(json!({ "alg": "ES256", "kid": "two" }), Refusal::Key);
    check(json!({ "alg": "ES256", "kid": "../keys.json" }), Refusal::Key);
    check(json!({ "alg": "ES256", "kid": "x".repeat(300) }), Refusal::Key);
    check(json!({ "kid": "one" }), Refusal::Malformed);
    check(json!({ "alg": "ES256", "kid": 1 }), Refusal::Malformed);
    for more in ["crit", "b64", "zip"] {
        check(json!({ "alg": "ES256", "kid": "one", more: ["exp"] }), Refusal::Header);
    }
    for typ in ["logout+jwt", "secevent+jwt", "dpop+jwt", "JOSE", ""] {
        check(json!({ "alg": "ES256", "kid": "one", "typ": typ }), Refusal::Header);
    }
    // A key that the token brings along, or says where to find, is nobody's.
    let stranger = Pair::es256("one");
    let header = json!({ "alg": "ES256", "kid": "one", "jwk": stranger.jwk(), "jku": "https://evil.example.com/keys" });
    let forged = stranger.token_with(&header, &claims(now()));
    assert_eq!(world.issuers.verify(&forged, now()).err(), Some(Refusal::Signature));
}

#[test]
fn a_token_is_taken_to_the_letter() {
    let world = World::new("");
    let token = world.pair.token(&claims(now()));
    let (head, rest) = token.split_once('.').unwrap();
    let (body, signature) = rest.split_once('.').unwrap();
    assert!(world.issuers.verify(&token, now()).is_ok());
    for forged in [
        format!("{head}.{body}."),
        format!("{head}.{body}.{}", "A".repeat(signature.len())),
        format!(
            "{head}.{}.{signature}",
            world.pair.token(&World::claims(&json!({ "sub": "root" }))).split('.').nth(1).unwrap()
        ),
    ] {
        assert_eq!(world.issuers.verify(&forged, now()).err(), Some(Refusal::Signature), "{forged}");
    }
    for malformed in [
        ".",
        "..",
        "...",
        "a.b.c",
        &format!("{head}.{body}"),
        &format!("{token}."),
        &format!("{token}="),
        &format!("{head}.{body}.{signature}.{signature}"),
        &format!(" {token}"),
        &token.replace('.', ".."),
    ] {
        assert_eq!(world.issuers.verify(malformed, now()).err(), Some(Refusal::Malformed), "{malformed}");
    }
    // 64 bytes end with a character of which four bits are nothing: another spelling of the same bytes is none.
    let last = signature.chars().last().unwrap();
    let twin = char::from_u32(u32::from(last) + 1).unwrap();
    let respelled = format!("{}{twin}", &token[..token.len() - 1]);
    assert!(world.issuers.verify(&respelled, now()).is_err(), "{last} {twin}");
    assert_eq!(world.issuers.verify(&"a".repeat(8_193), now()).err(), Some(Refusal::TooLong));
    let long = world.pair.token(&World::claims(&json!({ "x": "x".repeat(7_000) })));
    assert_eq!(world.issuers.verify(&long, now()).err(), Some(Refusal::TooLong));
    let deep = (0..20).fold(json!(1), |inner, _| json!([inner]));
    world.check(&json!({ "x": deep }), Refusal::Malformed);
    for issuer in [json!("https://id.example.com/"), json!("https://evil.example.com"), json!(1), Value::Null] {
        world.check(&json!({ "iss": issuer }), Refusal::Issuer);
    }
}

#[test]
fn a_known_token_ends_at_its_time_and_with_its_key() {
    let world = World::new("");
    let token = world.pair.token(&claims(now()));
    for _ in 0..3 {
        assert!(world.issuers.verify(&token, now()).is_ok());
    }
    assert_eq!(world.issuers.states()[0].verified, 1, "a token that is known is not checked again");
    let end = now() + SignedDuration::from_secs(330);
    assert!(world.issuers.verify(&token, end - SignedDuration::from_secs(1)).is_ok());
    assert_eq!(world.issuers.verify(&token, end).err(), Some(Refusal::Expired));
    assert!(world.issuers.verify(&token, now()).is_ok());
    let ring = &world.issuers.all[0].ring;
    let set = |pairs: &[&Pair]| jwk::KeySet::parse(jwks(pairs.iter().copied()).to_string().as_bytes()).unwrap();
    let next = Pair::es256("two");
    ring.put(set(&[&world.pair, &next]));
    assert!(world.issuers.verify(&token, now()).is_ok(), "a rotation keeps both for a while");
    assert!(world.issuers.verify(&next.token(&claims(now())), now()).is_ok());
    ring.put(set(&[&next]));
    assert_eq!(
        world.issuers.verify(&token, now()).err(),
        Some(Refusal::Key),
        "a key that is taken back ends its tokens"
    );
    assert!(world.issuers.lacks_key(&token) && !world.issuers.lacks_key(&next.token(&claims(now()))));
}

#[test]
fn only_what_a_provider_may_vouch_for_is_looked_at_and_refusals_are_counted() {
    let world = World::new("");
    let own = "wmk_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA00000000";
    assert!(!world.issuers.are_asked(own) && world.issuers.are_asked("a.b.c"));
    assert!(!Issuers::default().are_asked("a.b.c") && Issuers::default().refused().is_empty());
    world.check(&json!({ "aud": "x" }), Refusal::Audience);
    world.check(&json!({ "aud": "y" }), Refusal::Audience);
    let refused: HashMap<_, _> = world.issuers.refused().into_iter().collect();
    assert_eq!((refused["audience"], refused["expired"], refused.len()), (2, 0, Refusal::ALL.len()));
    let reasons = [
        (Refusal::Signature, Reason::JwtInvalid),
        (Refusal::Expired, Reason::JwtExpired),
        (Refusal::Role, Reason::JwtUnmapped),
        (Refusal::KeysAway, Reason::NotReady),
    ];
    for (refusal, reason) in reasons {
        assert_eq!(refusal.reason(), reason);
    }
    assert!(Refusal::KeysAway.retry_after().is_some() && Refusal::Expired.retry_after().is_none());
}

#[test]
fn a_file_of_keys_that_is_not_good_ends_the_start() {
    let world = World::new("");
    let path = world.directory.path().join("keys.json");
    for (keys, named) in [
        ("", "no JSON Web Key Set"),
        ("{\"keys\": []}", "no key"),
        ("{\"keys\": [{\"kty\": \"RSA\", \"d\": \"AA\"}]}", "private"),
    ] {
        std::fs::write(&path, keys).unwrap();
        let told = Issuers::open(&Config { jwt: vec![settings(&world)] }).err().unwrap().to_string();
        assert!(told.contains(named) && told.contains("keys.json"), "{told}");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(Issuers::open(&Config { jwt: vec![settings(&world)] }).is_err());
}
