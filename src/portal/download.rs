//! The one-time links to files. Gives the bytes once, then 403.

use super::answer::Answer;
use super::files::Followed;
use super::heard::Heard;
use super::log::Decision;
use super::shared::Shared;
use serde_json::Value;

/// The answer to `/rest/download.json?token=…`; `None`: it is no such request.
pub(super) fn serve(shared: &Shared, heard: &Heard) -> Option<Answer> {
    if heard.route.method != "download" {
        return None;
    }
    let token = heard.params.get("token").and_then(Value::as_str)?;
    let answer = match shared.state().portal.files.follow(token) {
        Followed::Unknown => Answer::html(404, "404 Not Found"),
        Followed::Used => Answer::html(403, "403 Forbidden"),
        Followed::File(file) => {
            let name = file.name.replace(['"', '\\', '\r', '\n'], "_");
            Answer::text(200, "application/octet-stream", file.bytes.clone())
                .with("Content-Disposition", format!("attachment; filename=\"{name}\""))
        }
    };
    let decision = match answer.status {
        200 => Decision::Executed { message_id: None },
        status => Decision::Refused {
            code: status.to_string(),
        },
    };
    shared.log(heard.entry("link", decision, Some(answer.status)));
    Some(answer)
}
