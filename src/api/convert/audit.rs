//! Audit records.

use super::access::scope;
use super::{parse_timestamp, timestamp};
use crate::api::names;
use crate::api::proto::waymark::v1 as pb;
use crate::model::Invalid;
use crate::model::id::AccountId;
use crate::service::audit::{AuditQuery, Audited};

/// A record.
pub(in crate::api) fn audit_record(Audited { id, record }: Audited) -> pb::AuditRecord {
    let actor = record.actor.as_ref();
    let token = actor.filter(|_| record.identity.is_empty());
    let by = actor.map_or(pb::TokenScope::Unspecified, |(_, _, by)| scope(*by));
    pb::AuditRecord {
        id,
        time: Some(timestamp(record.at)),
        last_time: Some(timestamp(record.last_at)),
        call_count: i64::try_from(record.calls).unwrap_or(i64::MAX),
        token: token.map(|(account, token, _)| names::of_token(account.as_ref(), *token)).unwrap_or_default(),
        scope: by.into(),
        method: record.method,
        resource: record.resource,
        error_reason: record.reason,
        changed: record.changed,
        identity: record.identity,
    }
}

/// Which records of an account, or of the operator's own, a request wants.
pub(in crate::api) fn parse_audit_query(
    account: Option<AccountId>,
    message: &pb::ListAuditRecordsRequest,
) -> Result<AuditQuery, Invalid> {
    let time = |field: &str, time: &Option<prost_types::Timestamp>| {
        time.as_ref().map(|time| parse_timestamp(field, time)).transpose()
    };
    let token = (!message.token.is_empty()).then(|| names::token("token", &message.token)).transpose()?;
    Ok(AuditQuery {
        account,
        since: time("start_time", &message.start_time)?,
        until: time("end_time", &message.end_time)?,
        token,
        identity: message.identity.clone(),
        method: message.method.clone(),
    })
}
