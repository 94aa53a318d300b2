//! Files and ranges of the base map, as they are found and sent.

use futures_util::StreamExt as _;
use tempfile::TempDir;

use super::*;
use crate::api::basemap::Config;

#[test]
fn ranges_are_read_as_the_standard_has_them() {
    for (text, expect) in [
        ("bytes=0-15", Some(Range::From(0, Some(15)))),
        ("bytes=7-", Some(Range::From(7, None))),
        ("bytes=-5", Some(Range::Last(5))),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("bytes=+1-2", None),
        ("bytes=99999999999999999999-", None),
        ("lines=0-1", None),
    ] {
        assert_eq!(Range::parse(text), expect, "{text}");
    }
}

#[test]
fn ranges_are_cut_at_the_end_of_the_file() {
    for (range, expect) in [
        (Range::From(0, Some(15)), Some((0, 10))),
        (Range::From(9, Some(u64::MAX)), Some((9, 1))),
        (Range::From(0, Some(u64::MAX)), Some((0, 10))),
        (Range::From(4, None), Some((4, 6))),
        (Range::From(10, None), None),
        (Range::Last(3), Some((7, 3))),
        (Range::Last(30), Some((0, 10))),
        (Range::Last(0), None),
    ] {
        assert_eq!(range.within(10), expect, "{range:?}");
    }
}

fn with(pairs: &[(header::HeaderName, &str)]) -> Wanted {
    Wanted::of(&pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect())
}

/// A directory that is served.
struct World {
    directory: TempDir,
    basemap: Basemap,
    reads: Arc<Semaphore>,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let style = Some("https://maps.example/style.json".to_owned());
        let config = Config { directory: Some(directory.path().to_owned()), style, ..Config::default() };
        Self { directory, basemap: Basemap::resolve(&config).unwrap(), reads: Arc::new(Semaphore::new(READS_MAX)) }
    }

    fn find(&self, name: &str, pairs: &[(header::HeaderName, &str)]) -> io::Result<Found> {
        find(&self.basemap, &self.directory.path().join(name), &with(pairs))
    }

    async fn body(&self, found: Found) -> Vec<u8> {
        axum::body::to_bytes(found.answer("", &self.reads).into_body(), usize::MAX).await.unwrap().to_vec()
    }
}

#[tokio::test]
async fn a_file_is_read_whole_in_pieces_or_not_again() {
    let world = World::new();
    std::fs::write(world.directory.path().join("a.json"), "0123456789").unwrap();
    let find = |pairs: &[(header::HeaderName, &str)]| world.find("a.json", pairs).unwrap();
    let Found::Whole { tag, piece } = find(&[]) else { panic!("not whole") };
    assert_eq!(world.body(Found::Whole { tag: tag.clone(), piece }).await, b"0123456789");
    assert!(matches!(find(&[(header::IF_NONE_MATCH, &tag)]), Found::NotModified { .. }));
    let piece = find(&[(header::RANGE, "bytes=2-4"), (header::IF_RANGE, &tag)]);
    assert!(matches!(&piece, Found::Piece { total: 10, .. }), "{piece:?}");
    assert_eq!(world.body(piece).await, b"234");
    let other = find(&[(header::RANGE, "bytes=2-4"), (header::IF_RANGE, "\"else\"")]);
    assert!(matches!(other, Found::Whole { .. }), "{other:?}");
    assert!(matches!(find(&[(header::RANGE, "bytes=10-")]), Found::Beyond { total: 10 }));
    assert_eq!(world.find("", &[]).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[tokio::test]
async fn a_long_file_comes_in_pieces_alone_and_none_is_longer_than_the_limit() {
    let world = World::new();
    File::create(world.directory.path().join("a.pmtiles")).unwrap().set_len(PIECE_BYTES_MAX + 1).unwrap();
    assert!(matches!(world.find("a.pmtiles", &[]).unwrap(), Found::Long));
    let piece = world.find("a.pmtiles", &[(header::RANGE, "bytes=0-")]).unwrap();
    let response = piece.answer(content_type("a.pmtiles"), &world.reads);
    assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
    let range = response.headers()[header::CONTENT_RANGE].to_str().unwrap();
    assert_eq!(range, format!("bytes 0-{}/{}", PIECE_BYTES_MAX - 1, PIECE_BYTES_MAX + 1));
    assert_eq!(response.headers()[header::CONTENT_LENGTH], PIECE_BYTES_MAX.to_string());
}

/// Whoever asked for pieces and took none of them held each of them in memory.
#[tokio::test]
async fn an_answer_that_is_not_taken_holds_one_chunk() {
    let world = World::new();
    File::create(world.directory.path().join("a.pmtiles")).unwrap().set_len(PIECE_BYTES_MAX).unwrap();
    let piece = world.find("a.pmtiles", &[(header::RANGE, "bytes=0-")]).unwrap();
    let mut body = piece.answer("", &world.reads).into_body().into_data_stream();
    let first = body.next().await.unwrap().unwrap();
    assert_eq!(first.len() as u64, CHUNK_BYTES);
    assert_eq!(world.reads.available_permits(), READS_MAX, "it keeps nobody from reading");
}

#[test]
fn links_are_followed_within_the_directory_alone() {
    let world = World::new();
    let (inside, outside) = (world.directory.path(), tempfile::tempdir().unwrap());
    std::fs::create_dir(inside.join("tiles")).unwrap();
    for file in [inside.join("tiles/a.json"), inside.join(".hidden"), outside.path().join("secret")] {
        std::fs::write(file, "{}").unwrap();
    }
    for (name, to) in [
        ("good.json", inside.join("tiles/a.json")),
        ("hidden.json", inside.join(".hidden")),
        ("secret.json", outside.path().join("secret")),
        ("out", outside.path().to_owned()),
        ("loop", inside.join("loop")),
    ] {
        std::os::unix::fs::symlink(to, inside.join(name)).unwrap();
    }
    assert!(world.find("good.json", &[]).is_ok());
    let long = "n".repeat(300);
    for name in ["hidden.json", "secret.json", "out/secret", "loop", "tiles", long.as_str()] {
        assert_eq!(world.find(name, &[]).unwrap_err().kind(), io::ErrorKind::NotFound, "{name}");
    }
}

#[test]
fn nothing_is_served_that_a_browser_would_run() {
    for path in ["a.html", "a.js", "a.svg", "a.xml", "a", "a.HTML"] {
        assert_eq!(content_type(path), "application/octet-stream", "{path}");
    }
}
