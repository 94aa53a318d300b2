//! Files that are replaced, rewritten, removed and spoilt while they are in use.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use jiff::ToSpan;
use tempfile::TempDir;

use super::*;
use crate::geoip::age::Freshness;
use crate::geoip::database::DATABASE_BYTES_MAX;
use crate::geoip::error::FailureReason;
use crate::geoip::fixture::{Fixture, asn, flat};

/// One file in use, in a directory of its own.
struct Bench {
    directory: TempDir,
    path: PathBuf,
    databases: Arc<Databases>,
}

/// A version of the file, which can be told by all that its record says.
pub(super) fn version(number: u32) -> Fixture {
    let name = format!("V{number}");
    let lat = 1.0 + f64::from(number % 80);
    Fixture::new(4, "city ipv4").with("8.8.8.0/24", flat("CH", &name, &name, lat, lat))
}

fn open(paths: &[PathBuf]) -> Arc<Databases> {
    let databases = Databases::open(&Config::of_files(paths.iter().cloned()), Timestamp::now).unwrap();
    // The files of these tests are whole when they are asked for.
    Arc::new(Databases { settle: Duration::ZERO, ..databases })
}

impl Bench {
    fn new(first: Option<&Fixture>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("city.mmdb");
        if let Some(first) = first {
            fs::write(&path, first.bytes()).unwrap();
        }
        Self { databases: open(std::slice::from_ref(&path)), directory, path }
    }

    /// Puts bytes in the file's place as a careful program does: written beside it and renamed over it.
    fn rename_over(&self, bytes: &[u8]) {
        let beside = self.directory.path().join("new");
        fs::write(&beside, bytes).unwrap();
        fs::rename(beside, &self.path).unwrap();
    }

    async fn reload(&self) -> Reloaded {
        self.databases.reload().await.remove(0)
    }

    /// What the record for the one address says.
    fn city(&self) -> String {
        city(&self.databases)
    }

    fn status(&self) -> DatabaseStatus {
        self.databases.statuses().remove(0)
    }
}

pub(super) fn city(databases: &Databases) -> String {
    match databases.estimate("8.8.8.8".parse().unwrap(), Timestamp::UNIX_EPOCH) {
        Ok(estimate) => estimate.evidence.city,
        Err(why) => format!("{why:?}"),
    }
}

#[tokio::test]
async fn a_file_is_replaced_by_rename_and_in_place() {
    let bench = Bench::new(Some(&version(1)));
    assert_eq!(bench.city(), "V1");
    bench.rename_over(&version(2).bytes());
    assert_eq!(bench.city(), "V1", "nothing changes before it is asked for");
    assert!(bench.reload().await.is_taken);
    assert_eq!(bench.city(), "V2");
    fs::write(&bench.path, version(33).bytes()).unwrap();
    assert!(bench.reload().await.is_taken);
    assert_eq!(bench.city(), "V33");
    let status = bench.status();
    assert_eq!((status.loads, status.failures, status.failure), (3, 0, None));
    assert_eq!((status.look_ups, status.misses), (4, 0), "counted on over all versions");
}

#[tokio::test]
async fn the_same_bytes_again_are_not_taken() {
    let bench = Bench::new(Some(&version(1)));
    let stack = bench.databases.current();
    let unchanged = Reloaded::unchanged(&bench.path);
    assert_eq!(bench.reload().await, unchanged);
    bench.rename_over(&version(1).bytes());
    assert_eq!(bench.reload().await, unchanged);
    assert!(Arc::ptr_eq(&stack, &bench.databases.current()));
    assert_eq!(bench.status().loads, 1);
}

/// A way to spoil the file, and the reason that must be told.
type Fault = (&'static str, FailureReason, fn(&Path));

fn faults() -> Vec<Fault> {
    vec![
        ("empty", FailureReason::NotMmdb, |path| fs::write(path, b"").unwrap()),
        ("text", FailureReason::NotMmdb, |path| fs::write(path, b"<html>404</html>").unwrap()),
        ("gzip", FailureReason::NotMmdb, |path| fs::write(path, [0x1f, 0x8b, 8, 0, 0]).unwrap()),
        ("cut", FailureReason::NotMmdb, |path| {
            let bytes = version(9).bytes();
            fs::write(path, &bytes[..bytes.len() - 9]).unwrap();
        }),
        ("looping tree", FailureReason::Damaged, |path| {
            let mut bytes = version(9).bytes();
            bytes[..7].copy_from_slice(&[0; 7]);
            fs::write(path, bytes).unwrap();
        }),
        ("nothing inside", FailureReason::UnusableSchema, |path| {
            fs::write(path, Fixture::new(4, "city").bytes()).unwrap();
        }),
        ("another kind", FailureReason::WrongKind, |path| {
            fs::write(path, Fixture::new(4, "asn").with("8.8.8.0/24", asn(1, "x")).bytes()).unwrap();
        }),
        ("another family", FailureReason::WrongKind, |path| {
            fs::write(path, Fixture::new(6, "city").with("2a00::/16", flat("CH", "", "X", 1.5, 1.5)).bytes()).unwrap();
        }),
        ("sparse and huge", FailureReason::TooLarge, |path| {
            fs::File::create(path).unwrap().set_len(4 * DATABASE_BYTES_MAX).unwrap();
        }),
        ("removed", FailureReason::Missing, |path| fs::remove_file(path).unwrap()),
        ("a directory", FailureReason::Unreadable, |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("a named pipe", FailureReason::Unreadable, |path| {
            fs::remove_file(path).unwrap();
            assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
    ]
}

#[tokio::test]
async fn a_bad_file_never_replaces_a_good_one() {
    for (name, reason, spoil) in faults() {
        let bench = Bench::new(Some(&version(1)));
        spoil(&bench.path);
        let failure = bench.reload().await.failure.unwrap_or_else(|| panic!("{name} was taken"));
        assert_eq!(failure.reason, reason, "{name}: {}", failure.message);
        assert!(failure.message.contains("city.mmdb"), "{}", failure.message);
        assert_eq!(bench.city(), "V1", "{name}");
        let status = bench.status();
        assert_eq!((status.loads, status.failure.as_ref()), (1, Some(&failure)), "{name}");
        assert_eq!(status.in_use.unwrap().database_type, "city ipv4");
        // Watching sees the same, tries it no more than once, and takes the good one when it comes.
        for _ in 0..5 {
            bench.databases.look().await;
        }
        assert!(bench.status().failures <= 3, "{name}: {} attempts", bench.status().failures);
        if bench.path.is_dir() {
            fs::remove_dir(&bench.path).unwrap();
        }
        bench.rename_over(&version(2).bytes());
        assert!(bench.reload().await.is_taken, "{name}");
        assert_eq!((bench.city().as_str(), bench.status().failure), ("V2", None), "{name}");
    }
}

#[tokio::test]
async fn a_file_that_is_missing_or_bad_at_the_start_is_waited_for() {
    let bench = Bench::new(None);
    assert_eq!((bench.city().as_str(), bench.status().in_use), ("NoDatabase", None));
    assert_eq!(bench.status().failure.unwrap().reason, FailureReason::Missing);
    fs::write(&bench.path, b"half").unwrap();
    for _ in 0..4 {
        bench.databases.look().await;
    }
    assert_eq!(bench.status().failure.unwrap().reason, FailureReason::NotMmdb);
    assert_eq!(bench.status().failures, 2, "bytes that were refused are not read again");
    bench.rename_over(&version(7).bytes());
    bench.databases.look().await;
    bench.databases.look().await;
    assert_eq!((bench.city().as_str(), bench.status().failure), ("V7", None));
}

#[tokio::test]
async fn a_file_that_makes_the_reader_panic_is_refused() {
    let bench = Bench::new(Some(&version(1)));
    bench.rename_over(&version(2).bytes());
    let state = bench.databases.look_at(0).await.unwrap();
    let outcome = bench.databases.take_by(0, state, |_, _| panic!("index 7 of 3")).await;
    assert_eq!(outcome.failure.unwrap().reason, FailureReason::Damaged);
    for _ in 0..5 {
        bench.databases.look().await;
    }
    assert_eq!((bench.city().as_str(), bench.status().failures), ("V1", 1), "its bytes are not read again");
    bench.rename_over(&version(3).bytes());
    bench.databases.look().await;
    bench.databases.look().await;
    assert_eq!((bench.city().as_str(), bench.status().failure), ("V3", None));
}

#[tokio::test]
async fn watching_takes_what_came_to_rest() {
    let bench = Bench::new(Some(&version(1)));
    bench.databases.look().await;
    for number in 2..6 {
        // Each look finds another state than the one before: somebody is at work.
        bench.rename_over(&version(number).bytes());
        bench.databases.look().await;
        assert_eq!(bench.city(), "V1");
    }
    bench.databases.look().await;
    assert_eq!(bench.city(), "V5");
    fs::remove_file(&bench.path).unwrap();
    bench.databases.look().await;
    assert_eq!((bench.city().as_str(), bench.status().failure.unwrap().reason), ("V5", FailureReason::Missing));
}

#[tokio::test]
async fn files_of_a_stack_change_alone() {
    let directory = tempfile::tempdir().unwrap();
    let paths = [directory.path().join("a"), directory.path().join("b")];
    fs::write(&paths[0], version(1).bytes()).unwrap();
    fs::write(&paths[1], Fixture::new(4, "asn").with("8.8.8.0/24", asn(64_496, "One")).bytes()).unwrap();
    let databases = open(&paths);
    let kept = Arc::downgrade(&databases.current().databases[0]);
    fs::write(&paths[1], Fixture::new(4, "asn").with("8.8.8.0/24", asn(64_497, "Two")).bytes()).unwrap();
    let taken: Vec<_> = databases.reload().await.into_iter().map(|reloaded| reloaded.is_taken).collect();
    assert_eq!(taken, [false, true]);
    let findings = databases.ask("8.8.8.8".parse().unwrap(), Timestamp::UNIX_EPOCH);
    assert_eq!((findings.network.asn, findings.estimate.unwrap().evidence.city.as_str()), (Some(64_497), "V1"));
    let stack = databases.current();
    assert!(kept.ptr_eq(&Arc::downgrade(&stack.databases[0])), "the other file is not read again");
}

#[tokio::test]
async fn an_old_version_leaves_memory_with_its_last_reader() {
    let bench = Bench::new(Some(&version(1)));
    let reader = bench.databases.current();
    let first = Arc::downgrade(&reader.databases[0]);
    bench.rename_over(&version(2).bytes());
    bench.reload().await;
    assert!(first.upgrade().is_some(), "somebody still reads it");
    drop(reader);
    assert!(first.upgrade().is_none(), "a copy stays behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn look_ups_go_on_through_hundreds_of_swaps() {
    /// Good versions; behind every one comes a bad file.
    const SWAPS: u32 = 200;
    let bench = Bench::new(Some(&version(0)));
    let (done, look_ups) = (AtomicBool::new(false), AtomicU64::new(0));
    let handle = tokio::runtime::Handle::current();
    let faults = faults();
    let bad: Vec<_> = faults.iter().filter(|(_, reason, _)| reason.is_of_content()).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut newest = 0;
                while !done.load(Ordering::Relaxed) {
                    let estimate = bench.databases.estimate("8.8.8.8".parse().unwrap(), Timestamp::UNIX_EPOCH).unwrap();
                    let number: u32 = estimate.evidence.city[1..].parse().unwrap();
                    assert_eq!(estimate.evidence.city, estimate.evidence.region);
                    assert!((estimate.position.lat() - f64::from(1 + number % 80)).abs() < 1e-9, "a mixed answer");
                    assert!(number >= newest, "V{number} after V{newest}");
                    newest = number;
                    look_ups.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let swaps = scope.spawn(|| {
            for number in 1..=SWAPS {
                let (name, _, spoil) = bad[number as usize % bad.len()];
                spoil(&bench.path);
                assert!(handle.block_on(bench.reload()).failure.is_some(), "{name} was taken");
                if number % 2 == 0 {
                    bench.rename_over(&version(number).bytes());
                } else {
                    fs::write(&bench.path, version(number).bytes()).unwrap();
                }
                assert!(handle.block_on(bench.reload()).is_taken);
            }
        });
        let outcome = swaps.join();
        done.store(true, Ordering::Relaxed);
        outcome.unwrap();
    });
    let status = bench.status();
    assert_eq!((status.loads, status.failures), (u64::from(SWAPS) + 1, u64::from(SWAPS)));
    assert_eq!((bench.city(), status.damaged), (format!("V{SWAPS}"), 0));
    assert_eq!(status.look_ups, look_ups.load(Ordering::Relaxed), "look-ups are counted exactly");
    assert!(status.look_ups > 1_000, "{} look-ups prove nothing", status.look_ups);
}

#[tokio::test]
async fn age_is_told_by_the_status() {
    let bench = Bench::new(Some(&version(1).build_epoch(u64::try_from(Timestamp::now().as_second()).unwrap())));
    let status = bench.status();
    assert_eq!(status.freshness, Some(Freshness::Fresh));
    assert!(status.age.unwrap().as_secs().abs() < 60, "{:?}", status.age);
    let old = Timestamp::now() - (24 * 31).hours();
    bench.rename_over(&version(1).build_epoch(u64::try_from(old.as_second()).unwrap()).bytes());
    bench.reload().await;
    bench.databases.look().await;
    assert_eq!(bench.status().freshness, Some(Freshness::Old));
}

#[tokio::test]
async fn age_is_told_without_watching() {
    let build = |days: i64| {
        let time = Timestamp::now() - (24 * days).hours();
        version(1).build_epoch(u64::try_from(time.as_second()).unwrap())
    };
    let bench = Bench::new(Some(&build(31)));
    let told = |databases: &Databases| databases.slots.lock()[0].told;
    assert_eq!(told(&bench.databases), Freshness::Old, "at the start");
    bench.rename_over(&build(0).bytes());
    bench.reload().await;
    assert_eq!(told(&bench.databases), Freshness::Fresh);
    bench.rename_over(&build(32).bytes());
    bench.reload().await;
    assert_eq!(told(&bench.databases), Freshness::Old, "at a reload that takes it");
    // One that grew old where it was.
    bench.rename_over(&build(0).bytes());
    let databases = Databases::open(&Config::of_files([bench.path.clone()]), Timestamp::now).unwrap();
    assert_eq!(told(&databases), Freshness::Fresh);
    let databases = Arc::new(Databases { clock: || Timestamp::now() + (24 * 31).hours(), ..databases });
    assert!(!databases.reload().await.remove(0).is_taken);
    assert_eq!(told(&databases), Freshness::Old, "at a reload that takes nothing");
}
