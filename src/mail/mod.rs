//! Mail: an invitation made into a message, and handed to the operator's mail server.
//!
//! Knows nothing of who is invited where and why; decides nothing of when it is tried again.

pub mod config;
mod message;
mod smtp;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;

use lettre::Address;

use crate::model::Invalid;

pub use message::Invitation;
pub use smtp::Mailer;

/// Why mail cannot be sent as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is not as it should be.
    #[error("mail.{setting}: {why}")]
    Setting {
        /// The key.
        setting: &'static str,
        /// What is wrong, and what is allowed.
        why: String,
    },
    /// A file cannot be used.
    #[error("mail.{setting}: {path}: {why}")]
    File {
        /// The key that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// Why a message was not taken. Holds nothing of it, and nothing that the mail server said: that may name the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSent {
    /// The server is not there, or cannot be trusted or does not trust us: the same for every message.
    Server(Trouble),
    /// The server does not take this one now (a 4xx reply to its recipient or to it).
    Later(u16),
    /// The server never takes this one (a 5xx reply to its recipient or to it).
    Never(u16),
}

/// What is wrong with the mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No connection, or it broke.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// No TLS that can be trusted.
    Tls,
    /// User and password are not taken.
    Login,
    /// It answers nobody now, or never: this reply came before any recipient was named.
    Rejected(u16),
}

impl NotSent {
    /// Which of them it is, as traces tell it.
    fn name(self) -> &'static str {
        match self {
            Self::Server(Trouble::Unreachable) => "UNREACHABLE",
            Self::Server(Trouble::TimedOut) => "TIMED_OUT",
            Self::Server(Trouble::Tls) => "TLS",
            Self::Server(Trouble::Login) => "LOGIN",
            Self::Server(Trouble::Rejected(_)) => "REJECTED",
            Self::Later(_) => "LATER",
            Self::Never(_) => "NEVER",
        }
    }
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(Trouble::Unreachable) => f.write_str("the mail server cannot be reached"),
            Self::Server(Trouble::TimedOut) => f.write_str("the mail server does not answer in time"),
            Self::Server(Trouble::Tls) => {
                f.write_str("the mail server has no TLS that can be trusted: see mail.ca_file")
            }
            Self::Server(Trouble::Login) => f.write_str("the mail server does not take mail.user and its password"),
            Self::Server(Trouble::Rejected(code)) => {
                write!(f, "the mail server refuses this server or mail.from ({code})")
            }
            Self::Later(code) => write!(f, "the mail server puts the message off ({code})"),
            Self::Never(code) => write!(f, "the mail server refuses the message ({code})"),
        }
    }
}

/// Whether mail can be sent to an address, which is stricter than what contacts may have.
pub fn check_address(field: &str, text: &str) -> Result<(), Invalid> {
    let is_good = text.is_ascii() && text.parse::<Address>().is_ok();
    let why = "mail cannot be sent to this address: it has the form name@domain, in ASCII";
    if is_good { Ok(()) } else { Err(Invalid::new(field, why)) }
}
