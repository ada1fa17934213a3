//! meebis, a small server in Rust, for examples where no Redis can be had: cargo alone builds it.

use std::env::consts::EXE_SUFFIX;
use std::process::Command;
use std::time::Duration;

use crate::binary::{Origin, ServerBinary};
use crate::error::SupportError;
use crate::fetch::{failed, publish, staging};
use crate::lookup::Lookup;
use crate::{bounded, notice};

const RELEASE: &str = "0.15.0";
/// Forty crates: a minute on two cores.
const BUILD_LIMIT: Duration = Duration::from_secs(900);

/// meebis, built if it is not there yet.
pub(crate) fn meebis(lookup: &Lookup) -> Result<ServerBinary, SupportError> {
    let installed = lookup
        .install_dir
        .join(format!("meebis-{RELEASE}{EXE_SUFFIX}"));
    if installed.is_file() {
        return ServerBinary::inspect(&installed, Origin::StandIn);
    }
    let cargo = lookup
        .on_path("cargo")
        .next()
        .ok_or_else(|| failed("cargo", "not on PATH".to_owned()))?;
    let folder = staging(&lookup.install_dir)?;
    notice::say(&format!(
        "Valkey cannot be fetched here: building meebis {RELEASE}, a small stand-in that is enough for the quickstart, \
         into {} (about a minute)",
        lookup.install_dir.display()
    ));
    let mut install = Command::new(cargo);
    install
        .args(["install", "--quiet", "--locked", "--root"])
        .arg(folder.path())
        .arg(format!("meebis@{RELEASE}"))
        // Not into the target folder whose lock a `cargo run` around us may hold.
        .env("CARGO_TARGET_DIR", folder.path().join("target"))
        .current_dir(folder.path());
    bounded::run(&mut install, BUILD_LIMIT)
        .map_err(|reason| failed("cargo install meebis", reason))?;
    publish(
        &folder
            .path()
            .join("bin")
            .join(format!("meebis{EXE_SUFFIX}")),
        &installed,
    )?;
    ServerBinary::inspect(&installed, Origin::StandIn)
}
