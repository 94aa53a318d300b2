//! What Redis' refusals mean for a write: not done and worth another try, not done for want of room or for damage, or not known.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::super::{Error, faults};

/// Where what is damaged stands, for who reads of it.
pub(super) const PLACE: &str = "Redis";
/// By this our scripts say that the index of ids is something else, or gone.
const INDEX: &str = "INDEX";
/// By these codes Redis, or a script of ours, says that a key is not what waymark makes it.
const DAMAGES: [&str; 3] = ["WRONGTYPE", "DAMAGED", INDEX];

/// What became of a command that was refused or not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It was not done; another node, or this one a moment later, does it.
    NotNow(String),
    /// It was not done: there is no room.
    NoRoom(String),
    /// It was not done, and trying again does not help.
    Refused(String),
    /// It was not done: a key of ours is not what waymark makes it.
    Damaged(String),
    /// Nobody answered: it may be done, or still be.
    Unknown(String),
}

impl Trouble {
    /// What `cause` says of a command that was sent.
    pub(super) fn of(cause: &RedisError) -> Self {
        if let Some(text) = damage_of(cause) {
            return Self::Damaged(text);
        }
        let text = match cause.kind() {
            // It names the other node's address, which is no caller's to know.
            ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask) => {
                format!("{}: another node has it now", cause.code().unwrap_or_default())
            }
            // Redis writes sentences; others go on behind it.
            _ => cause.to_string().trim_end_matches('.').to_owned(),
        };
        match cause.kind() {
            ErrorKind::Server(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::NoScript
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly
                // A transaction of which a part was refused, for one of the reasons above: none of it was done.
                | ServerErrorKind::ExecAbort,
            ) => Self::NotNow(text),
            ErrorKind::Server(_) | ErrorKind::Extension => match cause.code() {
                Some("OOM") => Self::NoRoom(format!("{text}: give Redis more memory, and writes go on by themselves")),
                Some("MISCONF") => Self::NoRoom(format!("{text}: look at its log, and give its files room")),
                // A new connection says who it is.
                Some("BUSY" | "NOREPLICAS" | "NOAUTH" | "UNBLOCKED") => Self::NotNow(text),
                _ => Self::Refused(text),
            },
            ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig => Self::Refused(text),
            _ => Self::Unknown(text),
        }
    }

    /// What `cause` says where nothing was sent that changes anything.
    pub(super) fn of_read(cause: &RedisError) -> Error {
        match Self::of(cause) {
            Self::Unknown(cause) => Error::Unavailable { cause },
            trouble => trouble.told(),
        }
    }

    /// As the caller of a write hears it.
    pub(super) fn told(self) -> Error {
        match self {
            Self::NoRoom(cause) => Error::NoRoom { cause },
            Self::Damaged(cause) => faults::damaged(PLACE, cause),
            Self::NotNow(cause) | Self::Refused(cause) => Error::Unavailable { cause },
            Self::Unknown(cause) => Error::Unknown { cause },
        }
    }

    /// Whether records may be found without the index that is damaged.
    pub(super) fn is_of_index(&self) -> bool {
        matches!(self, Self::Damaged(text) if text.starts_with(INDEX))
    }
}

/// The same of what [`Trouble::of_read`] gave.
pub(super) fn is_of_index(error: &Error) -> bool {
    matches!(error, Error::Damaged { cause, .. } if cause.starts_with(INDEX))
}

/// What Redis says of a key that is not what waymark makes it, be it of one command or among the answers to several.
fn damage_of(cause: &RedisError) -> Option<String> {
    let errors = cause.clone().into_server_errors()?;
    let (_, error) = errors.iter().find(|(_, error)| DAMAGES.contains(&error.code()))?;
    Some(format!("{}: {}", error.code(), error.details().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: &str) -> Trouble {
        Trouble::of(&redis::make_extension_error(code.to_owned(), Some("detail".to_owned())))
    }

    #[test]
    fn codes_of_redis_mean_what_they_say() {
        for (code, advice) in [("OOM", "more memory"), ("MISCONF", "look at its log")] {
            let told = Trouble::of(&redis::make_extension_error(code.to_owned(), Some("it is so.".to_owned())));
            let is_told = matches!(&told, Trouble::NoRoom(text) if text.contains(advice) && !text.contains("so."));
            assert!(is_told, "{code}: {told:?}");
        }
        for code in ["BUSY", "NOREPLICAS", "NOAUTH"] {
            assert!(matches!(told(code), Trouble::NotNow(_)), "{code}");
        }
        for code in ["NOPERM", "ERR"] {
            assert!(matches!(told(code), Trouble::Refused(_)), "{code}");
        }
        for code in DAMAGES {
            let told = told(code);
            assert_eq!(told, Trouble::Damaged(format!("{code}: detail")));
            assert_eq!(told.is_of_index(), code == "INDEX");
            assert_eq!(is_of_index(&told.told()), code == "INDEX");
        }
        for code in ["MOVED", "ASK"] {
            let answer = format!("-{code} 7 192.0.2.1:6379\r\n");
            let told = match redis::parse_redis_value(answer.as_bytes()).and_then(redis::Value::extract_error) {
                Err(cause) => Trouble::of(&cause),
                Ok(value) => panic!("{value:?}"),
            };
            let is_told = matches!(&told, Trouble::NotNow(text) if text.contains(code) && !text.contains("192.0.2.1"));
            assert!(is_told, "{told:?}");
        }
        let silent = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert!(matches!(Trouble::of(&silent), Trouble::Unknown(_)));
    }
}
