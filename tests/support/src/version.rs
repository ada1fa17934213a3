//! A server's version, and what it is too old for.

use std::fmt;

/// `major.minor.patch`. Valkey counts on from Redis 7.2, so that the two compare up to there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 7 of 7.2.4
    pub major: u32,
    /// 2 of 7.2.4
    pub minor: u32,
    /// 4 of 7.2.4
    pub patch: u32,
}

/// What redis-manager uses that came after Redis 5, with the version that brought it.
const FEATURES: [(u32, u32, &str); 4] = [
    (6, 0, "RESP3 (HELLO) and ACL users"),
    (6, 2, "RESET and ACL rules for channels"),
    (7, 0, "shard channels (SSUBSCRIBE)"),
    (7, 2, "the library's name in CLIENT LIST (CLIENT SETINFO)"),
];

impl Version {
    /// Reads `v=7.0.15` out of what `redis-server --version` prints, or else the first word that is
    /// a version.
    pub(crate) fn find(text: &str) -> Option<Self> {
        let words = || text.split_whitespace();
        words()
            .find_map(|word| Self::parse(word.strip_prefix("v=")?))
            .or_else(|| words().find_map(Self::parse))
    }

    fn parse(word: &str) -> Option<Self> {
        // "8.0.0-rc1": what follows the number is of no interest.
        let digits = word
            .trim_start_matches('v')
            .split(|c: char| !c.is_ascii_digit() && c != '.')
            .next()?;
        let mut parts = digits.split('.').map(str::parse);
        let mut next = || parts.next()?.ok();
        Some(Self {
            major: next()?,
            minor: next()?,
            patch: next().unwrap_or_default(),
        })
    }

    /// Whether it is this version or a later one.
    pub fn at_least(self, major: u32, minor: u32) -> bool {
        (self.major, self.minor) >= (major, minor)
    }

    /// What redis-manager can use and this server is too old for.
    pub fn lacks(self) -> Vec<&'static str> {
        FEATURES
            .iter()
            .filter(|(major, minor, _)| !self.at_least(*major, *minor))
            .map(|(.., what)| *what)
            .collect()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found() {
        let found = |text| Version::find(text).map(|version| version.to_string());
        let redis = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae4d7c971a948f0";
        assert_eq!(found(redis).as_deref(), Some("7.0.15"));
        assert_eq!(
            found("Valkey server v=8.0.0-rc1 sha=0").as_deref(),
            Some("8.0.0")
        );
        assert_eq!(found("meebis 0.15.0").as_deref(), Some("0.15.0"));
        assert_eq!(found("meebis v0.15").as_deref(), Some("0.15.0"));
        assert_eq!(found("command not found"), None);
    }

    #[test]
    fn an_old_server_is_told_what_it_lacks() {
        let lacks = |text| Version::find(text).unwrap().lacks().len();
        assert_eq!(
            (lacks("v=5.0.14"), lacks("v=6.0.16"), lacks("v=6.2.0")),
            (4, 3, 2)
        );
        assert_eq!(
            (lacks("v=7.0.15"), lacks("v=7.2.0"), lacks("v=9.1.2")),
            (1, 0, 0)
        );
    }
}
