//! The fuzz target's check on the stable toolchain: the captures with seeded mutations, and arbitrary bytes.

use super::captures::bodies;
use crate::types::is_credential;
use crate::{event, wire};
use proptest::prelude::*;

include!("../../tests/fuzz/check.rs");

/// A small generator with a fixed seed, so that a failure comes back.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap()
    }
}

fn mutate(body: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    const PIECES: [&[u8]; 16] = [
        b"[",
        b"]",
        b"%5B",
        b"%5D",
        b"&",
        b"=",
        b"%",
        b"+",
        b"[]",
        b"\"",
        b"{",
        b"}",
        b"\\u005f",
        b"access_token",
        b"auth",
        b"\xff",
    ];
    for _ in 0..=dice.below(4) {
        let at = dice.below(body.len());
        let to = (at + dice.below(40)).min(body.len());
        let piece = match dice.below(4) {
            0 => Vec::new(),
            1 => PIECES[dice.below(PIECES.len())].to_vec(),
            2 => body[at..to].repeat(2),
            _ => {
                let from = dice.below(other.len());
                other[from..(from + dice.below(80)).min(other.len())].to_vec()
            }
        };
        let end = if dice.below(2) == 0 { at } else { to };
        body.splice(at..end, piece);
    }
}

/// The label and the kept body from the values that are enough, as from the whole. False: all values are needed.
fn enough_is_enough(body: &[u8]) -> bool {
    let Some(wanted) = event::enough(body) else {
        return false;
    };
    let limits = wire::Limits::default();
    let told = |tree: wire::Tree<'_>| {
        let event::Label {
            kind,
            name,
            bot,
            dialog,
            key,
            ts,
            token,
            usable,
        } = event::Label::of(&tree);
        let token = token.map(|token| token.expose().to_owned());
        let kept = wire::cut_credentials(&tree);
        // What the gate looks at: the bot's code, and values directly below `auth`.
        let code = tree
            .root()
            .path(&["data", "bot", "code"])
            .and_then(wire::Node::text_or_none);
        let auth = tree.root().get("auth");
        let auth: Vec<_> = auth
            .iter()
            .flat_map(|auth| auth.children())
            .map(|child| (child.name().to_owned(), child.text_or_none()))
            .collect();
        (
            kind,
            name,
            bot,
            dialog,
            key,
            ts,
            token,
            usable,
            kept,
            auth,
            (code, tree.ignored_pairs()),
        )
    };
    let whole = wire::parse(body, false, &limits).map(told);
    let told = wire::parse_for(body, false, &limits, wanted).map(told);
    assert!(told == whole, "{}", String::from_utf8_lossy(body));
    true
}

/// The same form with the first byte of each key escaped: it means the same, but no key of it is plain.
fn escaped(body: &[u8]) -> Vec<u8> {
    let pair = |pair: &[u8]| match pair {
        [first, rest @ ..] if first.is_ascii_alphanumeric() => [format!("%{first:02X}").as_bytes(), rest].concat(),
        _ => pair.to_vec(),
    };
    body.split(|byte| *byte == b'&')
        .map(pair)
        .collect::<Vec<_>>()
        .join(&b'&')
}

/// Plain keys have a quick reading of their own, which must find what the other one finds.
fn read_either_way(body: &[u8]) {
    if wire::looks_json(body) {
        return;
    }
    let told = |tree: wire::Tree<'_>| {
        let kept = wire::cut_credentials(&tree);
        (tree.root().to_json(), tree.ignored_pairs(), kept)
    };
    let other = escaped(body);
    let limits = wire::Limits::default();
    let some = wire::Selection::new(event::vocabulary(), &["id", "text", "auth"]);
    for wanted in [None, Some(&some)] {
        let read = |body| match wanted {
            Some(wanted) => wire::parse_for(body, false, &limits, wanted).map(told),
            None => wire::parse(body, false, &limits).map(told),
        };
        let (quick, slow) = (read(body), read(&other));
        let quick = quick.map(|(json, ignored, kept)| (json, ignored, escaped(&kept)));
        let slow = slow.map(|(json, ignored, kept)| (json, ignored, escaped(&kept)));
        assert!(quick == slow, "{}\n{quick:?}\n{slow:?}", String::from_utf8_lossy(body));
    }
}

#[test]
fn mutated_captures_keep_the_promises() {
    let captures: Vec<_> = ["public", "hostile"]
        .into_iter()
        .flat_map(bodies)
        .map(|(_, (_, body))| body)
        .collect();
    let small: Vec<_> = captures.iter().filter(|body| body.len() < 10_000).collect();
    captures.iter().for_each(|body| {
        check(body);
        read_either_way(body);
    });
    let mut messages = captures.iter().filter(|body| enough_is_enough(body)).count();
    assert!(messages > 20, "{messages}");
    let mut dice = Dice(0x1d_b075);
    for round in 0..1_500 {
        let mut body = small[round % small.len()].clone();
        let other = small[dice.below(small.len())];
        mutate(&mut body, other, &mut dice);
        check(&body);
        read_either_way(&body);
        messages += usize::from(enough_is_enough(&body));
    }
    assert!(messages > 500, "{messages}");
}

proptest! {
    #[test]
    fn arbitrary_bytes_keep_the_promises(body in prop::collection::vec(any::<u8>(), 0..400)) {
        check(&body);
    }

    #[test]
    fn arbitrary_forms_keep_the_promises(body in "(event|auth|data|ts|a|access_token|\\[|\\]|%5B|%5D|=|&|\\+|%|1|ONIMBOTV2DELETE|bot|id){0,60}") {
        check(body.as_bytes());
        read_either_way(body.as_bytes());
    }

    #[test]
    fn arbitrary_objects_keep_the_promises(data in wire::encode::objects()) {
        let form = wire::encode::form(&data, wire::encode::Brackets::Upper);
        check(form.as_bytes());
        read_either_way(form.as_bytes());
        check(&serde_json::to_vec(&data).unwrap());
    }
}
