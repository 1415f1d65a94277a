//! Where a credential comes from: a literal, a variable, a file, a systemd credential. Its value never enters an error.

use super::environment::Environment;
use super::fields::Found;
use super::report::Wrong;
use super::values::shown;
use crate::types::{Secret, SecretSource};
use std::io;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

const HELP: &str = "write \"literal\", { env = \"NAME\" }, { file = \"PATH\" } or { credential = \"NAME\" }";

/// Looks credentials up.
pub(super) struct Vault<'a> {
    pub(super) environment: &'a Environment,
    /// Folder of the configuration file: relative `file` paths start there.
    pub(super) folder: &'a Path,
}

impl Vault<'_> {
    /// The credential that `found` names.
    pub(super) fn secret(&self, found: &Found<'_>) -> Result<Secret, Wrong> {
        let value = match (found.value, found.raw) {
            (DeValue::String(text), _) => text.clone().into_owned(),
            (DeValue::Table(table), _) => self.named(table)?,
            // A variable is the credential itself, even one that reads as a TOML number.
            (_, Some(raw)) => raw.to_owned(),
            _ => return Err(Wrong::new("not a secret", HELP)),
        };
        let value = value.trim_end_matches(['\r', '\n']);
        if value.is_empty() {
            return Err(Wrong::new("the secret is empty", "give it a value, or remove the line"));
        }
        Ok(Secret::new(value))
    }

    /// Where `found` says that the credential is; it need not be readable.
    pub(super) fn source(&self, found: &Found<'_>) -> SecretSource {
        let DeValue::Table(table) = found.value else {
            return SecretSource::Literal;
        };
        let Some((kind, name)) = table.iter().next() else {
            return SecretSource::Literal;
        };
        let name = name.get_ref().as_str().unwrap_or_default();
        match kind.get_ref().as_ref() {
            "env" => SecretSource::Variable(name.to_owned()),
            "file" => SecretSource::File(self.folder.join(name)),
            "credential" => SecretSource::Credential(name.to_owned()),
            _ => SecretSource::Literal,
        }
    }

    /// A key of 32 bytes, as 64 hexadecimal digits: written so, or the raw bytes of a file or credential.
    pub(super) fn key(&self, found: &Found<'_>) -> Result<Secret, Wrong> {
        if let DeValue::Table(table) = found.value
            && let Some(path) = self.path(table)?
            && let Ok(raw) = std::fs::read(path)
            && raw.len() == 32
        {
            let digits: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
            return Ok(Secret::new(digits));
        }
        let key = self.secret(found)?;
        if key.expose().len() == 64 && key.expose().bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Secret::new(key.expose().to_ascii_lowercase()));
        }
        let help = "it is 64 hexadecimal digits, as `openssl rand -hex 32` prints them, or a file of 32 bytes";
        Err(Wrong::new("not a key of 32 bytes", help))
    }

    /// The file that holds a secret, if a file does.
    fn path(&self, table: &DeTable<'_>) -> Result<Option<PathBuf>, Wrong> {
        let Some((kind, name)) = table.iter().next() else {
            return Ok(None);
        };
        match (kind.get_ref().as_ref(), name.get_ref().as_str()) {
            ("file", Some(name)) => Ok(Some(self.folder.join(name))),
            ("credential", Some(name)) => self.credential_file(name).map(Some),
            _ => Ok(None),
        }
    }

    fn named(&self, table: &DeTable<'_>) -> Result<String, Wrong> {
        let mut entries = table.iter();
        let (Some((kind, name)), None) = (entries.next(), entries.next()) else {
            return Err(Wrong::new("a secret has exactly one source", HELP));
        };
        let Some(name) = name.get_ref().as_str() else {
            return Err(Wrong::new("the source of a secret is not a string", HELP));
        };
        match kind.get_ref().as_ref() {
            "env" => self.variable(name),
            "file" => read(&self.folder.join(name)),
            "credential" => read(&self.credential_file(name)?),
            _ => Err(Wrong::new("unknown source of a secret", HELP)),
        }
    }

    fn variable(&self, name: &str) -> Result<String, Wrong> {
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            // Somebody may have put the credential itself here, so it is not repeated.
            return Err(Wrong::new(
                "env does not name an environment variable",
                "write the variable's name: letters, digits and _",
            ));
        }
        self.environment.get(name).map(str::to_owned).ok_or_else(|| {
            Wrong::new(
                format!("environment variable {name} is not set"),
                format!("set {name}, or use another source: file or credential"),
            )
        })
    }

    fn credential_file(&self, name: &str) -> Result<PathBuf, Wrong> {
        if name.is_empty() || name.contains('/') || name.starts_with('.') {
            return Err(Wrong::new(
                "not a name of a credential",
                "write the name as in LoadCredential=NAME:…",
            ));
        }
        let folder = self.environment.get("CREDENTIALS_DIRECTORY").ok_or_else(|| {
            Wrong::new(
                "there is no $CREDENTIALS_DIRECTORY, so no systemd credential",
                format!(
                    "start imbot as a systemd unit with LoadCredential={}:…, or use env or file",
                    shown(name)
                ),
            )
        })?;
        Ok(Path::new(folder).join(name))
    }
}

fn read(path: &Path) -> Result<String, Wrong> {
    std::fs::read_to_string(path).map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::NotFound => "does not exist".to_owned(),
            io::ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
            io::ErrorKind::InvalidData => "is not UTF-8 text".to_owned(),
            _ => format!("cannot be read ({})", error.kind()),
        };
        Wrong::new(
            format!("{} {why}", path.display()),
            "put the secret there, or name another file",
        )
    })
}
