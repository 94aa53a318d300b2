//! The audit log: what is told of a call, with what it is written, and that it stays bounded.

use super::*;
use crate::model::audit::LOST;
use crate::model::id::Revision;
use crate::service::Error;
use crate::service::audit::{AuditQuery, Audited, Class};
use crate::service::call::{self, Written};
use crate::service::paging::PageRequest;
use crate::service::tokens::NewToken;
use crate::store::Error as StoreError;

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
        NewToken {
            account: Some(self.account.clone()),
            scope: Scope::Viewer,
            display_name: "viewer".into(),
            expires_at: None,
            contacts: None,
        }
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
    for number in 1..=32_769 {
        let by = Principal { token: token(number), ..world.operator.clone() };
        world.look(&by, "accounts/acme/sites/1").await;
    }
    assert_eq!(world.waymark.audit_lost(), 1);
    world.waymark.write_notes().await.unwrap();
    let lost = AuditQuery { method: LOST.to_owned(), ..AuditQuery::default() };
    let told = world.told(&lost, 10).await;
    assert_eq!(told.iter().map(|told| told.record.calls).collect::<Vec<_>>(), [1]);
    assert!(world.told(&world.of_account(), 1_000).await.len() > 32_700);
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
