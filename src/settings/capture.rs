//! `[capture]`: bodies kept as files for a while. Owns its defaults; off unless it says `enabled = true`.

use super::fields::Fields;
use super::model::{CaptureSettings, Keep};
use super::report::Report;
use super::sections::Sources;
use super::values;
use std::path::{Path, PathBuf};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// `store`: its folder.
pub(super) fn read<'a>(sources: Sources<'a>, report: &mut Report<'a>, store: &Path) -> CaptureSettings {
    let mut fields = Fields::of_section("capture", sources.document, sources.overrides, report);
    let keep = [("accepted", Keep::Accepted), ("all", Keep::All)];
    let capture = CaptureSettings {
        enabled: fields.read("enabled", values::flag).unwrap_or(false),
        path: fields
            .read("path", values::filled)
            .map_or_else(|| store.join("captures"), PathBuf::from),
        keep: fields
            .read("keep", |found| values::choice(found, &keep))
            .unwrap_or(Keep::Accepted),
        max_bytes: fields.read("max_bytes", values::size).unwrap_or(64 << 20),
        max_files: fields.read("max_files", values::positive).unwrap_or(10_000),
        max_age: fields.read("max_age", values::lasting).unwrap_or(24 * HOUR),
        stop_after: fields.read("stop_after", values::lasting).unwrap_or(HOUR),
        redact_text: fields.read("redact_text", values::flag).unwrap_or(false),
    };
    if !fields.has("enabled") && sources.document.contains_key("capture") {
        let place = fields.place.clone();
        fields.report.warning(
            &place,
            "capture: nothing is captured: add enabled = true, or remove the section",
        );
    }
    capture
}
