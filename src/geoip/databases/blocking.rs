//! What blocks on a file, in the threads for it: it has a time, and its panics are errors of the file.
//!
//! A network file system whose server is gone may hold whoever asks it for ever. So nobody waits longer than the time,
//! and as long as a thread is held by a file nothing else is begun for it: a file costs one thread at most.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;

use super::Databases;
use crate::geoip::database::Fingerprint;
use crate::geoip::error::Error;

/// For so long the state of a file is waited for: a system that is there tells it in milliseconds.
const LOOK_TIME_MAX: Duration = Duration::from_secs(2);
/// For so long the bytes of a file are waited for: 1 GiB at 4 MB/s.
pub(super) const READ_TIME_MAX: Duration = Duration::from_mins(5);

impl Databases {
    /// The state of a slot's file.
    pub(super) async fn look_at(&self, at: usize) -> Result<Fingerprint, Error> {
        let path = self.path(at);
        let look = move || Fingerprint::of(&path).map_err(|source| Error::Unreadable { path, source });
        self.within(at, LOOK_TIME_MAX, look).await
    }

    /// What `work`, which may block and panic, makes of a slot's file within the time.
    pub(super) async fn within<T: Send + 'static>(
        &self,
        at: usize,
        time_max: Duration,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let path = self.path(at);
        if self.slots.lock()[at].is_held() {
            return Err(Error::silent(path, "the system has not answered the last question yet".to_owned()));
        }
        let working = spawn_blocking(work);
        // Before it is waited for: who waits may go away.
        self.slots.lock()[at].work = Some(working.abort_handle());
        match timeout(time_max, working).await {
            Ok(Ok(made)) => made,
            Ok(Err(ended)) => Err(broken_off(path, ended)),
            Err(_) => Err(Error::silent(path, format!("the system did not answer within {time_max:?}"))),
        }
    }

    fn path(&self, at: usize) -> PathBuf {
        self.slots.lock()[at].file.path.clone()
    }
}

/// What became of work without a result: it panicked, or the server ends.
fn broken_off(path: PathBuf, ended: JoinError) -> Error {
    match ended.try_into_panic() {
        Ok(panic) => Error::panicked(path, &*panic),
        Err(ended) => Error::Unreadable { path, source: io::Error::other(ended) },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use jiff::Timestamp;

    use super::*;
    use crate::geoip::config::Config;
    use crate::geoip::database::Database;
    use crate::geoip::error::FailureReason;
    use crate::geoip::fixture::{Fixture, flat};
    use crate::geoip::opening::open_each_by;

    fn databases() -> Databases {
        Databases::open(&Config::of_files(["nowhere.mmdb".into()]), Timestamp::now).unwrap()
    }

    #[tokio::test]
    async fn a_file_system_that_does_not_answer_is_not_waited_for() {
        let databases = databases();
        let (answer, hanging) = channel::<()>();
        let hang = move || Ok(hanging.recv().is_ok());
        let fault = databases.within(0, Duration::from_millis(20), hang).await.unwrap_err();
        assert_eq!(fault.failure_reason(), FailureReason::Unreadable);
        let told = fault.to_string();
        assert!(told.contains("nowhere.mmdb cannot be read: the system did not answer within 20ms"), "{told}");
        // As long as it hangs nothing else is begun.
        let told = databases.look_at(0).await.unwrap_err().to_string();
        assert!(told.contains("has not answered the last question yet"), "{told}");
        let work = databases.slots.lock()[0].work.clone().unwrap();
        answer.send(()).unwrap();
        while !work.is_finished() {
            tokio::task::yield_now().await;
        }
        assert_eq!(databases.look_at(0).await.unwrap_err().failure_reason(), FailureReason::Missing);
    }

    #[tokio::test]
    async fn a_panic_over_a_file_is_an_error_of_the_file() {
        let databases = databases();
        let fault = databases.within::<()>(0, READ_TIME_MAX, || panic!("index 7 of 3")).await.unwrap_err();
        assert_eq!(fault.failure_reason(), FailureReason::Damaged);
        let told = fault.to_string();
        assert!(told.contains("nowhere.mmdb is damaged: reading it panicked: index 7 of 3"), "{told}");
    }

    /// One file of a network file system that was gone held the start of the server for ever.
    #[tokio::test]
    async fn a_file_that_hangs_at_the_start_leaves_the_others() {
        let directory = tempfile::tempdir().unwrap();
        let good = Fixture::new(4, "city ipv4").with("8.8.8.0/24", flat("US", "", "X", 1.5, 2.5));
        let config = Config::of_files(["hangs.mmdb".into(), good.write(directory.path(), "good.mmdb")]);
        let (answer, hanging) = channel::<()>();
        let hanging = std::sync::Mutex::new(hanging);
        let openings = open_each_by(&config, Duration::from_secs(5), move |file| {
            if file.path.to_str() == Some("hangs.mmdb") {
                let _ = hanging.lock().unwrap().recv();
            }
            Database::open(&file.path, file.age)
        });
        let databases = Databases::of(&config, Timestamp::now, openings.unwrap());
        assert!(databases.estimate("8.8.8.8".parse().unwrap(), Timestamp::now()).is_ok());
        let [hangs, good] = &databases.statuses()[..] else { panic!("two files") };
        assert!(good.in_use.is_some() && good.failure.is_none());
        let failure = hangs.failure.as_ref().unwrap();
        assert_eq!(failure.reason, FailureReason::Unreadable);
        assert!(failure.message.contains("the system did not answer within 5s at the start"), "{failure:?}");
        // It costs one thread: nothing else is begun for it before its end.
        let told = databases.look_at(0).await.unwrap_err().to_string();
        assert!(told.contains("has not answered the last question yet"), "{told}");
        drop(answer);
        let ends = async {
            while databases.slots.lock()[0].is_held() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), ends).await.unwrap();
        assert_eq!(databases.look_at(0).await.unwrap_err().failure_reason(), FailureReason::Missing);
    }
}
