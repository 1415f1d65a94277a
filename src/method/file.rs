//! Files up and down, as the bot (`imbot.v2.File.*`) and as the calling user (`im.v2.File.*`). Owns their parameters; the
//! bytes of a download are fetched elsewhere.

use super::Reason;
use super::base64::encode;
use super::call::method;
use super::reply::{FileDownloadReply, FileUploadReply};
use crate::types::{Fields, Markup};

/// The largest file, in bytes. Source: Bitrix24 documentation, FILE_TOO_LARGE.
const MAX_FILE: usize = 100 * 1024 * 1024;

/// Declares an upload.
macro_rules! upload {
    ($(#[$meta:meta])* $type:ident, $name:literal, $address:ident) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[must_use]
        pub struct $type(Fields);

        impl $type {
            /// A file into a dialog: its name with extension, and its bytes, at most 100 MB.
            pub fn new(dialog_id: impl AsRef<str>, name: &str, content: &[u8]) -> Self {
                Self(uploaded(dialog_id.as_ref(), name, content))
            }

            /// With words, at most 20,000 characters.
            pub fn message(self, text: impl Into<Markup>) -> Self {
                Self(self.0.words("fields.message", &text.into()))
            }
        }

        method!($type: $name, Never, $address, [
            "dialogId", "fields.name", "fields.content", "fields.message",
        ] -> FileUploadReply; batch = false);
    };
}

fn uploaded(dialog_id: &str, name: &str, content: &[u8]) -> Fields {
    let (count, most, path) = (content.len(), MAX_FILE, "fields.content");
    let fields = Fields::new()
        .dialog("dialogId", dialog_id, true)
        .filled("fields.name", name)
        .must(count > 0, path, Reason::Empty);
    if count > most {
        // Not encoded: nobody will send it.
        return fields.refuse(path, Reason::Form("at most 100 MB (104,857,600 bytes) long"));
    }
    fields.with(path, encode(content))
}

upload! {
    /// `imbot.v2.File.upload`: puts a file into a dialog as the bot; that makes the message too. A repeat uploads and posts
    /// again, so it is never repeated on its own, and never goes in a batch.
    /// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/files/file-upload.html)
    ///
    /// ```no_run
    /// use imbot::method::FileUpload;
    /// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
    /// ctx.call(FileUpload::new("chat5", "report.txt", b"All is well").message("Here is the report"))?;
    /// # Ok(())
    /// # }
    /// ```
    FileUpload, "imbot.v2.File.upload", BOT
}

upload! {
    /// `im.v2.File.upload`: as [`FileUpload`], but as the calling user.
    /// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/im.v2/files/file-upload.html)
    ///
    /// ```
    /// use imbot::method::UserFileUpload;
    /// let call = UserFileUpload::new("chat5", "report.txt", b"All is well");
    /// ```
    UserFileUpload, "im.v2.File.upload", USER
}

/// `imbot.v2.File.download`: a link to a file, good for one download. Each call makes a new one.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/files/file-download.html)
///
/// ```
/// use imbot::method::FileDownload;
/// let call = FileDownload::new(138);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct FileDownload(Fields);

impl FileDownload {
    /// The file with this number on Drive.
    pub fn new(file_id: i64) -> Self {
        Self(Fields::new().id("fileId", file_id))
    }
}

method!(FileDownload: "imbot.v2.File.download", Harmless, BOT, ["fileId"]
    -> FileDownloadReply, Read; batch = false);

/// `im.v2.File.download`: as [`FileDownload`], but for the calling user and with the dialog.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/im.v2/files/file-download.html)
///
/// ```
/// use imbot::method::UserFileDownload;
/// let call = UserFileDownload::new("chat5", 138);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct UserFileDownload(Fields);

impl UserFileDownload {
    /// The file with this number on Drive, in this dialog.
    pub fn new(dialog_id: impl AsRef<str>, file_id: i64) -> Self {
        let fields = Fields::new().dialog("dialogId", dialog_id.as_ref(), true);
        Self(fields.id("fileId", file_id))
    }
}

method!(UserFileDownload: "im.v2.File.download", Harmless, USER, ["dialogId", "fileId"]
    -> FileDownloadReply, Read; batch = false);
