//! What the checks have said, as a table for people or JSON for programs, and the exit code. Checks nothing itself.

use super::finding::Kind;
use crate::cli::exit;
use crate::cli::text::one_line;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// How a check ended.
#[derive(Debug)]
enum State {
    Fine,
    Skipped,
    Found(&'static Kind),
}

/// One check of one thing.
#[derive(Debug)]
struct Row {
    check: &'static str,
    of: String,
    state: State,
    detail: String,
}

/// Everything that was checked, in order.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Row>);

impl Report {
    fn add(&mut self, (check, of): (&'static str, &str), state: State, detail: &str) {
        self.0.push(Row {
            check,
            of: one_line(of),
            state,
            detail: one_line(detail),
        });
    }

    pub(super) fn fine(&mut self, what: (&'static str, &str), detail: &str) {
        self.add(what, State::Fine, detail);
    }

    /// Not checked, and why.
    pub(super) fn skipped(&mut self, what: (&'static str, &str), why: &str) {
        self.add(what, State::Skipped, why);
    }

    pub(super) fn found(&mut self, what: (&'static str, &str), kind: &'static Kind, detail: &str) {
        self.add(what, State::Found(kind), detail);
    }

    fn findings(&self) -> impl Iterator<Item = (&Row, &'static Kind)> {
        self.0.iter().filter_map(|row| match row.state {
            State::Found(kind) => Some((row, kind)),
            _ => None,
        })
    }

    fn count(&self, fails: bool) -> usize {
        self.findings().filter(|(_, kind)| kind.fails == fails).count()
    }

    /// 1 if something failed; warnings do not count.
    pub(super) fn exit(&self) -> u8 {
        if self.count(true) > 0 { exit::REFUSED } else { 0 }
    }

    pub(super) fn json(&self) -> Value {
        let checks: Vec<Value> = self
            .0
            .iter()
            .map(|row| {
                json!({
                    "check": row.check, "of": row.of, "state": row.state.word(), "detail": row.detail,
                    "finding": row.state.kind().map(|kind| kind.name),
                })
            })
            .collect();
        let findings: Vec<Value> = self
            .findings()
            .map(|(row, kind)| {
                json!({
                    "finding": kind.name, "check": row.check, "of": row.of, "failure": kind.fails,
                    "detail": row.detail, "means": kind.means, "do": kind.remedy, "change": kind.change,
                })
            })
            .collect();
        json!({
            "failures": self.count(true), "warnings": self.count(false), "findings": findings, "checks": checks,
        })
    }

    /// The table, then each finding with what it means and what to do.
    pub(super) fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING);
        table.set_header(["STATE", "CHECK", "OF", "FOUND"]);
        for row in &self.0 {
            table.add_row([row.state.word(), row.check, &row.of, &row.detail]);
        }
        let mut text: String = table
            .lines()
            .map(|line| format!("{}\n", line.trim()))
            .collect::<Vec<_>>()
            .concat();
        for (row, kind) in self.findings() {
            let _ = write!(
                text,
                "\n{} {}: {} of {}\n  found   {}\n  means   {}\n  do      {}\n  change  {}\n",
                row.state.word(),
                kind.name,
                row.check,
                row.of,
                row.detail,
                kind.means,
                kind.remedy,
                kind.change,
            );
        }
        let (failures, warnings) = (self.count(true), self.count(false));
        let _ = match (failures, warnings) {
            (0, 0) => writeln!(text, "\nnothing found"),
            _ => writeln!(text, "\n{failures} failed, {warnings} warnings"),
        };
        text
    }
}

impl State {
    fn word(&self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Skipped => "skipped",
            Self::Found(kind) if kind.fails => "FAILED",
            Self::Found(_) => "warning",
        }
    }

    fn kind(&self) -> Option<&'static Kind> {
        match self {
            Self::Found(kind) => Some(kind),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding;
    use super::*;

    #[test]
    fn warnings_do_not_fail_and_each_finding_says_what_to_change() {
        let mut report = Report::default();
        report.fine(("store", "/data"), "1 ms");
        report.found(("round trip", "u"), &finding::SENT_IN_CLEAR, "http");
        assert_eq!(report.exit(), 0);
        report.found(("bot", "demo/7"), &finding::BOT_MISSING, "a\u{1b}[2J");
        assert_eq!(report.exit(), 1);
        let text = report.text();
        for part in [
            "FAILED bot_missing: bot of demo/7",
            "change  [[portal.bot]] id",
            "1 failed, 1 warnings",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains('\u{1b}'));
        let json = report.json();
        assert_eq!(json["findings"][1]["change"], "[[portal.bot]] id");
        assert_eq!((&json["failures"], &json["warnings"]), (&json!(1), &json!(1)));
    }

    #[test]
    fn every_kind_says_what_it_means_what_to_do_and_what_to_change() {
        for kind in finding::ALL {
            assert!(kind.means.ends_with('.') && !kind.remedy.is_empty(), "{}", kind.name);
            assert!(!kind.change.is_empty(), "{}", kind.name);
        }
    }
}
