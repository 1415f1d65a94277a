//! The admin token: configured, or made at random and written where local commands find it. Never printed.

use super::StartError;
use crate::settings::Settings;
use crate::types::Secret;
use std::io;
use std::path::Path;

/// Configured, or random and kept beside the store for local commands.
pub(super) fn admin_token(settings: &Settings) -> Result<Secret, StartError> {
    if let Some(token) = &settings.admin.token {
        return Ok(token.clone());
    }
    let token = random_token()?;
    write_private(&settings.store.path.join(ADMIN_TOKEN), token.expose()).map_err(StartError::Listen)?;
    Ok(token)
}

/// Random numbers of the machine, for whoever makes tokens.
pub(super) fn random(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(io::Error::other)
}

pub(super) fn random_token() -> Result<Secret, StartError> {
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random).map_err(|error| StartError::Machine(error.to_string()))?;
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Secret::new(token))
}

/// The file of a random admin token, in the store folder.
pub(crate) const ADMIN_TOKEN: &str = "admin.token";

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    // A file left by an earlier run may have other rights: make it anew.
    let _ = std::fs::remove_file(path);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}
