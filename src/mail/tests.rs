//! What names can do to a message: nothing. What a configuration may say.

use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::config::Config;
use super::message::{compose, link};
use super::smtp::Limits;
use super::*;

fn invitation(account: &str, site: &str) -> Invitation {
    Invitation {
        id: "0190b5a0".into(),
        to: "jo@example.org".into(),
        secret: "wmi_secret".into(),
        account: account.into(),
        support: "+44 20 7946 0000".into(),
        site: site.into(),
        until: "2026-12-05 10:00 UTC".into(),
    }
}

fn composed(account: &str, site: &str) -> String {
    let public = "https://waymark.example.com/".parse().unwrap();
    let message = compose(&"Way Mark <no-reply@example.com>".parse().unwrap(), &public, &invitation(account, site));
    String::from_utf8(message.unwrap().formatted()).unwrap()
}

/// Names of the headers, in their order.
fn headers(message: &str) -> Vec<String> {
    let (head, _) = message.split_once("\r\n\r\n").unwrap();
    let lines = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
    lines.map(|line| line.split_once(':').unwrap().0.to_lowercase()).collect()
}

proptest! {
    #[test]
    fn names_make_no_header(account in "\\PC{0,40}|[a-z\r\n: ]{0,40}", site in "[\\x00-\\x7f]{0,60}|\\PC{0,60}") {
        let plain = headers(&composed("Acme", "Home"));
        prop_assert_eq!(headers(&composed(&account, &site)), plain);
    }
}

#[test]
fn a_message_holds_text_and_html_and_an_id_of_its_own() {
    let message = composed("A<b>&\"c", "Home\r\nBcc: x@example.org");
    assert!(message.contains("Message-ID: <0190b5a0@example.com>"), "{message}");
    let (plain, html) = message.split_once("text/html").unwrap();
    assert!(plain.contains("text/plain") && plain.contains("A<b>&\"c gives you access"), "{message}");
    // Long lines are folded by a mark at their ends.
    let html = html.replace("=\r\n", "");
    assert!(html.contains("A&lt;b&gt;&amp;&quot;c") && !html.contains("<b>"), "{message}");
    assert!(!message.contains("\nBcc:"), "{message}");
    assert_eq!(link(&"https://a.example/x/".parse().unwrap(), "s"), "https://a.example/x/invitation#s");
}

#[test]
fn addresses_that_mail_does_not_go_to_are_refused() {
    assert!(check_address("owner_email", "jo@example.org").is_ok());
    for bad in ["", "jo", "jo@", "jo@exa mple.org", "jo@example.org\r\nBcc: x@y.z", "jö@example.org", "a@b@c"] {
        assert!(check_address("owner_email", bad).is_err(), "{bad:?}");
    }
}

/// What is wrong with a configuration, or nothing.
#[track_caller]
fn check(more: &str, expected: &str) {
    let base = "from = 'a@example.com'\n";
    let config: Config = toml::from_str(&format!("{base}{more}")).unwrap();
    let told = Mailer::open(&config).err().map(|fault| fault.to_string()).unwrap_or_default();
    assert!(told.starts_with(expected) && told.is_empty() == expected.is_empty(), "{more}: {told:?}");
}

#[test]
fn configurations_that_would_leak_are_refused() {
    let https = "public_url = 'https://x.example'\n";
    check(&format!("{https}host = 'mail.example.com'"), "");
    check(&format!("{https}host = 'mail.example.com'\ntls = 'none'"), "mail.tls: ");
    check(&format!("{https}host = '127.0.0.1'\ntls = 'none'"), "");
    check(&format!("{https}host = 'localhost'\nuser = 'u'"), "mail.user: ");
    check(&format!("{https}host = 'localhost'\nca_file = '/nowhere'"), "mail.ca_file: ");
    for url in ["http://x.example", "https://u:p@x.example", "https://x.example/?a", "https://x.example/#a", "x"] {
        check(&format!("public_url = '{url}'\nhost = 'localhost'"), "mail.public_url: ");
    }
    check("public_url = 'http://127.0.0.1:8642'\nhost = 'localhost'", "");
}

/// A mail server that says these lines, the first at once and each further one after a command, and then no more. It hangs
/// up behind a refusal.
async fn answering(listener: TcpListener, replies: &[&str]) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = BufReader::new(stream);
    for (at, reply) in replies.iter().enumerate() {
        let mut line = String::new();
        let is_content = at > 0 && replies[at - 1].starts_with("354");
        while at > 0 && (line.is_empty() || is_content && !line.ends_with("\r\n.\r\n")) {
            assert_ne!(stream.read_line(&mut line).await.unwrap(), 0, "the client left before {reply}");
        }
        stream.write_all(format!("{reply}\r\n").as_bytes()).await.unwrap();
    }
    if replies.last().is_some_and(|reply| reply.starts_with(['4', '5'])) {
        drop(stream);
    }
    // Else open, and silent.
    std::future::pending::<()>().await;
}

/// What becomes of a mail with a server that says this, and is asked for no TLS.
async fn sent(replies: &[&str]) -> Result<(), NotSent> {
    sent_with("none", replies).await
}

/// What becomes of a mail with a server that says this, with `mail.tls` as given.
async fn sent_with(tls: &str, replies: &[&str]) -> Result<(), NotSent> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = format!(
        "from = 'a@example.com'\npublic_url = 'https://x.example'\nhost = '127.0.0.1'\nport = {port}\ntls = '{tls}'"
    );
    let mut mailer = Mailer::open(&toml::from_str(&config).unwrap()).unwrap();
    // Long enough for a busy machine wherever the server answers, short where it does not.
    let is_silent = !matches!(replies.last(), Some(reply) if reply.starts_with(['4', '5']));
    let step = if is_silent { Duration::from_millis(500) } else { Duration::from_mins(1) };
    mailer.limits = Limits { step, taking: step, parting: Duration::from_millis(10) };
    let invitation = invitation("Acme", "Home");
    tokio::select! {
        () = answering(listener, replies) => unreachable!("it stays"),
        outcome = mailer.send(&invitation) => outcome,
    }
}

/// Each wait but the one for the connection had no end, so that one silent server stopped the mails of all accounts.
#[tokio::test]
async fn a_server_that_goes_silent_is_given_up() {
    let dialogue = ["220 a", "250 a", "250 sender", "250 recipient", "354 go on"];
    for count in 0..=dialogue.len() {
        assert_eq!(sent(&dialogue[..count]).await, Err(NotSent::Server(Trouble::TimedOut)), "{count} replies");
    }
    // A word on the message is all that counts: there is none on QUIT.
    assert_eq!(sent(&[&dialogue[..], &["250 taken"]].concat()).await, Ok(()));
}

/// A 554 greeting counted as a refusal of the mail that was on its turn, and so of each in the outbox.
#[tokio::test]
async fn a_reply_concerns_the_server_until_a_recipient_is_named() {
    let dialogue = ["220 a", "250 a", "250 sender", "250 recipient", "354 go on"];
    for count in 0..=dialogue.len() {
        for code in [421, 450, 550, 554] {
            let reply = format!("{code} no");
            let expected = match (count, code) {
                (0..=2, code) => NotSent::Server(Trouble::Rejected(code)),
                (_, 400..500) => NotSent::Later(code),
                _ => NotSent::Never(code),
            };
            let outcome = sent(&[&dialogue[..count], &[reply.as_str()]].concat()).await;
            assert_eq!(outcome, Err(expected), "{code} after {count} replies");
        }
    }
}

/// A 454 to STARTTLS counted as a refusal of this server's sender, and an operator looked in the wrong place.
#[tokio::test]
async fn a_server_that_does_no_tls_is_told_from_one_that_wants_no_mail() {
    let offers = "250-a\r\n250 STARTTLS";
    for (replies, expected) in [
        (&["220 a", "250 a"][..], Trouble::Tls),
        (&["220 a", offers, "454 no"][..], Trouble::Tls),
        (&["220 a", offers, "501 no"][..], Trouble::Tls),
        (&["220 a", offers, "421 no"][..], Trouble::Rejected(421)),
        (&["220 a", "454 no"][..], Trouble::Rejected(454)),
    ] {
        assert_eq!(sent_with("starttls", replies).await, Err(NotSent::Server(expected)), "{replies:?}");
    }
}
