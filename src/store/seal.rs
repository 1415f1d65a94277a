//! Seals the tokens that must be kept, so that no file of the store ever holds one in clear: not the database, not
//! its log, not a freed page, not a backup (which leaves the key file out).

use super::OpenError;
use crate::types::Secret;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const FILE: &str = "key";

/// The store's key.
#[derive(Debug)]
pub(super) struct Seal(LessSafeKey);

impl Seal {
    /// Reads the key of the folder, or makes one.
    pub(super) fn open(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(FILE);
        let key = match File::open(&path) {
            Ok(file) => read(file),
            Err(e) if e.kind() == io::ErrorKind::NotFound => make(folder, &path),
            Err(e) => Err(e),
        };
        key.and_then(|key| UnboundKey::new(&CHACHA20_POLY1305, &key).map_err(|_| io::Error::other("not a key")))
            .map(|key| Self(LessSafeKey::new(key)))
            .map_err(|source| OpenError::Io {
                what: "use the key file",
                path,
                source,
            })
    }

    /// Nonce, then the sealed bytes with their tag.
    pub(super) fn seal(&self, secret: &Secret) -> io::Result<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(io::Error::other)?;
        let mut text = secret.expose().as_bytes().to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut text)
            .map_err(|_| io::Error::other("sealing failed"))?;
        text.splice(0..0, nonce);
        Ok(text)
    }

    /// The secret, or `None` if it was sealed with another key (a restored backup): then it is as good as absent.
    pub(super) fn unseal(&self, sealed: &[u8]) -> Option<Secret> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let clear = self.0.open_in_place(nonce, Aad::empty(), &mut text).ok()?;
        Some(Secret::new(std::str::from_utf8(clear).ok()?))
    }
}

fn read(file: File) -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    let mut all = Vec::new();
    file.take(64).read_to_end(&mut all)?;
    if all.len() != key.len() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it must hold 32 bytes"));
    }
    key.copy_from_slice(&all);
    Ok(key)
}

/// Under another name first, so that a crash leaves no half a key.
fn make(folder: &Path, path: &Path) -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let fresh = folder.join("key.new");
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(&key)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    File::open(folder)?.sync_all()?;
    Ok(key)
}
