//! The folder that scripts are in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::ScriptSource;

/// A folder's files of one extension, as they were when it was looked at.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    extension: String,
    seen: BTreeMap<String, Stamp>,
}

/// By what a changed file is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    length: u64,
}

/// What happened to the file of the script of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is new, or another.
    Written(String),
    /// It is gone.
    Removed(String),
}

impl Folder {
    pub(crate) fn new(path: PathBuf, extension: &str) -> Self {
        Self {
            path,
            extension: extension.to_owned(),
            seen: BTreeMap::new(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What changed since the last look.
    pub(crate) fn look(&mut self) -> io::Result<Vec<Change>> {
        let found = self.files()?;
        let changes = changes(&self.seen, &found);
        self.seen = found;
        Ok(changes)
    }

    /// Has the next look tell of the file again.
    pub(crate) fn forget(&mut self, name: &str) {
        self.seen.remove(name);
    }

    pub(crate) fn file(&self, name: &str) -> String {
        format!("{name}.{}", self.extension)
    }

    pub(crate) fn read(&self, name: &str) -> io::Result<ScriptSource> {
        let file = self.file(name);
        let path = self.path.join(&file);
        let code = fs::read(&path)?;
        Ok(ScriptSource { path, file, code })
    }

    fn files(&self) -> io::Result<BTreeMap<String, Stamp>> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let name = path.file_stem().and_then(|name| name.to_str());
            let is_script = path.extension().is_some_and(|it| *it == *self.extension);
            // A file that goes while it is looked at has gone.
            if let (true, Some(name), Ok(found)) = (is_script, name, fs::metadata(&path))
                && found.is_file()
            {
                let stamp = Stamp {
                    modified: found.modified()?,
                    length: found.len(),
                };
                files.insert(name.to_owned(), stamp);
            }
        }
        Ok(files)
    }
}

fn changes(seen: &BTreeMap<String, Stamp>, found: &BTreeMap<String, Stamp>) -> Vec<Change> {
    let names: BTreeSet<_> = seen.keys().chain(found.keys()).collect();
    let changed = names
        .into_iter()
        .filter(|name| seen.get(*name) != found.get(*name));
    changed
        .map(|name| match found.get(name) {
            Some(_) => Change::Written(name.clone()),
            None => Change::Removed(name.clone()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn stamps(files: &[(&str, u64, u64)]) -> BTreeMap<String, Stamp> {
        let stamp = |&(name, second, length): &(&str, u64, u64)| {
            let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
            (name.to_owned(), Stamp { modified, length })
        };
        files.iter().map(stamp).collect()
    }

    #[test]
    fn new_changed_and_removed_files_are_told_and_others_not() {
        let seen = stamps(&[("a", 1, 1), ("b", 1, 1), ("c", 1, 1), ("d", 1, 1)]);
        let found = stamps(&[("a", 2, 1), ("b", 1, 2), ("c", 1, 1), ("e", 1, 1)]);
        let written = |name: &str| Change::Written(name.to_owned());
        assert_eq!(
            changes(&seen, &found),
            [
                written("a"),
                written("b"),
                Change::Removed("d".to_owned()),
                written("e")
            ]
        );
        assert_eq!(changes(&found, &found), []);
    }

    #[test]
    fn only_files_of_the_extension_are_scripts() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["chat.lua", "notes.txt", "lua", ".lua"] {
            fs::write(folder.path().join(file), "x").unwrap();
        }
        fs::create_dir(folder.path().join("folder.lua")).unwrap();
        let mut folder = Folder::new(folder.path().into(), "lua");
        let chat = Change::Written("chat".to_owned());
        assert_eq!(folder.look().unwrap(), std::slice::from_ref(&chat));
        assert_eq!(folder.look().unwrap(), []);
        folder.forget("chat");
        assert_eq!(folder.look().unwrap(), [chat]);
        assert_eq!(folder.read("chat").unwrap().code(), b"x");
    }
}
