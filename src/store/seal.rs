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

/// The store's key, and the one before: what the folder's own key sealed stays readable once one is configured.
#[derive(Debug)]
pub(super) struct Seal {
    key: LessSafeKey,
    before: Option<LessSafeKey>,
}

impl Seal {
    /// Takes the configured key (64 hexadecimal digits), else the folder's own, which is made if there is none.
    pub(super) fn open(folder: &Path, configured: Option<&Secret>) -> Result<Self, OpenError> {
        let path = folder.join(FILE);
        let own = match File::open(&path) {
            Ok(file) => read(file).and_then(|key| cipher(&key)).map(Some),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        };
        let seal = match configured {
            Some(key) => own.and_then(|before| {
                let key = cipher(&digits(key.expose())?)?;
                Ok(Self { key, before })
            }),
            None => own
                .and_then(|own| match own {
                    Some(key) => Ok(key),
                    None => make(folder, &path).and_then(|key| cipher(&key)),
                })
                .map(|key| Self { key, before: None }),
        };
        seal.map_err(|source| OpenError::Io {
            what: "use the key file",
            path,
            source,
        })
    }

    /// Nonce, then the sealed bytes with their tag.
    pub(super) fn seal(&self, secret: &Secret) -> io::Result<Vec<u8>> {
        self.seal_bytes(secret.expose().as_bytes())
    }

    /// As [`seal`](Self::seal).
    pub(super) fn seal_bytes(&self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(io::Error::other)?;
        let mut text = bytes.to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut text)
            .map_err(|_| io::Error::other("sealing failed"))?;
        text.splice(0..0, nonce);
        Ok(text)
    }

    /// The secret, or `None` if it was sealed with another key (a restored backup): then it is as good as absent.
    pub(super) fn unseal(&self, sealed: &[u8]) -> Option<Secret> {
        Some(Secret::new(std::str::from_utf8(&self.unseal_bytes(sealed)?).ok()?))
    }

    /// As [`unseal`](Self::unseal).
    pub(super) fn unseal_bytes(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        [Some(&self.key), self.before.as_ref()]
            .into_iter()
            .flatten()
            .find_map(|key| {
                let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
                let mut text = text.to_vec();
                key.open_in_place(nonce, Aad::empty(), &mut text)
                    .ok()
                    .map(|clear| clear.to_vec())
            })
    }
}

fn cipher(key: &[u8; 32]) -> io::Result<LessSafeKey> {
    let key = UnboundKey::new(&CHACHA20_POLY1305, key).map_err(|_| io::Error::other("not a key"))?;
    Ok(LessSafeKey::new(key))
}

fn digits(text: &str) -> io::Result<[u8; 32]> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "store.key is not 64 hexadecimal digits");
    let mut key = [0; 32];
    if text.len() != 2 * key.len() || !text.is_ascii() {
        return Err(wrong());
    }
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| wrong())?;
    }
    Ok(key)
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
