//! What became of questions to geocoders, in the text format.

use metrics::counter;

use super::calls::push;
use super::families::{Family, GEOCODER_TIME};
use crate::telemetry::geocoders::{self, Outcome};

/// How many there were, by how they ended.
pub(super) fn record() {
    for counts in geocoders::all() {
        for outcome in Outcome::ALL {
            let labels = [("provider", counts.protocol()), ("outcome", outcome.name())];
            counter!("waymark_geocoder_questions_total", &labels).absolute(counts.with(outcome));
        }
    }
}

/// How long they took: the recorder's counters know whole numbers alone.
pub(super) fn write_times(page: &mut String) {
    let Family { name, help, .. } = GEOCODER_TIME;
    push(page, format_args!("# HELP {name} {help}\n# TYPE {name} counter\n"));
    for counts in geocoders::all() {
        let (provider, spent_s) = (counts.protocol(), counts.spent().as_secs_f64());
        push(page, format_args!("{name}{{provider=\"{provider}\"}} {spent_s}\n"));
    }
}
