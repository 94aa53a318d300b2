//! What Redis' refusals mean for a write: not done and worth another try, not done for want of room, or not known.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::super::Error;

/// What became of a command that was refused or not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It was not done; another node, or this one a moment later, does it.
    NotNow(String),
    /// It was not done: there is no room.
    NoRoom(String),
    /// It was not done, and trying again does not help.
    Refused(String),
    /// Nobody answered: it may be done, or still be.
    Unknown(String),
}

impl Trouble {
    /// What `cause` says of a command that was sent.
    pub(super) fn of(cause: &RedisError) -> Self {
        let text = match cause.kind() {
            // It names the other node's address, which is no caller's to know.
            ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask) => {
                format!("{}: another node has it now", cause.code().unwrap_or_default())
            }
            _ => cause.to_string(),
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
                Some("OOM" | "MISCONF") => Self::NoRoom(text),
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
            Self::NoRoom(text) => Error::NoRoom { cause: text },
            Self::NotNow(cause) | Self::Refused(cause) | Self::Unknown(cause) => Error::Unavailable { cause },
        }
    }

    /// As the caller of a write hears it.
    pub(super) fn told(self) -> Error {
        match self {
            Self::NoRoom(cause) => Error::NoRoom { cause },
            Self::NotNow(cause) | Self::Refused(cause) => Error::Unavailable { cause },
            Self::Unknown(cause) => Error::Unknown { cause },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: &str) -> Trouble {
        Trouble::of(&redis::make_extension_error(code.to_owned(), Some("detail".to_owned())))
    }

    #[test]
    fn codes_of_redis_mean_what_they_say() {
        for code in ["OOM", "MISCONF"] {
            assert!(matches!(told(code), Trouble::NoRoom(_)), "{code}");
        }
        for code in ["BUSY", "NOREPLICAS", "NOAUTH"] {
            assert!(matches!(told(code), Trouble::NotNow(_)), "{code}");
        }
        for code in ["NOPERM", "WRONGTYPE", "ERR"] {
            assert!(matches!(told(code), Trouble::Refused(_)), "{code}");
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
