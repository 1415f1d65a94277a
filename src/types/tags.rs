//! BB code as pieces that must not be torn: tags with their partners, tags that stand alone, and graphemes. Owns what
//! counts as a tag; cuts nothing.

use super::markup::mark_at_line_start;
use std::collections::HashMap;
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation as _;

/// The tags that the portal knows. Source: Bitrix24 documentation, message formatting.
const NAMES: [&str; 20] = [
    "b",
    "i",
    "u",
    "s",
    "size",
    "color",
    "url",
    "user",
    "chat",
    "context",
    "code",
    "img",
    "icon",
    "put",
    "send",
    "call",
    "timestamp",
    "disk",
    "br",
    "attach",
];
/// Without a value their content is an address, a number or a command: half of it would be another one.
const WHOLE: [&str; 6] = ["url", "img", "put", "send", "call", "disk"];

/// What a piece is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A grapheme, or a tag without a partner.
    Plain,
    /// Opens what the tag at `close` ends.
    Open { close: Range<usize> },
    /// Ends what the piece before it opened.
    Close,
}

/// A piece of a text: its bytes, its length in code points, and what a cut before it would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    pub(super) at: Range<usize>,
    pub(super) chars: usize,
    /// Begins a grapheme of the whole text (a tag may have a combining mark behind it), so a cut tears nothing.
    pub(super) cut: bool,
    /// Begins with a mark that acts at the start of a line only, and does not stand at one.
    pub(super) wakes: bool,
}

/// A tag as it stands in the text.
struct Tag<'a> {
    name: String,
    closes: bool,
    has_value: bool,
    at: Range<usize>,
    text: &'a str,
}

/// What the text is made of. The pieces lie side by side and cover it.
pub(super) fn pieces(text: &str, most: usize) -> Vec<Piece> {
    let tags = tags(text);
    let partners = partners(&tags);
    let mut pieces = Vec::with_capacity(text.len());
    let (mut from, mut number) = (0, 0);
    while let Some(tag) = tags.get(number) {
        plain(text, from..tag.at.start, &mut pieces);
        let (kind, last) = match partners.get(&number) {
            Some(end) if is_whole(text, &tags, number, *end, most) => (Kind::Plain, *end),
            Some(end) if *end > number => (
                Kind::Open {
                    close: tags[*end].at.clone(),
                },
                number,
            ),
            Some(_) => (Kind::Close, number),
            None => (Kind::Plain, number),
        };
        let at = tag.at.start..tags[last].at.end;
        from = at.end;
        number = last + 1;
        pieces.push(piece(kind, text, at));
    }
    plain(text, from..text.len(), &mut pieces);
    mark_cuts(text, &mut pieces);
    pieces
}

fn piece(kind: Kind, text: &str, at: Range<usize>) -> Piece {
    let chars = text[at.clone()].chars().count();
    Piece {
        kind,
        at,
        chars,
        cut: false,
        wakes: false,
    }
}

fn plain(text: &str, at: Range<usize>, pieces: &mut Vec<Piece>) {
    for (offset, grapheme) in text[at.clone()].grapheme_indices(true) {
        let start = at.start + offset;
        pieces.push(piece(Kind::Plain, text, start..start + grapheme.len()));
    }
}

fn mark_cuts(text: &str, pieces: &mut [Piece]) {
    let mut borders = text.grapheme_indices(true).map(|(at, _)| at).peekable();
    for piece in pieces {
        let start = piece.at.start;
        while borders.next_if(|border| *border < start).is_some() {}
        let new_line = text[..start].ends_with(['\n', '\r']);
        piece.cut = borders.peek() == Some(&start);
        piece.wakes = !new_line && mark_at_line_start(text[start..].trim_start()) > 0;
    }
}

/// Whether everything from one tag to its partner stays together. What is too long for that is cut like other text.
fn is_whole(text: &str, tags: &[Tag<'_>], open: usize, close: usize, most: usize) -> bool {
    let tag = &tags[open];
    let all = tag.at.start..tags[close.max(open)].at.end;
    close > open
        && WHOLE.contains(&tag.name.as_str())
        && !tag.has_value
        && text[all].chars().take(most / 2 + 1).count() <= most / 2
}

/// Everything that looks like a known tag, in order; between `[code]` and `[/code]` nothing does.
fn tags(text: &str) -> Vec<Tag<'_>> {
    let mut tags: Vec<Tag<'_>> = Vec::new();
    let mut from = 0;
    while let Some(found) = text[from..].find('[') {
        let start = from + found;
        let Some(tag) = tag(text, start) else {
            from = start + 1;
            continue;
        };
        from = tag.at.end;
        if tag.name == "code" && !tag.closes {
            let end = text[from..].to_ascii_lowercase().find("[/code]");
            from = end.map_or(from, |end| from + end);
        }
        tags.push(tag);
    }
    tags
}

/// The tag that begins at `start`: `[name]`, `[name=value]`, `[name word=value]` or `[/name]`, all on one line.
fn tag(text: &str, start: usize) -> Option<Tag<'_>> {
    let rest = &text[start + 1..];
    let end = rest
        .find(['[', ']', '\n', '\r'])
        .filter(|end| rest[*end..].starts_with(']'))?;
    let inner = &rest[..end];
    let (closes, inner) = inner.strip_prefix('/').map_or((false, inner), |inner| (true, inner));
    let length = inner.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (name, value) = (inner[..length].to_ascii_lowercase(), &inner[length..]);
    let known = NAMES.contains(&name.as_str()) && (value.is_empty() || (!closes && value.starts_with(['=', ' '])));
    let at = start..start + 1 + end + 1;
    known.then(|| Tag {
        name,
        closes,
        has_value: value.starts_with('='),
        text: &text[at.clone()],
        at,
    })
}

/// Which tag ends which, in both directions. A tag that closes nothing, or is never closed, has no partner; nor has one
/// that is crossed by an earlier one.
fn partners(tags: &[Tag<'_>]) -> HashMap<usize, usize> {
    let (mut open, mut partners): (Vec<usize>, _) = (Vec::new(), HashMap::new());
    for (number, tag) in tags.iter().enumerate() {
        debug_assert!(tag.text.ends_with(']'), "a tag is taken whole");
        if !tag.closes {
            open.push(number);
        } else if let Some(place) = open.iter().rposition(|opened| tags[*opened].name == tag.name) {
            partners.insert(open[place], number);
            partners.insert(number, open[place]);
            open.truncate(place);
        }
    }
    partners
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> String {
        let sign = |piece: &Piece| match piece.kind {
            Kind::Plain if piece.chars > 1 => 'T',
            Kind::Plain => '.',
            Kind::Open { .. } => '(',
            Kind::Close => ')',
        };
        pieces(text, 20_000).iter().map(sign).collect()
    }

    #[test]
    fn tags_find_their_partners() {
        for (text, expected) in [
            ("a[b]c[/b]", ".(.)"),
            ("[B]x[/b]", "(.)"),
            ("[b][i]x[/i][/b]", "((.))"),
            ("[b][i]x[/b][/i]", "(T.)T"),
            ("[b]never closed", "T............"),
            ("x[/b]", ".T"),
            ("[br][icon=x size=1]", "TT"),
            ("[url=https://a]b[/url]", "(.)"),
            ("[url]https://a[/url]", "T"),
            ("[send]/x[/send][send=/x]y[/send]", "T(.)"),
            ("[code][b][/code]", "(...)"),
            ("[x]a [1] [b c", "............."),
            ("[\u{200B}b]", "...."),
            ("[user=all]x[/user]", "(.)"),
        ] {
            assert_eq!(shape(text), expected, "{text}");
        }
    }

    #[test]
    fn pieces_cover_the_text() {
        let text = "e\u{301}[b]👨‍👩‍👧 x[/b]\u{301} [img size=small]https://a/b.png [/img]";
        let pieces = pieces(text, 20_000);
        let all: String = pieces.iter().map(|piece| &text[piece.at.clone()]).collect();
        assert_eq!(all, text);
        let chars: usize = pieces.iter().map(|piece| piece.chars).sum();
        assert_eq!(chars, text.chars().count());
    }

    #[test]
    fn no_good_cut_is_inside_a_grapheme_or_before_a_mark_that_acts_at_a_line_start() {
        let bad = |piece: &Piece| !piece.cut || piece.wakes;
        let no_cut = |text: &str, at: usize| pieces(text, 20_000).iter().any(|p| p.at.start == at && bad(p));
        assert!(no_cut("[b]x[/b]\u{301}", 8), "a combining mark behind a tag");
        assert!(no_cut("and/or", 3));
        assert!(no_cut("a >>b", 1) && no_cut("a >>b", 2));
        assert!(!no_cut("a\n/or", 2), "it stands at a line's start already");
        assert!(!no_cut("1/2 a", 3));
    }
}
