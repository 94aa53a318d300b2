//! What every engine does with the audit log and with uses of tokens.

use super::*;
use crate::model::access::Scope;
use crate::model::audit::AuditRecord;
use crate::store::document::TokenUse;

/// A record is in the batch that it tells of, or in the operator's partition behind the account's id; uses
/// of tokens are in that one, too. No start reads either.
pub(super) async fn records_go_with_what_they_tell_of(store: &dyn Store) {
    let account: AccountId = "acme".parse().unwrap();
    let record = |method: &str| {
        Document::Audit(Box::new(AuditRecord {
            at: jiff::Timestamp::UNIX_EPOCH,
            last_at: jiff::Timestamp::UNIX_EPOCH,
            calls: 1,
            actor: Some((Some("acme".parse().unwrap()), TokenId::MIN, Scope::Admin)),
            identity: String::new(),
            method: method.to_owned(),
            resource: String::new(),
            reason: String::new(),
            changed: true,
        }))
    };
    let beside = Key::of(&account, Kind::Audit, "0001-a");
    let batch = vec![Mutation::create(key(1), document(1)), Mutation::create(beside.clone(), record("write"))];
    let revision = store.commit(batch).await.unwrap();
    let refused = vec![
        Mutation::create(key(1), document(2)),
        Mutation::create(Key::of(&account, Kind::Audit, "2"), record("no")),
    ];
    assert!(matches!(store.commit(refused).await, Err(Error::Conflict { .. })));
    let uses = TokenUse { used_at: jiff::Timestamp::UNIX_EPOCH };
    let apart = |id: &str| Mutation::create(Key::operator(Kind::Audit, id), record(id));
    let used = Mutation::create(Key::operator(Kind::TokenUse, TokenId::MIN), Document::TokenUse(uses.clone()));
    store
        .commit(vec![apart("acme/0001"), apart("acme/0002"), apart("acme2/0001"), apart("/0001"), used])
        .await
        .unwrap();
    let found = store.get(beside).await.unwrap().unwrap();
    assert_eq!((found.revision, found.document), (revision, record("write")));
    let found = store.get(Key::operator(Kind::TokenUse, TokenId::MIN)).await.unwrap().unwrap();
    assert_eq!(found.document, Document::TokenUse(uses));
    let scanned = async |partition: Option<AccountId>, prefix: &str| {
        let range = Range { prefix: prefix.to_owned(), descending: true, ..Range::all(partition, Kind::Audit) };
        store.scan(range).await.unwrap().into_iter().map(|record| record.key.id).collect::<Vec<_>>()
    };
    assert_eq!(scanned(None, "acme/").await, ["acme/0002", "acme/0001"]);
    assert_eq!(scanned(None, "/").await, ["/0001"]);
    assert_eq!(scanned(Some(account), "").await, ["0001-a"]);
    let loaded: Arc<Mutex<usize>> = Arc::default();
    let count = Arc::clone(&loaded);
    store.load(vec![Box::new(move |_| *count.lock() += 1)]).await.unwrap();
    assert_eq!(*loaded.lock(), 0, "a start reads the audit log");
}
