//! The audit log: what is told of a call, with what it is written, and that it stays bounded.

use super::*;
use crate::model::audit::{LOST, use_step};
use crate::model::id::{Revision, SiteId};
use crate::service::Error;
use crate::service::audit::{AuditQuery, Audited, Class};
use crate::service::call::{self, Written};
use crate::service::paging::PageRequest;
use crate::service::tokens::NewToken;
use crate::store::Error as StoreError;
use crate::store::document::{NameClaim, TokenUse};

/// Time that takes like calls apart.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

impl World {
    /// A call of a method, as the API answers it.
    async fn call<T>(
        &self,
        by: &Principal,
        (method, class): (&'static str, Class),
        about: &str,
        doing: impl Future<Output = Result<T, Error>>,
    ) -> (Result<T, Error>, Vec<Written>) {
        call::answer(async {
            call::is_by(by);
            self.waymark.begin_audit(method, class);
            call::is_about(|| about.to_owned());
            let done = doing.await;
            self.waymark.end_audit(if done.is_ok() { "" } else { "REFUSED" });
            done
        })
        .await
    }

    /// A read of a site's persons.
    async fn look(&self, by: &Principal, about: &str) {
        let (looked, _) = self.call(by, ("SiteService.GetSite", Class::Persons), about, async { Ok(()) }).await;
        looked.unwrap();
    }

    fn viewer(&self) -> NewToken {
        NewToken::of(Some(&self.account), Scope::Viewer, "viewer")
    }

    /// All records that a query wants, in pages of a size.
    async fn told(&self, query: &AuditQuery, size: i32) -> Vec<Audited> {
        let (mut all, mut token) = (Vec::new(), String::new());
        loop {
            let request = PageRequest { size, token };
            let page = self.waymark.list_audit_records(&self.operator, query, &request).await.unwrap();
            assert!(page.items.len() <= usize::try_from(size).unwrap());
            all.extend(page.items);
            if page.next_token.is_empty() {
                return all;
            }
            token = page.next_token;
        }
    }

    fn of_account(&self) -> AuditQuery {
        AuditQuery { account: Some(self.account.clone()), ..AuditQuery::default() }
    }

    /// Of all records of the account, when all is written: whether they say that it wrote, why not, and of how many calls.
    async fn outcomes(&self) -> Vec<(bool, String, u64)> {
        self.waymark.write_notes().await.unwrap();
        let told = self.told(&self.of_account(), 10).await;
        let mut outcomes: Vec<_> =
            told.into_iter().map(|told| (told.record.changed, told.record.reason, told.record.calls)).collect();
        outcomes.sort();
        outcomes
    }

    async fn revision(&self) -> Revision {
        self.store.revision(Some(&self.account)).await.unwrap()
    }
}

const CREATE: (&str, Class) = ("AdminService.CreateToken", Class::Write);
const IMPORT: (&str, Class) = ("ImportService.ImportSites", Class::Pages);

#[tokio::test]
async fn a_write_and_its_record_are_one_commit() {
    let world = World::new().await;
    let before = world.revision().await;
    let doing = world.waymark.create_token(&world.operator, world.viewer());
    let (made, written) = world.call(&world.operator, CREATE, "accounts/acme", doing).await;
    assert_eq!(written, [(Some(world.account.clone()), Revision(before.0 + 1))]);
    made.unwrap();
    let told = world.told(&world.of_account(), 10).await;
    let [Audited { record, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(record.actor, Some((None, world.operator.token, Scope::Admin)));
    assert_eq!((record.method.as_str(), record.resource.as_str()), ("AdminService.CreateToken", "accounts/acme"));
    assert_eq!((record.calls, record.changed, record.reason.as_str()), (1, true, ""));
    world.waymark.write_notes().await.unwrap();
    assert_eq!(world.told(&world.of_account(), 10).await, told, "it was told twice");
}

#[tokio::test]
async fn what_was_not_written_is_not_told_as_written() {
    let world = World::new().await;
    world.fail_after(0);
    let doing = world.waymark.create_token(&world.operator, world.viewer());
    let (refused, written) = world.call(&world.operator, CREATE, "accounts/acme", doing).await;
    assert!(matches!(refused, Err(Error::Store(StoreError::Unavailable { .. }))) && written.is_empty());
    world.waymark.write_notes().await.unwrap_err();
    world.fail_after(usize::MAX);
    let (dry, _) = world.call(&world.operator, CREATE, "accounts/acme", async { Ok(()) }).await;
    dry.unwrap();
    world.waymark.write_notes().await.unwrap();
    let told = world.told(&world.of_account(), 10).await;
    let told: Vec<_> = told.iter().map(|told| (told.record.changed, told.record.reason.as_str())).collect();
    assert_eq!(told, [(false, ""), (false, "REFUSED")]);
}

#[tokio::test]
async fn reads_cost_no_write_and_no_revision_and_are_told_together() {
    let world = World::new().await;
    let before = world.revision().await;
    world.fail_after(0);
    for _ in 0..5 {
        world.look(&world.operator, "accounts/acme/sites/1").await;
    }
    let masked = Principal { contacts: Contacts::Masked, ..world.operator.clone() };
    let agent = Principal { scope: Scope::Agent, ..world.operator.clone() };
    world.look(&masked, "accounts/acme/sites/2").await;
    world.look(&agent, "accounts/acme/sites/3").await;
    world.fail_after(1);
    world.waymark.write_notes().await.unwrap();
    world.fail_after(usize::MAX);
    world.look(&world.operator, "accounts/acme/sites/1").await;
    world.waymark.write_notes().await.unwrap();
    wait(HOUR);
    world.waymark.write_notes().await.unwrap();
    world.look(&world.operator, "accounts/acme/sites/1").await;
    world.waymark.write_notes().await.unwrap();
    let told = world.told(&world.of_account(), 1).await;
    assert_eq!(told.iter().map(|told| told.record.calls).collect::<Vec<_>>(), [1, 6]);
    assert!(told.iter().all(|told| told.record.resource == "accounts/acme/sites/1"), "{told:?}");
    assert_eq!(world.revision().await, before, "a read counts in the account's revisions");
}

#[tokio::test]
async fn pages_of_one_work_are_one_record() {
    let world = World::new().await;
    for page in 0..3 {
        let doing = world.waymark.create_token(&world.operator, world.viewer());
        world.call(&world.operator, IMPORT, "accounts/acme", doing).await.0.unwrap();
        assert_eq!(world.told(&world.of_account(), 10).await[0].record.calls, page + 1);
    }
    world.waymark.write_notes().await.unwrap();
    assert_eq!(world.told(&world.of_account(), 10).await.len(), 1);
}

/// A page whose batch was refused was told of as one that wrote, in the same record as those that did.
#[tokio::test]
async fn a_page_is_told_as_written_where_it_was_and_as_refused_where_it_was_not() {
    let world = World::new().await;
    let import = async || {
        let doing = world.waymark.create_token(&world.operator, world.viewer());
        world.call(&world.operator, IMPORT, "accounts/acme", doing).await.0.is_ok()
    };
    assert!(import().await);
    world.fail_after(0);
    assert!(!import().await);
    world.fail_after(usize::MAX);
    assert!(import().await);
    assert_eq!(
        world.outcomes().await,
        [(false, "REFUSED".to_owned(), 1), (true, String::new(), 1), (true, String::new(), 1)]
    );
}

/// It is told as unknown, and beside that as written where it was.
#[tokio::test]
async fn a_page_of_which_nobody_knows_is_told_as_unknown_and_no_other_is_counted_with_it() {
    for is_done in [false, true] {
        let world = World::new().await;
        let import = async || {
            let doing = async {
                // As a row: its refusal is in an answer.
                let _ = world.waymark.create_token(&world.operator, world.viewer()).await;
                Ok(())
            };
            world.call(&world.operator, IMPORT, "accounts/acme", doing).await.0.unwrap();
        };
        import().await;
        *world.store.unanswered.lock() = Some(is_done);
        import().await;
        import().await;
        let unknown = (false, "OUTCOME_UNKNOWN".to_owned(), 1_u64);
        let wrote = |calls: u64| (true, String::new(), calls);
        let expected = [unknown, wrote(1), wrote(if is_done { 2 } else { 1 })];
        assert_eq!(world.outcomes().await, expected, "{is_done}");
    }
}

#[tokio::test]
async fn pages_side_by_side_are_all_counted() {
    let world = World::new().await;
    let import = || {
        let doing = world.waymark.create_token(&world.operator, world.viewer());
        world.call(&world.operator, IMPORT, "accounts/acme", doing)
    };
    for _ in 0..3 {
        for (done, _) in futures_util::future::join_all((0..8).map(|_| import())).await {
            done.unwrap();
        }
    }
    let told = world.outcomes().await;
    assert!(told.len() <= 8 && told.iter().all(|(changed, ..)| *changed), "{told:?}");
    assert_eq!(told.iter().map(|(.., calls)| calls).sum::<u64>(), 24);
}

/// Two batches of one record that were under way together ended in any order, and the smaller count stayed.
#[tokio::test]
async fn counts_and_last_uses_take_nothing_back() {
    let world = World::new().await;
    world.look(&world.operator, "accounts/acme/sites/1").await;
    world.waymark.write_notes().await.unwrap();
    let written = world.store.scan(Range::all(None, Kind::Audit)).await.unwrap().swap_remove(0);
    let Document::Audit(mut further) = written.document.clone() else { panic!("{written:?}") };
    further.calls = 9;
    let late = vec![Mutation::replace(written.key, written.revision, Document::Audit(further))];
    let used = |at: Timestamp| Document::TokenUse(TokenUse { used_at: use_step(at) });
    let (key, begun) = (Key::operator(Kind::TokenUse, world.operator.token), now());
    let later = vec![Mutation::create(key.clone(), used(begun + HOUR))];
    world.look(&world.operator, "accounts/acme/sites/1").await;
    world.waymark.uses.note(world.operator.token, Scope::Admin, begun);
    world.overtake(late);
    world.overtake(later);
    world.waymark.write_notes().await.unwrap();
    assert_eq!(world.told(&world.of_account(), 10).await[0].record.calls, 9);
    assert_eq!(world.store.get(key).await.unwrap().unwrap().document, used(begun + HOUR));
}

/// What a call does in one partition went along, with its record, to the next one.
#[tokio::test]
async fn a_call_that_goes_on_in_another_partition_is_recorded_there() {
    let world = World::new().await;
    let doing = async {
        let taken = Key::of(&world.account, Kind::SiteName, "taken");
        let claim = Document::SiteName(NameClaim { site: SiteId::MIN });
        let there = Mutation::replace(taken, Revision(9), claim.clone());
        let refused = world.waymark.parts.store.commit(vec![there]).await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
        let elsewhere = Mutation::create(Key::operator(Kind::SiteName, "free"), claim);
        world.waymark.parts.store.commit(vec![elsewhere]).await.map_err(Error::from)
    };
    let (done, written) = world.call(&world.operator, CREATE, "", doing).await;
    assert_eq!(written, [(None, done.unwrap())]);
    let told = world.told(&AuditQuery::default(), 10).await;
    assert!(matches!(&told[..], [Audited { record, .. }] if record.changed && record.calls == 1), "{told:?}");
    assert!(world.told(&world.of_account(), 10).await.is_empty());
}

/// A program that reads a million sites one by one would fill the store.
#[tokio::test]
async fn many_things_of_one_token_are_one_record_behind_the_first() {
    let world = World::new().await;
    for site in 0..200 {
        world.look(&world.operator, &format!("accounts/acme/sites/{site}")).await;
    }
    world.waymark.write_notes().await.unwrap();
    let told = world.told(&world.of_account(), 100).await;
    assert_eq!(told.len(), 65);
    assert_eq!(told.iter().map(|told| told.record.calls).sum::<u64>(), 200);
    let rest = told.iter().find(|told| told.record.resource == "accounts/acme/sites/-").unwrap();
    assert_eq!(rest.record.calls, 136);
}

#[tokio::test]
async fn calls_beyond_all_bounds_are_counted_as_lost() {
    let world = World::new().await;
    let token = |number: u64| format!("{number:016x}").parse().unwrap();
    for number in 1..=16_385 {
        let by = Principal { token: token(number), ..world.operator.clone() };
        world.look(&by, "accounts/acme/sites/1").await;
    }
    assert_eq!(world.waymark.audit_lost(), 1);
    world.waymark.write_notes().await.unwrap();
    let lost = AuditQuery { method: LOST.to_owned(), ..AuditQuery::default() };
    let told = world.told(&lost, 10).await;
    assert_eq!(told.iter().map(|told| told.record.calls).collect::<Vec<_>>(), [1]);
    assert_eq!(world.told(&world.of_account(), 1_000).await.len(), 16_384);
    wait(HOUR);
    world.waymark.write_notes().await.unwrap();
    world.look(&world.operator, "accounts/acme/sites/1").await;
    assert_eq!(world.waymark.audit_lost(), 1, "there is room again");
}

#[tokio::test]
async fn records_stand_with_whom_they_concern_and_are_found_by_time_token_and_method() {
    let world = World::new().await;
    let other: AccountId = "other".parse().unwrap();
    world.waymark.create_account(&world.operator, other.clone(), "", None).await.unwrap();
    let stranger = Principal {
        account: Some(other.clone()),
        token: "00000000000000aa".parse().unwrap(),
        ..world.operator.clone()
    };
    let begun = now();
    world.look(&world.operator, "accounts/acme/sites/1").await;
    wait(HOUR);
    let doing = async { Err::<(), _>(Error::Scope) };
    world.call(&stranger, CREATE, "accounts/acme", doing).await.0.unwrap_err();
    let doing = world.waymark.create_token(&world.operator, world.viewer());
    world.call(&world.operator, CREATE, "accounts/acme", doing).await.0.unwrap();
    world.waymark.write_notes().await.unwrap();
    let told = async |query: AuditQuery| {
        let told = world.told(&query, 1).await;
        told.into_iter().map(|told| told.record.method).collect::<Vec<_>>()
    };
    let of_acme = || world.of_account();
    assert_eq!(told(of_acme()).await, ["AdminService.CreateToken", "SiteService.GetSite"]);
    let at_home = AuditQuery { account: Some(other.clone()), ..AuditQuery::default() };
    assert_eq!(told(at_home.clone()).await, ["AdminService.CreateToken"], "a stranger's try stands at home");
    assert_eq!(world.told(&at_home, 1).await[0].record.resource, "", "and names nothing that is not there for them");
    assert!(told(AuditQuery::default()).await.is_empty(), "the operator's own");
    let later = begun + HOUR / 2;
    assert_eq!(told(AuditQuery { since: Some(later), ..of_acme() }).await, ["AdminService.CreateToken"]);
    assert_eq!(told(AuditQuery { until: Some(later), ..of_acme() }).await, ["SiteService.GetSite"]);
    let of_method = AuditQuery { method: "SiteService.GetSite".into(), ..of_acme() };
    assert_eq!(told(of_method).await, ["SiteService.GetSite"]);
    let by = |account: Option<AccountId>, token| AuditQuery { token: Some((account, token)), ..of_acme() };
    assert_eq!(told(by(None, world.operator.token)).await.len(), 2);
    assert!(told(by(Some(other), world.operator.token)).await.is_empty());
    for denied in [Principal { scope: Scope::Viewer, ..world.operator.clone() }, stranger] {
        let page = PageRequest::default();
        assert!(world.waymark.list_audit_records(&denied, &of_acme(), &page).await.is_err(), "{denied:?}");
    }
}

#[tokio::test]
async fn records_go_after_their_time() {
    let world = World::new().await;
    for _ in 0..300 {
        let doing = world.waymark.create_token(&world.operator, world.viewer());
        world.call(&world.operator, CREATE, "accounts/acme", doing).await.0.unwrap();
    }
    world.look(&world.operator, "accounts/acme/sites/1").await;
    world.look(&world.operator, "").await;
    world.waymark.write_notes().await.unwrap();
    wait(SignedDuration::from_hours(399 * 24));
    world.look(&world.operator, "accounts/acme/sites/2").await;
    world.waymark.write_notes().await.unwrap();
    let sweep = async || world.waymark.sweep_audit(std::time::Duration::ZERO).await.unwrap();
    assert_eq!(sweep().await, 0);
    wait(SignedDuration::from_hours(2 * 24));
    assert_eq!(sweep().await, 302);
    let left = world.told(&world.of_account(), 1_000).await;
    assert_eq!(left.iter().map(|told| told.record.resource.as_str()).collect::<Vec<_>>(), ["accounts/acme/sites/2"]);
    assert!(world.told(&AuditQuery::default(), 10).await.is_empty());
}

#[tokio::test]
async fn a_record_that_cannot_be_read_hides_no_other() {
    let world = World::new().await;
    for site in 0..4 {
        world.look(&world.operator, &format!("accounts/acme/sites/{site}")).await;
    }
    world.waymark.write_notes().await.unwrap();
    let range = Range::all(None, Kind::Audit);
    let damaged = world.store.scan(range).await.unwrap().swap_remove(1).key.id;
    world.store.corrupt_in_scans.lock().push(damaged);
    assert_eq!(world.told(&world.of_account(), 2).await.len(), 3);
}
