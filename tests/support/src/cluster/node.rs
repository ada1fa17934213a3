//! What a node of a cluster tells of itself and of the others: a line of `CLUSTER NODES`.

use std::ops::RangeInclusive;

/// One node, as one node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterNode {
    /// By what the nodes know it.
    pub id: String,
    /// `myself`, `master`, `slave`, `fail?`, `fail`, `handshake`, `noaddr`, …
    pub flags: Vec<String>,
    /// Whose replica it is.
    pub master: Option<String>,
    /// The age of what is known of its slots; the higher one wins.
    pub epoch: u64,
    /// Whether there is a connection to it.
    pub is_linked: bool,
    /// What it has, without slots that are on their way.
    pub slots: Vec<RangeInclusive<u16>>,
}

impl ClusterNode {
    /// Reads one line.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let id = words.next()?.to_owned();
        let _address = words.next()?;
        let flags = words.next()?.split(',').map(str::to_owned).collect();
        let master = Some(words.next()?).filter(|&master| master != "-");
        let (_pinged, _answered) = (words.next()?, words.next()?);
        let epoch = words.next()?.parse().ok()?;
        let is_linked = words.next()? == "connected";
        // `[93->-id]`: a slot that is on its way.
        let slots = words.filter(|word| !word.starts_with('['));
        Some(Self {
            id,
            flags,
            master: master.map(str::to_owned),
            epoch,
            is_linked,
            slots: slots.map(range).collect::<Option<_>>()?,
        })
    }

    /// Whether it has a flag.
    pub fn is(&self, flag: &str) -> bool {
        self.flags.iter().any(|own| own == flag)
    }

    /// Whether it has the slot.
    pub fn has(&self, slot: u16) -> bool {
        self.slots.iter().any(|range| range.contains(&slot))
    }

    /// Whether its place in the cluster is the same: role, master and slots.
    pub(crate) fn has_place_of(&self, other: &Self) -> bool {
        self.is("master") == other.is("master")
            && (&self.id, &self.master, &self.slots) == (&other.id, &other.master, &other.slots)
    }
}

/// `5` or `0-5460`.
fn range(word: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_tells_its_slots_and_not_those_on_their_way() {
        let line = "07c3 127.0.0.1:30004@31004,host myself,master - 0 1426238317239 4 connected 0-5460 7000 [93->-292f] [5->-67ed]";
        let node = ClusterNode::parse(line).unwrap();
        assert_eq!((node.id.as_str(), node.epoch), ("07c3", 4));
        assert!(node.is("myself") && node.is("master") && !node.is("slave"));
        assert!(node.is_linked && node.master.is_none());
        assert_eq!(node.slots, [0..=5460, 7000..=7000]);
        assert!(node.has(5460) && node.has(7000) && !node.has(5461));
    }

    #[test]
    fn a_replica_tells_its_master() {
        let line = "6ec2 127.0.0.1:30005@31005 slave,fail? 67ed 1426238316232 0 5 disconnected";
        let node = ClusterNode::parse(line).unwrap();
        assert_eq!(node.master.as_deref(), Some("67ed"));
        assert!(node.is("fail?") && !node.is("fail") && !node.is_linked);
        assert_eq!(node.slots, []);
    }

    #[test]
    fn what_is_no_line_of_a_node_is_none() {
        for line in [
            "",
            "ERR unknown command",
            "id 127.0.0.1:1@2 master - 0 0 x connected",
        ] {
            assert_eq!(ClusterNode::parse(line), None, "{line}");
        }
    }
}
