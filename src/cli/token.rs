//! `waymark token`.

mod certificate;

use std::path::PathBuf;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};

use super::account::admin;
use super::client::{ServerArguments, explain};
use super::output::OutputArguments;
use super::sheet::word;
use crate::api::proto::waymark::v1 as pb;
use crate::app;
use crate::config::Config;

/// What to do with tokens.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Scope {
    Admin,
    Editor,
    Viewer,
    Enrollment,
    Service,
    Wallboard,
    Field,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum Positions {
    Exact,
    Approximate,
    Hidden,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Makes a token and prints its secret, once; of one for a certificate, which has none, the name
    Create {
        /// The account it is good in; without, an operator's token
        #[arg(long)]
        account: Option<String>,
        /// What it may do
        #[arg(long)]
        scope: Scope,
        /// What it is for
        #[arg(long, default_value = "")]
        display_name: String,
        /// How long it is good, such as `30d`, `12h` or `90m`; for ever without
        #[arg(long)]
        expires: Option<String>,
        /// Mask contacts for it: e-mail addresses, names and phone numbers of people, and notes
        #[arg(long)]
        mask_contacts: bool,
        /// How exactly it shows where sites are: to about a kilometre, or not at all, is for viewers alone [default: exact]
        #[arg(long)]
        positions: Option<Positions>,
        /// The sites it is good for, by their labels, such as `labels.team = "north"`: for the scope field, which needs it
        #[arg(long, default_value = "")]
        assigned: String,
        #[command(flatten)]
        certificate: certificate::Arguments,
        #[command(flatten)]
        output: OutputArguments,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Lists the tokens of an account, or the operator's
    List {
        /// The account
        #[arg(long)]
        account: Option<String>,
        #[command(flatten)]
        output: OutputArguments,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Makes a new operator's token in the store, of a server that does not run where it is embedded, and prints it
    Reset {
        /// Configuration file of the server, TOML
        #[arg(long, env = "WAYMARK_CONFIG", required_unless_present = "data_dir")]
        config: Option<PathBuf>,
        /// Directory of the store
        #[arg(long, env = "WAYMARK_DATA_DIR")]
        data_dir: Option<PathBuf>,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Gives a token a new secret and prints it, once; the present one stays good for a while
    Rotate {
        /// Its name, as `list` shows it
        name: String,
        /// For how long the present secret stays good, such as `7d`, `12h`, or `0m` for not at all; a day without
        #[arg(long)]
        overlap: Option<String>,
        /// A UUID by which a repeat is known: it prints the same secret again
        #[arg(long, default_value = "")]
        request_id: String,
        #[command(flatten)]
        output: OutputArguments,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Ends a token at once
    Revoke {
        /// Its name, as `list` shows it
        name: String,
        #[command(flatten)]
        output: OutputArguments,
        #[command(flatten)]
        server: ServerArguments,
    },
}

/// Does it.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Create {
            account,
            scope,
            display_name,
            expires,
            mask_contacts,
            positions,
            assigned,
            certificate,
            output,
            server,
        } => {
            let expire_time = expires.as_deref().map(end_of).transpose()?;
            // Without the option as the caller's own token.
            let contacts = if mask_contacts { pb::ContactAccess::Masked } else { pb::ContactAccess::Unspecified };
            let token = pb::Token {
                display_name,
                scope: scope_of(scope).into(),
                expire_time,
                contacts: contacts.into(),
                positions: positions_of(positions).into(),
                assigned,
                certificate: certificate.binding()?,
                ..pb::Token::default()
            };
            create(account.as_deref(), token, output, &server).await
        }
        Command::Reset { config, data_dir, output } => {
            let mut config = config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
            config.data_dir = data_dir.unwrap_or(config.data_dir);
            let secret = app::operator::reset(&config).await?;
            output.tell(&secret, serde_json::json!({ "secret": secret }))
        }
        Command::List { account, output, server } => list(account.as_deref(), output, &server).await,
        Command::Rotate { name, overlap, request_id, output, server } => {
            let overlap = overlap.as_deref().map(length_of).transpose()?;
            let overlap = overlap.map(|length| prost_types::Duration { seconds: length.as_secs(), nanos: 0 });
            let request = pb::RotateTokenRequest { name, overlap, request_id };
            let rotated = admin(&server)?.rotate_token(request).await.map_err(|status| explain(&status))?.into_inner();
            output.tell_message(&rotated.secret, "RotateTokenResponse", &rotated)
        }
        Command::Revoke { name, output, server } => {
            let revoked = admin(&server)?.revoke_token(pb::RevokeTokenRequest { name }).await;
            let revoked = revoked.map_err(|status| explain(&status))?.into_inner();
            output.tell_message(&revoked.name, "Token", &revoked)
        }
    }
}

async fn create(
    account: Option<&str>,
    token: pb::Token,
    output: OutputArguments,
    server: &ServerArguments,
) -> anyhow::Result<()> {
    let request = pb::CreateTokenRequest { parent: parent_of(account), token: Some(token) };
    let made = admin(server)?.create_token(request).await.map_err(|status| explain(&status))?.into_inner();
    let name = made.token.as_ref().map(|token| token.name.as_str()).unwrap_or_default();
    let shown = if made.secret.is_empty() { name } else { made.secret.as_str() };
    output.tell_message(shown, "CreateTokenResponse", &made)
}

async fn list(account: Option<&str>, output: OutputArguments, server: &ServerArguments) -> anyhow::Result<()> {
    let mut admin = admin(server)?;
    let mut request = pb::ListTokensRequest { parent: parent_of(account), ..pb::ListTokensRequest::default() };
    loop {
        let page = admin.list_tokens(request.clone()).await.map_err(|status| explain(&status))?.into_inner();
        for token in page.tokens {
            let state = match (&token.revoke_time, &token.expire_time) {
                (Some(_), _) => "revoked".to_owned(),
                (None, Some(end)) => format!("until {}", Timestamp::new(end.seconds, end.nanos)?),
                (None, None) => "for ever".to_owned(),
            };
            let scope = word(token.scope().as_str_name(), "TOKEN_SCOPE_");
            let last_use = token.last_use_time.map_or_else(
                || Ok("no use known".to_owned()),
                |last| Timestamp::new(last.seconds, last.nanos).map(|last| format!("used {last}")),
            )?;
            let line = format!("{}\t{scope}\t{state}\t{}\t{last_use}", token.name, token.display_name);
            output.tell_message(line, "Token", &token)?;
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}

pub(super) fn parent_of(account: Option<&str>) -> String {
    account.map(|account| format!("accounts/{account}")).unwrap_or_default()
}

fn scope_of(scope: Scope) -> pb::TokenScope {
    match scope {
        Scope::Admin => pb::TokenScope::Admin,
        Scope::Editor => pb::TokenScope::Editor,
        Scope::Viewer => pb::TokenScope::Viewer,
        Scope::Enrollment => pb::TokenScope::Enrollment,
        Scope::Service => pb::TokenScope::Service,
        Scope::Wallboard => pb::TokenScope::Wallboard,
        Scope::Field => pb::TokenScope::Field,
    }
}

pub(super) fn positions_of(positions: Option<Positions>) -> pb::PositionAccess {
    match positions {
        None => pb::PositionAccess::Unspecified,
        Some(Positions::Exact) => pb::PositionAccess::Exact,
        Some(Positions::Approximate) => pb::PositionAccess::Approximate,
        Some(Positions::Hidden) => pb::PositionAccess::Hidden,
    }
}

/// The time so far from now.
pub(super) fn end_of(life: &str) -> anyhow::Result<prost_types::Timestamp> {
    let end = Timestamp::now().checked_add(length_of(life)?)?;
    Ok(prost_types::Timestamp { seconds: end.as_second(), nanos: end.subsec_nanosecond() })
}

/// A length of time as people write it, where days have 24 hours.
fn length_of(life: &str) -> anyhow::Result<SignedDuration> {
    let (number, unit) = life.split_at(life.find(|c: char| !c.is_ascii_digit()).unwrap_or(life.len()));
    let unit_minutes = match unit {
        "d" => Some(24 * 60),
        "h" => Some(60),
        "m" => Some(1),
        _ => None,
    };
    let minutes = number.parse::<i64>().ok().zip(unit_minutes).and_then(|(number, unit)| number.checked_mul(unit));
    let minutes = minutes.with_context(|| format!("a time is like 30d, 12h or 90m, got {life:?}"))?;
    Ok(SignedDuration::from_secs(minutes.saturating_mul(60)))
}
