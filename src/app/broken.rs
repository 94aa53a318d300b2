//! A program whose store ends by a fault of its own: it ends at once, and says why.

use super::*;
use crate::config::Listen;
use crate::store::panicking::Panicking;
use crate::store::{Key, Kind, Mutation};

/// How long the program may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// F16: what is in memory may be half of a commit, and nothing is written any more.
#[tokio::test]
async fn a_store_that_breaks_ends_the_program_with_what_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let listen = Listen { address: "127.0.0.1:0".parse().unwrap(), ..Listen::default() };
    let config = Config { data_dir: directory.path().join("data"), listen, ..Config::default() };
    let again = config.clone();
    let app = App::start(config, Box::new(move || Ok(again.clone()))).await.unwrap();
    let store = Arc::clone(&app.store);
    store.observe(Arc::new(Panicking::after(0))).await.unwrap();
    let running = tokio::time::timeout(PATIENCE, app.run_until(std::future::pending()));
    let breaking = store.commit(vec![Mutation::delete(Key::operator(Kind::Request, "nothing"))]);
    let (ended, told) = tokio::join!(running, breaking);
    let cause = ended.expect("it serves on").unwrap_err().to_string();
    assert!(cause.contains("panicked") && cause.contains("start it again"), "{cause}");
    assert!(matches!(told, Err(store::Error::Unknown { .. })), "{told:?}");
}

/// F5: nobody knows which names and tokens are missing, so nothing more is given away. The next start is told.
#[tokio::test]
async fn records_that_are_lost_end_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let listen = Listen { address: "127.0.0.1:0".parse().unwrap(), ..Listen::default() };
    let config = Config { data_dir: directory.path().join("data"), listen, ..Config::default() };
    let (data_dir, again) = (config.data_dir.clone(), config.clone());
    let app = App::start(config, Box::new(move || Ok(again.clone()))).await.unwrap();
    let file = rusqlite::Connection::open(data_dir.join("waymark.sqlite3")).unwrap();
    // As if a row had gone with the page that it was on: what was counted stays.
    assert!(file.execute("UPDATE tallies SET records = records + 1", []).unwrap() > 0, "the fault was not injected");
    drop(file);
    let ended = tokio::time::timeout(PATIENCE, app.run_until(std::future::pending()));
    let cause = ended.await.expect("it serves on").unwrap_err().to_string();
    assert!(cause.contains("restore it from a backup"), "{cause}");
    assert!(data_dir.join("DAMAGED").exists(), "a restart hides it");
}
