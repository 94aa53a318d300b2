//! Paces over a real redis-server: which is slow, forgets, wants a password, and whose clock goes back.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use redis::Commands as _;

use super::super::fake::door;
use super::*;

const PERIOD: Duration = Duration::from_millis(300);
/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(20);
const KEY: &str = "waymark:geocoder-turn:x";

/// A redis-server on a free port of loopback, that keeps nothing and ends with the test.
struct Redis {
    process: Child,
    url: String,
    _directory: tempfile::TempDir,
}

impl Redis {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"])
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is there: scripts/install-tools test");
        let redis = Self { process, url: format!("redis://127.0.0.1:{port}"), _directory: directory };
        let begun = std::time::Instant::now();
        while redis.client().get_connection().is_err() {
            assert!(begun.elapsed() < PATIENCE, "redis-server does not start");
            std::thread::yield_now();
        }
        redis
    }

    fn client(&self) -> Client {
        Client::open(self.url.as_str()).unwrap()
    }

    fn run(&self, command: &[&str]) {
        let mut connection = self.client().get_connection().unwrap();
        redis::cmd(command[0]).arg(&command[1..]).exec(&mut connection).unwrap();
    }

    /// The pace of another process.
    fn pace(&self) -> FleetPace {
        let limits = FleetLimits::new(self.client());
        FleetPace::new(Arc::clone(&limits.redis), "x", PERIOD)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may be gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks until there is a turn, and says how long that took.
async fn turn(pace: &FleetPace) -> Duration {
    let begun = Instant::now();
    while let Err(wait) = pace.take().await {
        assert!(begun.elapsed() < PATIENCE, "there is no turn");
        tokio::time::sleep(wait).await;
    }
    begun.elapsed()
}

#[tokio::test]
async fn turns_of_two_processes_are_a_period_apart() {
    let redis = Redis::start();
    let paces = [redis.pace(), redis.pace()];
    let taking = paces.iter().map(|pace| async move {
        let mut times = Vec::new();
        for _ in 0..3 {
            turn(pace).await;
            times.push(Instant::now());
        }
        times
    });
    let mut times: Vec<Instant> = futures_util::future::join_all(taking).await.into_iter().flatten().collect();
    times.sort();
    let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap >= PERIOD), "{gaps:?}");
}

#[tokio::test]
async fn a_redis_that_forgot_gives_no_turn_before_a_period_is_over() {
    let redis = Redis::start();
    let (one, other) = (redis.pace(), redis.pace());
    turn(&one).await;
    redis.run(&["FLUSHALL"]);
    assert!(turn(&other).await >= PERIOD);
}

#[tokio::test]
async fn a_clock_that_went_back_costs_one_period() {
    let redis = Redis::start();
    let pace = redis.pace();
    turn(&pace).await;
    let ahead = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap() + Duration::from_hours(1);
    redis.client().get_connection().unwrap().set::<_, _, ()>(KEY, ahead.as_micros().to_string()).unwrap();
    let other = redis.pace();
    let took = turn(&other).await;
    assert!(took >= PERIOD && took < PERIOD * 10, "{took:?}");
}

#[tokio::test]
async fn a_slow_redis_gives_no_turns_and_wastes_none() {
    let redis = Redis::start();
    let pace = redis.pace();
    turn(&pace).await;
    tokio::time::sleep(PERIOD * 2).await;
    redis.run(&["CLIENT", "PAUSE", "400", "ALL"]);
    assert_eq!(pace.take().await, Err(PAUSE), "a turn that was so long on its way is given up");
    turn(&pace).await;
    assert!(!pace.kept.lock().is_out);
}

#[tokio::test]
async fn a_refused_password_is_not_remembered() {
    let redis = Redis::start();
    redis.run(&["CONFIG", "SET", "requirepass", "another"]);
    let pace = redis.pace();
    assert_eq!(pace.take().await, Err(PAUSE));
    let mut authorized = redis.client().get_connection_info().clone();
    let settings = authorized.redis_settings().clone().set_password("another");
    authorized = authorized.set_redis_settings(settings);
    let mut connection = Client::open(authorized).unwrap().get_connection().unwrap();
    redis::cmd("CONFIG").arg(&["SET", "requirepass", ""]).exec(&mut connection).unwrap();
    turn(&pace).await;
}

#[tokio::test]
async fn a_redis_that_is_gone_is_found_again() {
    let mut redis = Redis::start();
    let pace = redis.pace();
    turn(&pace).await;
    redis.process.kill().unwrap();
    redis.process.wait().unwrap();
    tokio::time::sleep(PERIOD * 2).await;
    assert_eq!(pace.take().await, Err(PAUSE));
}

/// Answers of another process.
fn answers(redis: &Redis) -> FleetAnswers {
    FleetAnswers::new(FleetLimits::new(redis.client()).redis)
}

#[tokio::test]
async fn what_one_process_was_told_another_one_knows_for_as_long() {
    let redis = Redis::start();
    let (one, other) = (answers(&redis), answers(&redis));
    let candidates = [door(1.0)];
    assert!(one.get("here", "gata 1").await.is_none());
    one.put("here", "gata 1", &candidates, Duration::from_secs(100)).await;
    let (found, left) = other.get("here", "gata 1").await.expect("it was kept");
    assert_eq!(found[..], candidates);
    assert!(left <= Duration::from_secs(100) && left > Duration::from_mins(1), "{left:?}");
    assert!(other.get("there", "gata 1").await.is_none(), "another provider's");
    assert!(other.get("here", "gata 2").await.is_none());
    let keys: Vec<String> = redis.client().get_connection().unwrap().keys("*").unwrap();
    assert!(keys.len() == 1 && !keys[0].contains("gata"), "{keys:?}");
    one.put("here", "gata 3", &candidates, Duration::from_millis(1)).await;
    let begun = std::time::Instant::now();
    while other.get("here", "gata 3").await.is_some() {
        assert!(begun.elapsed() < PATIENCE, "it stays");
    }
}

#[tokio::test]
async fn junk_and_a_silent_redis_are_no_answer() {
    let mut redis = Redis::start();
    let answers = answers(&redis);
    answers.put("here", "gata 1", &[door(1.0)], Duration::from_secs(100)).await;
    let mut connection = redis.client().get_connection().unwrap();
    let keys: Vec<String> = connection.keys("*").unwrap();
    let kept: String = connection.get(&keys[0]).unwrap();
    for junk in ["junk".to_owned(), kept.replace("64.102", "964.102"), "x".repeat(100_000)] {
        connection.set_ex::<_, _, ()>(&keys[0], &junk, 100).unwrap();
        assert!(answers.get("here", "gata 1").await.is_none(), "{junk:.100}");
    }
    redis.process.kill().unwrap();
    redis.process.wait().unwrap();
    assert!(answers.get("here", "gata 1").await.is_none());
    answers.put("here", "gata 2", &[door(1.0)], Duration::from_secs(100)).await;
}
