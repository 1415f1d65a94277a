//! Text of strangers on a terminal: control characters become visible, so it cannot move the cursor or hide a line.

/// `text` in one line.
pub(super) fn one_line(text: &str) -> String {
    text.chars().flat_map(visible).collect()
}

/// `text` with its line breaks kept.
pub(super) fn plain(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(one_line).collect();
    lines.join("\n")
}

fn visible(letter: char) -> impl Iterator<Item = char> {
    // Bidirectional overrides are no control characters, and can reverse a line all the same.
    let dangerous = letter.is_control() || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let escaped = dangerous.then(|| letter.escape_unicode());
    let kept = (!dangerous).then_some(letter);
    escaped.into_iter().flatten().chain(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(one_line("a\u{1b}[2Jb\nc\u{202e}d é"), "a\\u{1b}[2Jb\\u{a}c\\u{202e}d é");
        assert_eq!(plain("a\r\nb\u{7}"), "a\nb\\u{7}");
    }
}
