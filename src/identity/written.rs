//! The file that the configuration names for a bot's token: rewritten whole or not at all. Decides nothing about when.

use crate::types::Secret;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Puts `new` in place of one of `before`, whole or not at all, and readable for its owner alone. False: the file holds
/// something else.
pub(super) fn rewrite(path: &Path, before: &[Secret], new: &Secret) -> io::Result<bool> {
    // What a symbolic link points to is the file; the link stays.
    let path = fs::canonicalize(path)?;
    let text = Secret::new(fs::read_to_string(&path)?);
    let held = text.expose().trim_end_matches(['\r', '\n']);
    if new.matches(held.as_bytes()) {
        return Ok(true);
    }
    if !before.iter().any(|token| token.matches(held.as_bytes())) {
        return Ok(false);
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fresh = folder.join(format!(".{name}.imbot"));
    // One that a crash left may have other rights: make it anew.
    let _ = fs::remove_file(&fresh);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(new.expose().as_bytes())?;
    file.write_all(&text.expose().as_bytes()[held.len()..])?;
    file.sync_all()?;
    fs::rename(&fresh, &path)?;
    File::open(folder)?.sync_all()?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_is_rewritten_whole_and_only_if_it_holds_the_token_before() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("token"), folder.path().join("link"));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let before = [Secret::new("old"), Secret::new("older")];
        let new = Secret::new("new");
        for (held, becomes, written) in [
            ("old\n", "new\n", true),
            ("older", "new", true),
            ("new\r\n", "new\r\n", true),
            ("another\n", "another\n", false),
            ("", "", false),
        ] {
            fs::write(&file, held).unwrap();
            assert_eq!(rewrite(&link, &before, &new).unwrap(), written, "{held:?}");
            assert_eq!(fs::read_to_string(&file).unwrap(), becomes);
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            if written && held != becomes {
                assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            }
        }
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 2, "nothing is left behind");
    }
}
