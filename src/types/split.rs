//! Long texts into messages: cut between graphemes and tags, with the tags that are open there closed and opened again.
//! Owns where a cut comes; sends nothing.

use super::refused::{Reason, Refused};
use super::tags::{Kind, Piece, pieces};
use std::ops::Range;

/// Cuts `text` into parts of at most `most` code points. Without the tags that were closed at the end of one part and
/// opened again in the next, the parts are the text. A cut comes behind a line or a word where one ends in the last
/// quarter of a part.
///
/// # Errors
/// A grapheme, or the tags around one, are longer than a part: they cannot be kept whole.
pub(super) fn split(text: &str, most: usize) -> Result<Vec<String>, Refused> {
    let pieces = pieces(text, most);
    let mut parts = Vec::new();
    let (mut from, mut open) = (0, Vec::new());
    while from < pieces.len() {
        let opened: String = open.iter().map(|tag: &Tag| &text[tag.open.clone()]).collect();
        let to = cut(text, &pieces, from, &open, most).ok_or_else(|| Refused::new("message", TOO_DENSE))?;
        let at = pieces[from].at.start..pieces[to - 1].at.end;
        for piece in &pieces[from..to] {
            step(&mut open, piece);
        }
        let closed: String = open.iter().rev().map(|tag| &text[tag.close.clone()]).collect();
        parts.push(opened + &text[at] + &closed);
        from = to;
    }
    Ok(parts)
}

const TOO_DENSE: Reason =
    Reason::Rule("has a sign or tags that are longer than a message, so it cannot be cut into messages");

/// A tag that is open.
#[derive(Clone)]
struct Tag {
    open: Range<usize>,
    close: Range<usize>,
}

fn step(open: &mut Vec<Tag>, piece: &Piece) {
    match &piece.kind {
        Kind::Plain => {}
        Kind::Open { close } => open.push(Tag {
            open: piece.at.clone(),
            close: close.clone(),
        }),
        Kind::Close => {
            open.pop();
        }
    }
}

/// Where the part that begins with piece `from` ends: the number of the piece after it.
fn cut(text: &str, pieces: &[Piece], from: usize, open: &[Tag], most: usize) -> Option<usize> {
    let chars = |at: &Range<usize>| text[at.clone()].chars().count();
    let mut open = open.to_vec();
    let mut length: usize = open.iter().map(|tag| chars(&tag.open) + chars(&tag.close)).sum();
    let (mut at_worst, mut anywhere, mut word, mut line) = (None, None, None, None);
    for (number, piece) in pieces.iter().enumerate().skip(from) {
        // A part never ends with a tag that was just opened, nor before one that only closes.
        let after_text = number > from && !matches!(pieces[number - 1].kind, Kind::Open { .. });
        if after_text && piece.cut && piece.kind != Kind::Close {
            at_worst = Some(number);
            anywhere = if piece.wakes { anywhere } else { at_worst };
            let before = &text[..piece.at.start];
            if !piece.wakes && length * 4 >= most * 3 && before.ends_with(char::is_whitespace) {
                word = Some(number);
                line = if before.ends_with('\n') { word } else { line };
            }
        }
        // The partner's place is taken with the opening tag, so a closing one always fits.
        match &piece.kind {
            Kind::Plain => length += piece.chars,
            Kind::Open { close } => length += piece.chars + chars(close),
            Kind::Close => {}
        }
        if length > most {
            return line.or(word).or(anywhere).or(at_worst);
        }
        step(&mut open, piece);
    }
    Some(pieces.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation as _;

    fn parts(text: &str, most: usize) -> Vec<String> {
        split(text, most).unwrap()
    }

    #[test]
    fn a_text_that_fits_is_one_part() {
        assert_eq!(parts("[b]short[/b]", 20), ["[b]short[/b]"]);
        assert_eq!(parts(&"ä".repeat(20), 20).len(), 1);
        assert_eq!(parts("", 20), [""; 0]);
    }

    #[test]
    fn a_cut_comes_behind_a_line_else_a_word_else_a_sign() {
        assert_eq!(parts("aaaa bbbb\ncc dd", 12), ["aaaa bbbb\n", "cc dd"]);
        assert_eq!(parts("aaaa bbbb cccc", 11), ["aaaa bbbb ", "cccc"]);
        assert_eq!(parts("aa bbbbbbbbbbbbb", 10), ["aa bbbbbbb", "bbbbbb"]);
    }

    #[test]
    fn open_tags_are_closed_and_opened_again() {
        assert_eq!(
            parts("[b]aaaa[i]bbbb[/i][/b]", 16),
            ["[b]aaaa[/b]", "[b][i]bb[/i][/b]", "[b][i]bb[/i][/b]"]
        );
        assert_eq!(
            parts("[url=//x]aaaaaaaa[/url]", 20),
            ["[url=//x]aaaaa[/url]", "[url=//x]aaa[/url]"]
        );
    }

    #[test]
    fn what_cannot_be_kept_whole_is_refused() {
        assert_eq!(
            parts(&">".repeat(50), 20).len(),
            3,
            "at worst, a mark comes to a line's start"
        );
        assert!(split(&format!("a{}", "\u{301}".repeat(30)), 20).is_err());
        assert!(split(&format!("[url={}]a[/url]", "x".repeat(30)), 20).is_err());
    }

    #[test]
    fn an_address_stays_in_one_piece() {
        let text = format!("{} [url]https://a.example/b[/url] c", "x".repeat(30));
        let parts = parts(&text, 70);
        assert!(
            parts.iter().any(|part| part.contains("[url]https://a.example/b[/url]")),
            "{parts:?}"
        );
    }

    /// Well-formed BB code with marks, signs of many code points, and things that only look like tags.
    fn markup() -> impl Strategy<Value = String> {
        let word = prop_oneof![
            "[a-zä ]{1,9}",
            Just("👨‍👩‍👧e\u{301}".to_owned()),
            Just("🇩🇪".to_owned()),
            Just("\n".to_owned()),
            Just("\r\n".to_owned()),
            Just("/or".to_owned()),
            Just(">>".to_owned()),
            Just("[br]".to_owned()),
            Just("[/i]".to_owned()),
            Just("[s]".to_owned()),
            Just("[1] [x".to_owned()),
            Just("\u{301}".to_owned()),
            Just("[url]https://a.b/c[/url]".to_owned()),
        ];
        word.prop_recursive(5, 60, 6, |inner| {
            let tag = prop_oneof![
                Just(("[b]", "[/b]")),
                Just(("[I]", "[/i]")),
                Just(("[url=/x]", "[/url]")),
                Just(("[code]", "[/code]"))
            ];
            (tag, prop::collection::vec(inner, 1..6)).prop_map(|((open, close), inner)| {
                let inner = inner.concat();
                format!("{open}{inner}{close}")
            })
        })
    }

    /// Only tags in pairs, one inside the other.
    fn tidy() -> impl Strategy<Value = String> {
        let word = prop_oneof!["[a-zä ]{1,30}", Just("\n".to_owned()), Just("🇩🇪".to_owned())];
        word.prop_recursive(4, 60, 8, |inner| {
            let name = prop_oneof![Just("b"), Just("i"), Just("u"), Just("s")];
            (name, prop::collection::vec(inner, 1..8))
                .prop_map(|(name, inner)| format!("[{name}]{}[/{name}]", inner.concat()))
        })
    }

    /// The tags that are open at the end of a text, as far as they have partners there.
    fn open_at(pieces: &[Piece], text: &str, end: usize) -> (String, String) {
        let mut open = Vec::new();
        for piece in pieces.iter().take_while(|piece| piece.at.end <= end) {
            step(&mut open, piece);
        }
        let opening = open.iter().map(|tag| &text[tag.open.clone()]).collect();
        let closing = open.iter().rev().map(|tag| &text[tag.close.clone()]).collect();
        (opening, closing)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        #[test]
        fn parts_without_reopened_tags_are_the_text_and_none_is_too_long(
            text in prop::collection::vec(markup(), 1..12).prop_map(|all| all.concat()),
            most in 120_usize..200,
        ) {
            let pieces = pieces(&text, most);
            let graphemes: Vec<usize> = text.grapheme_indices(true).map(|(at, _)| at).collect();
            let (mut at, mut closing) = (0, String::new());
            let parts = parts(&text, most);
            let count = parts.len();
            for (number, part) in parts.into_iter().enumerate() {
                prop_assert!(part.chars().count() <= most);
                let (opened, _) = open_at(&pieces, &text, at);
                let own = part.strip_prefix(opened.as_str()).expect("what was open is opened again");
                // The own text ends where what is open after it can be closed.
                let end = (at..=text.len())
                    .rev()
                    .filter(|end| text.is_char_boundary(*end))
                    .find(|end| own == format!("{}{}", &text[at..*end], open_at(&pieces, &text, *end).1))
                    .expect("a part of the text and the tags that close it");
                let (_, closed) = open_at(&pieces, &text, end);
                closing = closed;
                at = end;
                if number + 1 < count {
                    prop_assert!(graphemes.binary_search(&at).is_ok(), "no grapheme is torn");
                    prop_assert!(pieces.iter().any(|piece| piece.at.start == at), "no tag is torn");
                }
            }
            prop_assert_eq!(at, text.len());
            prop_assert_eq!(closing, "");
        }

        #[test]
        fn every_part_of_well_formed_markup_is_well_formed(text in tidy(), most in 60_usize..120) {
            for part in parts(&text, most) {
                let mut open = Vec::new();
                for tag in part.split('[').skip(1).filter_map(|rest| rest.split(']').next()) {
                    match tag.strip_prefix('/') {
                        None => open.push(tag.to_owned()),
                        Some(name) => {
                            let last = open.pop();
                            prop_assert_eq!(last.as_deref(), Some(name), "{}", part);
                        }
                    }
                }
                prop_assert!(open.is_empty(), "{}", part);
            }
        }

        #[test]
        fn any_text_at_all_is_cut_or_refused(text in "(?s).{0,400}", most in 20_usize..60) {
            if let Ok(parts) = split(&text, most) {
                let long = parts.iter().any(|part| part.chars().count() > most);
                prop_assert!(!long);
            }
        }
    }
}
