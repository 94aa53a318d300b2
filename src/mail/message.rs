//! The text of an invitation, plain and as HTML. Whatever people typed is text in it, and never a header or markup.

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};

use crate::model::public_url::PublicUrl;

/// What an invitation says, to whom.
#[derive(Clone)]
pub struct Invitation {
    /// Names the message for ever, whoever sends it how often: mail servers may drop a second one.
    pub id: String,
    /// The resident's address.
    pub to: String,
    /// The secret of the link.
    pub secret: String,
    /// Who invites: the account's name for people.
    pub account: String,
    /// Whom to ask; may be empty.
    pub support: String,
    /// The site's name.
    pub site: String,
    /// Until when it can be accepted, for people.
    pub until: String,
}

impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invitation").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The link: its secret stands behind the `#`, which browsers send to nobody.
pub(super) fn link(public_url: &PublicUrl, secret: &str) -> String {
    format!("{}/invitation#{secret}", public_url.as_str())
}

/// The message; `None` where an address is none.
pub(super) fn compose(from: &Mailbox, public_url: &PublicUrl, invitation: &Invitation) -> Option<Message> {
    // A line in a header, whatever a name holds. They are checked when they are stated; this holds without that.
    let line = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
    let (account, site) = (line(&invitation.account), line(&invitation.site));
    let link = link(public_url, &invitation.secret);
    let ask = if invitation.support.is_empty() {
        format!("If you did not expect this mail, ignore it, or ask {account}.")
    } else {
        format!("If you did not expect this mail, ignore it, or ask {account}: {}", line(&invitation.support))
    };
    let said = Said { account: &account, site: &site, link: &link, until: &invitation.until, ask: &ask };
    let message = Message::builder()
        .message_id(Some(format!("<{}@{}>", invitation.id, from.email.domain())))
        .from(from.clone())
        .to(Mailbox::new(None, invitation.to.parse().ok()?))
        .subject(format!("{account} invites you to {site}"))
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .multipart(MultiPart::alternative_plain_html(said.plain(), said.html()));
    message.ok()
}

/// The parts of both forms.
struct Said<'a> {
    account: &'a str,
    site: &'a str,
    link: &'a str,
    until: &'a str,
    ask: &'a str,
}

impl Said<'_> {
    fn plain(&self) -> String {
        let Self { account, site, link, until, ask } = self;
        format!(
            "{account} gives you access to the devices of {site}.\n\n\
             To accept, open this link and press the button:\n\n{link}\n\n\
             It works once, until {until}. Whoever has it can accept: do not pass it on.\n\n{ask}\n"
        )
    }

    /// The file holds tables and styles at each element: readers of mail know little else.
    fn html(&self) -> String {
        format!(
            include_str!("invitation.html"),
            account = escape(self.account),
            site = escape(self.site),
            link = escape(self.link),
            until = escape(self.until),
            ask = escape(self.ask),
        )
    }
}

/// The text as HTML shows it.
fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}
