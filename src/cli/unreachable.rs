//! Sites whose records the server cannot read: of the others everything is done and printed, and then the command fails and names them.

use anyhow::bail;

/// Sites that a complaint names; further ones are counted.
const NAMED_MAX: usize = 5;

/// Those that a command came across.
#[derive(Debug, Default)]
pub(super) struct Unreachable {
    count: usize,
    /// The first of them.
    named: Vec<String>,
}

impl Unreachable {
    /// Adds those of a page.
    pub(super) fn add(&mut self, names: Vec<String>) {
        self.count += names.len();
        let room = NAMED_MAX - self.named.len();
        self.named.extend(names.into_iter().take(room));
    }

    /// Fails if there are any; `what` says what became of them.
    pub(super) fn complain(&self, what: &str) -> anyhow::Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        let more = if self.count > self.named.len() { " and others" } else { "" };
        bail!(
            "{} sites are {what}, because their records are damaged: {}{more}: restore them from a backup",
            self.count,
            self.named.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_some_named() {
        let mut unreachable = Unreachable::default();
        assert!(unreachable.complain("left out").is_ok());
        unreachable.add(vec!["accounts/a/sites/1".into()]);
        let told = unreachable.complain("left out").unwrap_err().to_string();
        assert!(told.starts_with("1 sites are left out") && told.contains("accounts/a/sites/1: restore"), "{told}");
        unreachable.add((2..20).map(|number| format!("accounts/a/sites/{number}")).collect());
        let told = unreachable.complain("left out").unwrap_err().to_string();
        assert!(
            told.starts_with("19 sites") && told.contains("sites/5 and others") && !told.contains("sites/6"),
            "{told}"
        );
    }
}
