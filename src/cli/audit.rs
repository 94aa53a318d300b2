//! `waymark audit`.

use jiff::Timestamp;

use super::client::{ServerArguments, explain};
use super::output::OutputArguments;
use super::sheet::word;
use super::token::parent_of;
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::audit_service_client::AuditServiceClient;
use crate::model::audit::LOST;

/// Records asked for at once.
const PAGE_SIZE: i32 = 1_000;

/// What to do with the audit log.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Lists who administered what, and who read of persons, the newest first
    List(ListArguments),
}

#[derive(Debug, clap::Args)]
struct ListArguments {
    /// The account; without, what was done outside of accounts
    #[arg(long)]
    account: Option<String>,
    /// Only what was not done before this time, such as 2026-11-01T00:00:00Z
    #[arg(long)]
    since: Option<Timestamp>,
    /// Only what was done before this time
    #[arg(long)]
    until: Option<Timestamp>,
    /// Only what was done with this token, by its name
    #[arg(long, default_value = "")]
    by: String,
    /// Only what was done by this identity, `issuer|subject`
    #[arg(long, default_value = "")]
    by_identity: String,
    /// Only this method, such as AdminService.CreateToken
    #[arg(long, default_value = "")]
    method: String,
    /// At most so many records
    #[arg(long, default_value_t = 1_000)]
    limit: usize,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// Does it.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Command::List(arguments) = arguments.command;
    list(arguments).await
}

async fn list(arguments: ListArguments) -> anyhow::Result<()> {
    let time = |time: Timestamp| prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() };
    let mut request = pb::ListAuditRecordsRequest {
        parent: parent_of(arguments.account.as_deref()),
        page_size: i32::try_from(arguments.limit).unwrap_or(PAGE_SIZE).min(PAGE_SIZE),
        page_token: String::new(),
        start_time: arguments.since.map(time),
        end_time: arguments.until.map(time),
        token: arguments.by,
        method: arguments.method,
        identity: arguments.by_identity,
    };
    let mut service = AuditServiceClient::new(arguments.server.connect()?);
    let mut left = arguments.limit;
    loop {
        let page = service.list_audit_records(request.clone()).await.map_err(|status| explain(&status))?.into_inner();
        for record in page.records.iter().take(left) {
            arguments.output.tell_message(line(record)?, "AuditRecord", record)?;
        }
        left = left.saturating_sub(page.records.len());
        if page.next_page_token.is_empty() || left == 0 {
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}

/// A record as a line: when, by which token or identity and scope, which method, on what, how it ended, how often.
fn line(record: &pb::AuditRecord) -> anyhow::Result<String> {
    let at = record.time.unwrap_or_default();
    let at = Timestamp::new(at.seconds, at.nanos)?;
    let scope = word(record.scope().as_str_name(), "TOKEN_SCOPE_");
    let outcome = match (record.error_reason.as_str(), record.changed) {
        _ if record.method == LOST => "not kept",
        ("", true) => "wrote",
        ("", false) => "ok",
        (reason, _) => reason,
    };
    let by = if record.identity.is_empty() { &record.token } else { &record.identity };
    let (method, resource, calls) = (&record.method, &record.resource, record.call_count);
    Ok(format!("{at}\t{by}\t{scope}\t{method}\t{resource}\t{outcome}\t{calls}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_that_says_how_it_ended() {
        let mut record = pb::AuditRecord {
            time: Some(prost_types::Timestamp { seconds: 0, nanos: 0 }),
            call_count: 2,
            token: "tokens/1".into(),
            scope: pb::TokenScope::Admin.into(),
            method: "SiteService.GetSite".into(),
            resource: "accounts/acme/sites/1".into(),
            ..pb::AuditRecord::default()
        };
        let begin = "1970-01-01T00:00:00Z\ttokens/1\tadmin\tSiteService.GetSite\taccounts/acme/sites/1";
        assert_eq!(line(&record).unwrap(), format!("{begin}\tok\t2"));
        record.changed = true;
        assert_eq!(line(&record).unwrap(), format!("{begin}\twrote\t2"));
        let lost =
            pb::AuditRecord { time: record.time, method: LOST.into(), call_count: 7, ..pb::AuditRecord::default() };
        assert_eq!(line(&lost).unwrap(), "1970-01-01T00:00:00Z\t\tunspecified\tlost\t\tnot kept\t7");
        record.error_reason = "SCOPE_INSUFFICIENT".into();
        assert_eq!(line(&record).unwrap(), format!("{begin}\tSCOPE_INSUFFICIENT\t2"));
        (record.token, record.identity) = (String::new(), "https://id.example.com|anna".into());
        assert!(line(&record).unwrap().contains("\thttps://id.example.com|anna\tadmin\t"));
    }
}
