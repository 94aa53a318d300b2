//! `waymark whoami`: whose token this is, and what it may do.

use super::account::admin;
use super::client::{ServerArguments, explain};
use super::output::OutputArguments;
use super::sheet::word;
use crate::api::proto::waymark::v1 as pb;

/// Which server, and which token.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// Asks the server.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let answer = admin(&arguments.server)?.who_am_i(pb::WhoAmIRequest {}).await;
    let me = answer.map_err(|status| explain(&status))?.into_inner();
    let scope = word(me.scope().as_str_name(), "TOKEN_SCOPE_");
    let account = if me.account.is_empty() { "operator" } else { &me.account };
    let by = if me.identity.is_empty() { &me.token } else { &me.identity };
    arguments.output.tell_message(format_args!("{by}\t{scope}\t{account}\t{}", me.site), "WhoAmIResponse", &me)
}
