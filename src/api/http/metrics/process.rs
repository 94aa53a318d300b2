//! What the system says of the process, under the names that Prometheus' own clients use.

use metrics::{counter, gauge};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::number;

/// Writes what there is; what the system does not tell is not there.
pub(super) fn record() {
    if let Some(kib) = resident_kib() {
        gauge!("process_resident_memory_bytes").set(kib * 1_024.0);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        // One of them is the directory's own.
        gauge!("process_open_fds").set(number(open.count().saturating_sub(1)));
    }
    let max = getrlimit(Resource::Nofile).current.and_then(|max| usize::try_from(max).ok());
    gauge!("process_max_fds").set(max.map_or(f64::INFINITY, number));
    let ran = clock_gettime(ClockId::ProcessCPUTime);
    counter!("process_cpu_seconds_total").absolute(u64::try_from(ran.tv_sec).unwrap_or_default());
}

fn resident_kib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_how_much_memory_is_in_use() {
        let kib = resident_kib().unwrap();
        assert!((1_000.0..1e9).contains(&kib), "{kib}");
    }
}
