//! A copy of a folder as a kill would leave it, for tests: every commit so far, nothing closed. Ends what it copies: nothing is acknowledged any more.

use super::{Store, schema};
use crate::types::PortalId;
use std::fs;
use std::io;
use std::path::Path;

impl Store {
    /// Copies the folder with its key to `to`, which must not exist. From then on nothing is acknowledged any more: a server
    /// that is killed says nothing later.
    ///
    /// # Errors
    /// The disk.
    pub(crate) async fn copy_as_killed(&self, to: &Path) -> io::Result<()> {
        self.0.shared.failed.send_replace(true);
        // Given back unwritten, once the group under way is committed and its replies are sent.
        let _ = self.record_gap(PortalId(0), "killed").await;
        schema::folder(to).map_err(io::Error::other)?;
        for entry in fs::read_dir(&self.0.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let database = name.to_string_lossy().starts_with(schema::FILE);
            if entry.file_type()?.is_file() && !database && name != "lock" {
                fs::copy(entry.path(), to.join(&name))?;
            }
        }
        let copied = self.copy_to(to.join(schema::FILE)).await;
        copied.map(drop).map_err(io::Error::other)
    }
}
