//! The way down of the last plain key: PHP writes an object's fields one after the other, so the next key mostly begins
//! with the same groups and need not be looked up again. Owns which keys are plain and which groups two keys share;
//! touches no tree.

use super::Limits;
use std::ops::Range;

/// Bytes that end a plain name: what must be decoded or separates, and all that is not ASCII.
const ENDS_NAME: [bool; 256] = {
    let mut ends = [false; 256];
    let mut at = 0;
    while at < ends.len() {
        ends[at] = at >= 0x80;
        at += 1;
    }
    at = 0;
    while at < b"%+[]=&".len() {
        ends[b"%+[]=&"[at] as usize] = true;
        at += 1;
    }
    ends
};

/// The groups above the last plain key's own name, outermost first. A value can only take the place of something below
/// them, so what they lead to stays where it is.
#[derive(Default)]
pub(super) struct Trail<'a> {
    key: &'a [u8],
    steps: Vec<Step>,
    ahead: Vec<Ahead>,
}

/// An object that the key leads through.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// Bytes of the key up to the name inside it, the opening bracket included.
    pub(super) end: usize,
    pub(super) node: u32,
    pub(super) credential: bool,
}

/// A name between the steps and the key's own name, and where the name inside it begins.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    from: usize,
    to: usize,
    end: usize,
}

/// A key of which nothing has to be decoded. Places count from the key's beginning.
pub(super) struct Plain {
    /// Its own name, the innermost.
    pub(super) name: Range<usize>,
    pub(super) end: usize,
}

impl<'a> Trail<'a> {
    /// Reads the key that `rest` of a body begins with, and goes back to where it leaves the last one. `None`: it has an
    /// escape in a name, an empty group, something behind a group, or is too long or too deep.
    pub(super) fn read(&mut self, rest: &'a [u8], limits: &Limits) -> Option<Plain> {
        // Each step that is left was taken for another key, so this costs no more than those keys did.
        while self.last().is_some_and(|step| !rest.starts_with(&self.key[..step.end])) {
            self.steps.pop();
        }
        self.ahead.clear();
        let mut from = self.last().map_or(0, |step| step.end);
        loop {
            let to = name_end(rest, from);
            if to == from || to > limits.max_key_bytes {
                return None;
            }
            let behind = if from == 0 { to } else { closing(rest, to)? };
            if matches!(rest.get(behind), None | Some(b'=' | b'&')) {
                let fits = behind <= limits.max_key_bytes && self.steps.len() + self.ahead.len() <= limits.depth();
                return fits.then_some(Plain {
                    name: from..to,
                    end: behind,
                });
            }
            let end = opening(rest, behind)?;
            self.ahead.push(Ahead { from, to, end });
            from = end;
        }
    }

    /// The object that holds the key's name; `None`: the root.
    pub(super) fn last(&self) -> Option<Step> {
        self.steps.last().copied()
    }

    /// How many objects the key leads through, the root aside.
    pub(super) fn depth(&self) -> usize {
        self.steps.len()
    }

    /// The next name of the key that leads further down, and what [`step`](Self::step) needs to know of it.
    pub(super) fn next(&self, rest: &'a [u8], place: usize) -> Option<(&'a [u8], usize)> {
        let ahead = self.ahead.get(place)?;
        Some((&rest[ahead.from..ahead.to], ahead.end))
    }

    /// Goes one step further down in the key that `rest` begins with.
    pub(super) fn step(&mut self, rest: &'a [u8], step: Step) {
        self.key = &rest[..step.end];
        self.steps.push(step);
    }
}

fn name_end(key: &[u8], mut at: usize) -> usize {
    while let Some(byte) = key.get(at)
        && !ENDS_NAME[usize::from(*byte)]
    {
        at += 1;
    }
    at
}

/// Behind the opening bracket that stands exactly here.
fn opening(key: &[u8], at: usize) -> Option<usize> {
    match key.get(at..)? {
        [b'[', ..] => Some(at + 1),
        [b'%', b'5', b'B' | b'b', ..] => Some(at + 3),
        _ => None,
    }
}

/// Behind the closing bracket that stands exactly here.
fn closing(key: &[u8], at: usize) -> Option<usize> {
    match key.get(at..)? {
        [b']', ..] => Some(at + 1),
        [b'%', b'5', b'D' | b'd', ..] => Some(at + 3),
        _ => None,
    }
}
