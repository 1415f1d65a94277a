//! The bots that come with imbot: one file a bot. They see only the public API, so copying a file is how to begin.

pub mod echo;
pub mod helpdesk;

use imbot::App;

/// The program with every bot of this folder.
#[must_use]
pub fn app() -> App {
    App::new().bot(echo::bot()).bot(helpdesk::bot())
}
