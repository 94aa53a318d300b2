//! Logs: where they go and in which form. Everything goes to standard error; standard output is for answers. Panics are told there
//! and counted. `spans` and `traces` are what a collector gets, where one is configured; `geocoders` counts for metrics what only those
//! who ask them see.

pub mod build_info;
pub mod geocoders;
pub mod spans;
pub mod traces;

use std::any::Any;
use std::panic::PanicHookInfo;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry_sdk::trace::SdkTracer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::error;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry};

/// The form of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// How logs are written.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Log")]
pub struct Config {
    /// The form of a line.
    pub format: Format,
    /// Which lines, in the language of `tracing_subscriber::EnvFilter`; empty for `info`.
    pub filter: String,
}

/// The filter does not parse.
#[derive(Debug, thiserror::Error)]
#[error("log.filter: {0}")]
pub struct FilterInvalid(#[from] tracing_subscriber::filter::ParseError);

impl Config {
    /// Which lines. Spans of traces are in none: they are for collectors.
    pub fn lines(&self) -> Result<EnvFilter, FilterInvalid> {
        let filter = if self.filter.is_empty() { "info" } else { &self.filter };
        let no_spans = format!("{}=off", spans::TARGET).parse()?;
        Ok(EnvFilter::try_new(filter)?.add_directive(no_spans))
    }
}

/// Starts logging, and traces where there is something that makes spans. A second call changes nothing.
pub fn start(config: &Config, tracer: Option<SdkTracer>) -> Result<(), FilterInvalid> {
    let lines = config.lines()?;
    // Only a test process starts twice.
    let _ = match tracer {
        None => start_lines(config.format, lines),
        Some(tracer) => start_both(config.format, lines, tracer),
    };
    Ok(())
}

fn start_lines(format: Format, lines: EnvFilter) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let lines = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(lines);
    match format {
        Format::Text => lines.with_ansi(false).try_init(),
        Format::Json => lines.json().try_init(),
    }
}

fn start_both(
    format: Format,
    lines: EnvFilter,
    tracer: SdkTracer,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let written = tracing_subscriber::fmt::layer::<Registry>().with_writer(std::io::stderr);
    let written = match format {
        Format::Text => written.with_ansi(false).with_filter(lines).boxed(),
        Format::Json => written.json().with_filter(lines).boxed(),
    };
    Ok(tracing_subscriber::registry().with(written).with(traces::layer(tracer)).try_init()?)
}

/// Panics of this process so far.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// Tells of panics in the log, and counts them, whoever catches them. A second call changes nothing.
///
/// With `RUST_BACKTRACE` the whole text and the stack are printed too, which may hold what callers sent.
pub fn tell_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        // A test that fails says why.
        let is_wanted = cfg!(test) || std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
        std::panic::set_hook(Box::new(move |panic| {
            note_panic(panic);
            if is_wanted {
                print(panic);
            }
        }));
    });
}

/// How often this process panicked since [`tell_panics`].
#[must_use]
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

fn note_panic(panic: &PanicHookInfo<'_>) {
    PANICS.fetch_add(1, Ordering::Relaxed);
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    error!(thread = thread.name(), text = fixed_text(panic.payload()), "waymark panicked at {place}");
}

/// The text of a panic where it stands in the program. One that was made when it happened may hold what a caller sent.
fn fixed_text(payload: &(dyn Any + Send)) -> Option<&'static str> {
    payload.downcast_ref::<&'static str>().copied()
}

#[cfg(test)]
mod tests {
    use tracing::level_filters::LevelFilter;

    use super::*;

    #[test]
    fn no_line_tells_of_spans_however_much_is_wanted() {
        let wanted = [("", LevelFilter::INFO), ("trace", LevelFilter::TRACE), ("waymark=debug", LevelFilter::DEBUG)];
        for (filter, expect) in wanted {
            let config = Config { filter: filter.to_owned(), ..Config::default() };
            let lines = config.lines().unwrap();
            assert_eq!(lines.max_level_hint(), Some(expect), "{filter}");
            tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
                assert!(spans::mail().is_disabled(), "{filter}");
            });
        }
    }

    #[test]
    fn panics_are_counted_and_none_tells_what_it_was_about() {
        tell_panics();
        let before = panics();
        let cut = |name: &'static str| std::panic::catch_unwind(move || name[..1].len()).unwrap_err();
        let payload = cut("\u{fc}ber");
        let text = payload.downcast_ref::<String>().expect("a text that was made");
        assert!(text.contains("\u{fc}ber"), "the text of this panic holds no data: {text}");
        assert_eq!(fixed_text(&*payload), None);
        let fixed = std::panic::catch_unwind(|| panic!("the heap is gone")).unwrap_err();
        assert_eq!(fixed_text(&*fixed), Some("the heap is gone"));
        assert!(panics() >= before + 2);
    }
}
