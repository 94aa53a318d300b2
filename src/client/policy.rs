//! The rules that all clients of waymark share, out of `clients/policy.json`: what is repeated, how long is waited, what is advised.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use serde::Deserialize;
use tonic::Code;

use super::backoff::Backoff;
use super::error::{Advice, Error};
use crate::api::protocol::CODES;

/// What stands before the service in the path of a method.
const PACKAGE: &str = "/waymark.v1.";

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../clients/policy.json")).expect("a test reads the rules that are built in")
});

/// The rules.
pub(super) fn policy() -> &'static Policy {
    &POLICY
}

/// A method that the rules do not name, such as of gRPC's health service: handed on as it is.
static UNKNOWN: Method = Method { kind: Kind::Once, deadline: String::new(), key: None, streams: Some(Streams::Both) };

/// What is repeated, how long is waited, what is advised.
#[derive(Debug, Deserialize)]
pub(super) struct Policy {
    deadlines_ms: HashMap<String, Option<u64>>,
    pub(super) backoff: CallWaits,
    pub(super) watch: WatchWaits,
    lost_codes: Vec<String>,
    repeats: Vec<Repeat>,
    advice: Vec<AdviceRule>,
    methods: HashMap<String, Method>,
}

/// The waits between two attempts at one call.
#[derive(Debug, Deserialize)]
pub(super) struct CallWaits {
    #[serde(flatten)]
    pub(super) waits: Backoff,
    asked_longest_ms: u64,
}

/// The waits between two streams of one watch.
#[derive(Debug, Deserialize)]
pub(super) struct WatchWaits {
    #[serde(flatten)]
    pub(super) waits: Backoff,
    silence_ms: u64,
    codes: Vec<String>,
}

/// What a repeat of a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Nothing: the call changes nothing.
    Read,
    /// It says the same state once more.
    State,
    /// Nothing, because the server knows it by a key in the request.
    Keyed,
    /// More, or it fails although the first call was done.
    Once,
}

/// Which side of a call is a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Streams {
    /// The answer.
    Answers,
    /// Requests and answers.
    Both,
}

/// The rules for one method.
#[derive(Debug, Deserialize)]
pub(super) struct Method {
    pub(super) kind: Kind,
    deadline: String,
    /// The field that gets a key where the caller gave none, by its path in the request.
    pub(super) key: Option<String>,
    pub(super) streams: Option<Streams>,
}

/// Which calls are repeated after an error. Of several that fit, the first counts.
#[derive(Debug, Deserialize)]
struct Repeat {
    code: String,
    /// Any where empty.
    #[serde(default)]
    reasons: Vec<String>,
    /// Whether only errors fit that say when to ask again.
    #[serde(default)]
    asked: bool,
    kinds: Vec<Kind>,
}

/// What to do about errors.
#[derive(Debug, Deserialize)]
struct AdviceRule {
    advice: Advice,
    /// Those that count before any code does.
    reasons: Vec<String>,
    codes: Vec<String>,
    text: String,
}

impl Policy {
    /// The rules for the method with this path.
    pub(super) fn method(&self, path: &str) -> &Method {
        path.strip_prefix(PACKAGE).and_then(|name| self.methods.get(name)).unwrap_or(&UNKNOWN)
    }

    /// How long a call of a method may take; `None` for as long as it lasts.
    pub(super) fn time(&self, method: &Method) -> Option<Duration> {
        self.deadlines_ms.get(&method.deadline).copied().flatten().map(Duration::from_millis)
    }

    /// The longest wait that a client obeys when a server asks for it.
    pub(super) fn asked_longest(&self) -> Duration {
        Duration::from_millis(self.backoff.asked_longest_ms)
    }

    /// Who hears nothing on a watch for so long has lost its connection.
    pub(super) fn silence(&self) -> Duration {
        Duration::from_millis(self.watch.silence_ms)
    }

    /// Whether a code without a reason of waymark's means that the connection, or something on the way, broke.
    pub(super) fn is_lost(&self, code: Code) -> bool {
        self.lost_codes.iter().any(|lost| lost == name_of(code))
    }

    /// Whether a call of this kind is made again after an error.
    pub(super) fn repeats(&self, kind: Kind, error: &Error) -> bool {
        let rule = self.repeats.iter().find(|rule| rule.fits(error));
        rule.is_some_and(|rule| rule.kinds.contains(&kind))
    }

    /// Whether a watch goes on after an error.
    pub(super) fn resumes(&self, error: &Error) -> bool {
        self.watch.codes.iter().any(|code| code == name_of(error.counted_as()))
    }

    /// What to do about an error, as a word and as a sentence.
    pub(super) fn advice(&self, error: &Error) -> (Advice, &str) {
        let of_reason =
            || self.advice.iter().find(|rule| rule.reasons.iter().any(|reason| reason == error.reason_name()));
        let of_loss = || self.advice.iter().find(|rule| error.is_lost() && rule.advice == Advice::Look);
        let of_code = || self.advice.iter().find(|rule| rule.codes.iter().any(|code| code == name_of(error.code())));
        let rule = of_reason().or_else(of_loss).or_else(of_code);
        rule.map_or((Advice::Report, ""), |rule| (rule.advice, rule.text.as_str()))
    }
}

impl Repeat {
    fn fits(&self, error: &Error) -> bool {
        self.code == name_of(error.counted_as())
            && (self.reasons.is_empty() || self.reasons.iter().any(|reason| reason == error.reason_name()))
            && (!self.asked || error.retry_after().is_some())
    }
}

/// The name of a code as gRPC writes it.
fn name_of(code: Code) -> &'static str {
    CODES[code as usize]
}

#[cfg(test)]
mod tests;
