//! The engine on a disk that loses power, fails, fills up and rots: one disk, one oracle, one file a kind of fault.

mod damage;
mod disk;
mod faults;
mod model;
mod power;

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}
