//! Shares where nobody outside can look: steps that meet at one record, times that take weeks, limits, a start.

use super::*;
use crate::model::access::Token;
use crate::model::assignment::Assignment;
use crate::model::id::{Revision, ShareId, SiteId};
use crate::model::share::{KEPT_MAX, OPEN_MAX, Share, ShareState, Step};
use crate::service::Error;
use crate::service::certificates::Credential;
use crate::service::paging::PageRequest;
use crate::service::patch::SitePatch;
use crate::service::sharing::{NewShare, ShownShare};
use crate::service::sites::ChangeOptions;
use crate::service::tokens::NewToken;

fn account(name: &str) -> AccountId {
    name.parse().unwrap()
}

fn of_team(team: &str) -> NewShare {
    NewShare {
        display_name: "the harbour's".to_owned(),
        sites: Assignment::parse(&format!("labels.team = {team}")).unwrap(),
        contacts: Contacts::Masked,
        positions: Positions::Exact,
        expires_at: None,
    }
}

fn is_code<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::ShareCode))
}

fn is_missing<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::NotFound(_)))
}

impl World {
    /// One with two accounts beside the first.
    async fn of_three() -> Self {
        let world = Self::new().await;
        for name in ["beta", "gamma"] {
            world.waymark.create_account(&world.operator, account(name), name, None).await.unwrap();
        }
        world
    }

    /// Somebody of an account, with a token that is kept.
    async fn member(&self, name: &str, scope: Scope) -> (Principal, Token) {
        let assigned = (scope == Scope::Field).then(|| Assignment::parse("labels.team = north").unwrap());
        let new = NewToken { assigned, ..NewToken::of(Some(&account(name)), scope, "") };
        let (token, secret) = self.waymark.create_token(&self.operator, new).await.unwrap();
        (self.waymark.authenticate(&secret).unwrap(), token)
    }

    async fn proposed(&self, new: NewShare) -> (ShownShare, String) {
        self.waymark.propose_share(&self.operator, &self.account, new).await.unwrap()
    }

    async fn accept(&self, name: &str, code: &str) -> Result<ShownShare, Error> {
        self.waymark.accept_share(&self.operator, &account(name), code).await
    }

    async fn end(&self, name: &str, share: ShareId) -> Result<ShownShare, Error> {
        self.waymark.end_share(&self.operator, &account(name), share).await
    }

    /// What somebody else would write to a share.
    async fn changed(&self, share: &ShownShare, change: impl FnOnce(&mut Share) -> bool) -> Vec<Mutation> {
        let key = Key::of(&self.account, Kind::Share, share.share.id);
        let record = self.store.get(key).await.unwrap().unwrap();
        let Document::Share(mut kept) = record.document else { panic!("{:?}", record.key) };
        assert!(change(&mut kept));
        vec![Mutation::replace(record.key, record.revision, Document::Share(kept))]
    }

    async fn labelled(&self, name: &str, team: &str) -> SiteId {
        let labels = Some([("team".to_owned(), team.to_owned())].into());
        let patch = SitePatch { display_name: Some(name.to_owned()), labels, ..SitePatch::default() };
        self.waymark.create_site(&self.operator, &self.account, patch, "").await.unwrap().value.id
    }
}

#[tokio::test]
async fn of_two_that_accept_at_once_one_is_let_in() {
    let world = World::of_three().await;
    let (share, code) = world.proposed(of_team("north")).await;
    let faster = world.changed(&share, |kept| kept.accept(&account("gamma"), now()) == Some(Step::Done)).await;
    world.overtake(faster);
    assert!(is_code(&world.accept("beta", &code).await));
    let shown = world.waymark.share(&world.operator, &account("gamma"), share.share.id).unwrap();
    assert_eq!((shown.state, shown.recipient_name.as_str()), (ShareState::Active, "gamma"));
    assert!(is_missing(&world.waymark.share(&world.operator, &account("beta"), share.share.id)));
    // Whoever did not hear the answer asks again, and is told the same.
    assert_eq!(world.accept("gamma", &code).await.unwrap().state, ShareState::Active);
}

#[tokio::test]
async fn guests_wait_for_what_they_know_of_the_other_account_and_strangers_do_not() {
    let world = World::of_three().await;
    let (share, code) = world.proposed(of_team("north")).await;
    world.accept("beta", &code).await.unwrap();
    let mut secrets = Vec::new();
    for name in ["beta", "gamma"] {
        let new = NewToken::of(Some(&account(name)), Scope::Viewer, "");
        secrets.push(world.waymark.create_token(&world.operator, new).await.unwrap().1);
    }
    let known =
        async |secret: &str| world.waymark.reach(Credential::Secret(secret), Some(&world.account), Revision(1)).await;
    assert!(known(&secrets[0]).await.is_ok());
    assert!(is_missing(&known(&secrets[1]).await));
    world.end("acme", share.share.id).await.unwrap();
    assert!(is_missing(&known(&secrets[0]).await));
}

#[tokio::test]
async fn an_end_that_meets_an_acceptance_counts_whichever_is_first() {
    let world = World::of_three().await;
    let (share, code) = world.proposed(of_team("north")).await;
    let faster = world.changed(&share, |kept| kept.end(&account("acme"), now()) == Step::Done).await;
    world.overtake(faster);
    assert!(is_code(&world.accept("beta", &code).await), "what is taken back is not accepted");
    let (share, _) = world.proposed(of_team("north")).await;
    let faster = world.changed(&share, |kept| kept.accept(&account("beta"), now()) == Some(Step::Done)).await;
    world.overtake(faster);
    let ended = world.end("acme", share.share.id).await.unwrap();
    assert_eq!((ended.state, ended.recipient_name.as_str()), (ShareState::Ended, "beta"));
    let (viewer, _) = world.member("beta", Scope::Viewer).await;
    assert!(world.waymark.within(&viewer, &world.account).guest.is_none());
    // To end it again changes nothing, from the other side neither.
    let again = world.end("beta", share.share.id).await.unwrap();
    assert_eq!(again.share.ended, ended.share.ended);
}

#[tokio::test]
async fn codes_that_open_nothing_are_told_alike() {
    let world = World::of_three().await;
    let (_, used) = world.proposed(of_team("north")).await;
    world.accept("gamma", &used).await.unwrap();
    let (_, code) = world.proposed(of_team("north")).await;
    let beta = account("beta");
    let decline = async || world.waymark.decline_share(&world.operator, &beta, &code).await.unwrap().share;
    let declined = decline().await;
    assert_eq!(declined.state(now()), ShareState::Declined);
    assert_eq!(decline().await.declined_at, declined.declined_at, "a repeat changes nothing");
    let (withdrawn, taken_back) = world.proposed(of_team("north")).await;
    world.end("acme", withdrawn.share.id).await.unwrap();
    let (_, late) = world.proposed(of_team("north")).await;
    wait(SignedDuration::from_hours(14 * 24 + 1));
    let forged = used.replace("wms_acme", "wms_beta");
    let mut other = used.clone();
    let last = other.pop().unwrap();
    // Of the last character four bits count.
    other.push(if last == 'A' { 'E' } else { 'A' });
    let nobody = "wms_nobody.0123456789abcdef.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for code in [&*used, &*code, &*taken_back, &*late, &*forged, &*other, nobody, "wms_", ""] {
        assert!(is_code(&world.accept("beta", code).await), "{code}");
        let decline = world.waymark.decline_share(&world.operator, &account("beta"), code).await;
        // Whoever has the code of a share that was declined knows that already.
        assert!(is_code(&decline) || decline.unwrap().state == ShareState::Declined, "{code}");
        assert!(is_code(&world.waymark.offered_share(&world.operator, &account("beta"), code).await), "{code}");
    }
}

#[tokio::test]
async fn a_guest_sees_what_both_the_share_and_the_token_show_and_the_shared_sites_alone() {
    let world = World::of_three().await;
    let (own, other) = (world.labelled("own", "north").await, world.labelled("other", "south").await);
    let new = NewShare { positions: Positions::Approximate, contacts: Contacts::Read, ..of_team("north") };
    let (share, code) = world.proposed(new).await;
    let (viewer, token) = world.member("beta", Scope::Viewer).await;
    let acme = &world.account;
    let (waymark, home) = (&world.waymark, account("beta"));
    assert!(is_missing(&waymark.get_site(&waymark.within(&viewer, acme), acme, own).await), "it is not accepted yet");
    assert_eq!(waymark.offered_share(&world.operator, &home, &code).await.unwrap().state, ShareState::Proposed);
    world.accept("beta", &code).await.unwrap();
    let guest = waymark.within(&viewer, acme);
    assert_eq!((guest.contacts, guest.positions, guest.home()), (Contacts::Read, Positions::Approximate, Some(&home)));
    assert_eq!(guest.at_home().account, viewer.account);
    assert_eq!(waymark.get_site(&guest, acme, own).await.unwrap().value.display_name, "own");
    assert!(is_missing(&waymark.get_site(&guest, acme, other).await));
    assert!(is_missing(&waymark.get_site(&viewer, acme, own).await), "who was not made a guest is a stranger");
    let masked = Principal { contacts: Contacts::Masked, positions: Positions::Hidden, ..viewer.clone() };
    let guest = waymark.within(&masked, acme);
    assert_eq!((guest.contacts, guest.positions), (Contacts::Masked, Positions::Hidden));
    for scope in [Scope::Field, Scope::Wallboard, Scope::Enrollment] {
        let (member, _) = world.member("beta", scope).await;
        assert_eq!(waymark.within(&member, acme), member, "{scope:?}");
    }
    let (stranger, _) = world.member("gamma", Scope::Admin).await;
    assert_eq!(waymark.within(&stranger, acme), stranger);
    // Whoever owns them sees nothing of who was let in.
    let (owner, _) = world.member("acme", Scope::Admin).await;
    assert_eq!(waymark.within(&owner, &home), owner);
    assert_eq!((token.account.as_ref(), share.recipient_name.as_str()), (Some(&home), ""));
}

#[tokio::test]
async fn a_guest_does_nothing_but_look() {
    let world = World::of_three().await;
    let site = world.labelled("own", "north").await;
    let (_, code) = world.proposed(of_team("north")).await;
    world.accept("beta", &code).await.unwrap();
    let (admin, _) = world.member("beta", Scope::Admin).await;
    let (acme, waymark) = (&world.account, &world.waymark);
    let guest = waymark.within(&admin, acme);
    let patch = SitePatch { note: Some("x".to_owned()), ..SitePatch::default() };
    let page = PageRequest::default();
    let refused = [
        waymark.update_site(&guest, acme, site, patch, &ChangeOptions::default()).await.err(),
        waymark.list_changes(&guest, acme, site, "", &page).await.err(),
        waymark.list_shares(&guest, acme, &page).err(),
        waymark.propose_share(&guest, acme, of_team("north")).await.err(),
        waymark.create_token(&guest, NewToken::of(Some(acme), Scope::Viewer, "")).await.err(),
        waymark.list_tokens(&guest, Some(acme), &page).await.err(),
    ];
    for refused in refused {
        assert!(matches!(refused, Some(Error::Scope)), "{refused:?}");
    }
    let lost = Principal { assigned: None, ..guest };
    assert!(matches!(waymark.get_site(&lost, acme, site).await, Err(Error::Scope)), "all of them are none");
}

#[tokio::test]
async fn what_goes_on_by_a_share_ends_with_it_and_with_the_token() {
    let world = World::of_three().await;
    let (waymark, acme) = (&world.waymark, &world.account);
    let new = NewShare { expires_at: Some(now() + SignedDuration::from_hours(24)), ..of_team("north") };
    let (first, code) = world.proposed(new).await;
    world.accept("beta", &code).await.unwrap();
    let (viewer, token) = world.member("beta", Scope::Viewer).await;
    let guest = waymark.within(&viewer, acme);
    assert_eq!(waymark.present(&guest).unwrap(), guest);
    let (second, code) = world.proposed(of_team("north")).await;
    let refused = world.accept("beta", &code).await;
    assert!(matches!(refused, Err(Error::ShareInEffect(_))), "{refused:?}");
    world.end("beta", first.share.id).await.unwrap();
    assert!(is_missing(&waymark.present(&guest)));
    world.accept("beta", &code).await.unwrap();
    assert!(is_missing(&waymark.present(&guest)), "what began by one share does not go on by another");
    let guest = waymark.within(&viewer, acme);
    assert_eq!(guest.guest.as_ref().map(|guest| guest.share), Some(second.share.id));
    waymark.revoke_token(&world.operator, Some(&account("beta")), token.id).await.unwrap();
    assert!(matches!(waymark.present(&guest), Err(Error::Credential)));
    let (viewer, _) = world.member("beta", Scope::Viewer).await;
    let new = NewShare { expires_at: Some(now() + SignedDuration::from_hours(24)), ..of_team("north") };
    world.end("acme", second.share.id).await.unwrap();
    let (_, code) = world.proposed(new).await;
    world.accept("beta", &code).await.unwrap();
    let guest = waymark.within(&viewer, acme);
    assert!(waymark.present(&guest).is_ok());
    wait(SignedDuration::from_hours(24));
    assert!(is_missing(&waymark.present(&guest)), "its time is over");
}

#[tokio::test]
async fn there_is_an_end_to_shares_and_those_that_are_over_make_room() {
    let world = World::of_three().await;
    let made = || world.waymark.parts.live.shares.made_by(&world.account);
    let (first, _) = world.proposed(of_team("north")).await;
    for _ in 1..OPEN_MAX {
        world.proposed(of_team("north")).await;
    }
    let refused = world.waymark.propose_share(&world.operator, &world.account, of_team("north")).await;
    assert!(matches!(refused, Err(Error::TooMany(_, OPEN_MAX))), "{refused:?}");
    world.end("acme", first.share.id).await.unwrap();
    while made().len() < KEPT_MAX {
        let (share, _) = world.proposed(of_team("north")).await;
        world.end("acme", share.share.id).await.unwrap();
    }
    let (last, _) = world.proposed(of_team("north")).await;
    let kept: Vec<ShareId> = made().iter().map(|share| share.id).collect();
    assert_eq!(kept.len(), KEPT_MAX);
    assert!(kept.contains(&last.share.id) && !kept.contains(&first.share.id), "the first that is over went");
}

#[tokio::test]
async fn a_start_knows_the_shares_of_the_store() {
    let world = World::of_three().await;
    let (share, code) = world.proposed(of_team("north")).await;
    world.accept("beta", &code).await.unwrap();
    world.proposed(of_team("south")).await;
    let started = Live::follow(&*world.store).await.unwrap();
    let received = started.shares.received(&account("beta"), now());
    assert_eq!(received.get(&world.account).map(|share| share.id), Some(share.share.id));
    assert_eq!(started.shares.made_by(&world.account).len(), 2);
    let page = world.waymark.list_shares(&world.operator, &account("beta"), &PageRequest::default()).unwrap();
    assert_eq!(page.items.iter().map(|shown| shown.share.id).collect::<Vec<_>>(), [share.share.id]);
    let accounts = world.waymark.list_accounts(&world.member("beta", Scope::Viewer).await.0, &PageRequest::default());
    let names: Vec<String> = accounts.unwrap().items.iter().map(|account| account.id.to_string()).collect();
    assert_eq!(names, ["acme", "beta"]);
}
