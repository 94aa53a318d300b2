//! Names in Redis. All keys of a partition have the same hash tag, so they stand on the same node of a cluster.

use crate::store::Kind;

/// The names of a deployment.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: String,
    /// How many partitions there are.
    pub(super) partitions: u16,
}

impl Names {
    pub(super) fn new(prefix: &str, partitions: u16) -> Self {
        Self { prefix: prefix.to_owned(), partitions }
    }

    /// What the deployment is: its id, format, and number of partitions.
    pub(super) fn deployment(prefix: &str) -> String {
        format!("{prefix}:deployment")
    }

    /// The partition that an account's records stand in; the operator's are those of no text. Never another one for the same
    /// number of partitions: records would not be found again.
    pub(super) fn partition(&self, account: &str) -> u16 {
        let hash = crc32fast::hash(account.as_bytes());
        // The remainder is below the number, which is a u16.
        u16::try_from(hash % u32::from(self.partitions.max(1))).unwrap_or_default()
    }

    /// Generation, sequence and tag of a partition.
    pub(super) fn head(&self, partition: u16) -> String {
        format!("{}:{{{}}}:head", self.prefix, self.tag(partition))
    }

    /// The revision of each of its accounts.
    pub(super) fn revisions(&self, partition: u16) -> String {
        format!("{}:{{{}}}:revisions", self.prefix, self.tag(partition))
    }

    /// Its commits, the last of them.
    pub(super) fn stream(&self, partition: u16) -> String {
        format!("{}:{{{}}}:commits", self.prefix, self.tag(partition))
    }

    /// An account's records of a kind, by id.
    pub(super) fn records(&self, account: &str, kind: Kind) -> String {
        format!("{}:{{{}}}:records:{account}:{}", self.prefix, self.tag(self.partition(account)), kind as u8)
    }

    /// Their ids in order.
    pub(super) fn index(&self, account: &str, kind: Kind) -> String {
        format!("{}:{{{}}}:ids:{account}:{}", self.prefix, self.tag(self.partition(account)), kind as u8)
    }

    /// The hash tag of a partition: the prefix is in it, so that deployments on one cluster do not share their nodes.
    fn tag(&self, partition: u16) -> String {
        format!("{}:{partition}", self.prefix)
    }
}

/// The slot of a key in a cluster: CRC-16/XMODEM of its hash tag, modulo 16,384, as the cluster's specification says.
pub(super) fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or(key, |(tag, _)| tag);
    let tag = if tag.is_empty() { key } else { tag };
    let crc = tag.bytes().fold(0_u16, |crc, byte| {
        (0..8).fold(
            crc ^ (u16::from(byte) << 8),
            |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
            },
        )
    });
    crc % 16_384
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        // `CLUSTER KEYSLOT` says so.
        assert_eq!(
            [slot("123456789"), slot("foo"), slot("{foo}bar"), slot("a{foo}")],
            [12_739, 12_182, 12_182, 12_182]
        );
    }

    /// Records out there stand where this says.
    #[test]
    fn an_account_keeps_its_partition() {
        let names = Names::new("waymark", 16);
        let at: Vec<u16> =
            ["", "acme", "acme2", "globex"].into_iter().map(|account| names.partition(account)).collect();
        assert_eq!(at, [0, 14, 12, 10]);
        let partition = names.partition("acme");
        let keys = [
            names.head(partition),
            names.revisions(partition),
            names.stream(partition),
            names.records("acme", Kind::Site),
            names.index("acme", Kind::Site),
        ];
        assert!(keys.iter().all(|key| slot(key) == slot(&keys[0])), "{keys:?}");
    }
}
