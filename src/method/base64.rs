//! Bytes as base64 text, and what a picture's first bytes say about its size. Knows no method.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Standard base64 with padding, in one allocation: a file of 100 MB must not be copied twice on the way.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let sign = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= group.len() { char::from(sign) } else { '=' });
        }
    }
    text
}

/// Width and height of a PNG, GIF or JPEG picture; `None` for other formats, which the portal judges itself.
pub(super) fn picture_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize, length: usize, big: bool| {
        let bytes = bytes.get(at..at + length)?;
        let joined = |sum: u32, byte: &u8| sum << 8 | u32::from(*byte);
        Some(if big {
            bytes.iter().fold(0, joined)
        } else {
            bytes.iter().rev().fold(0, joined)
        })
    };
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some((number(16, 4, true)?, number(20, 4, true)?));
    }
    if bytes.starts_with(b"GIF8") {
        return Some((number(6, 2, false)?, number(8, 2, false)?));
    }
    if !bytes.starts_with(b"\xff\xd8") {
        return None;
    }
    let mut at = 2;
    loop {
        let marker = number(at, 2, true)?;
        // Start of frame, in all its kinds; C4, C8 and CC are something else.
        if matches!(marker, 0xffc0..=0xffcf) && !matches!(marker, 0xffc4 | 0xffc8 | 0xffcc) {
            return Some((number(at + 7, 2, true)?, number(at + 5, 2, true)?));
        }
        at += 2 + number(at + 2, 2, true)? as usize;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_padded_text() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"Hello World!", "SGVsbG8gV29ybGQh"),
            (b"\xfb\xff\xfe", "+//+"),
        ] {
            assert_eq!(encode(bytes), text);
        }
    }

    #[test]
    fn pictures_tell_their_size_and_broken_ones_nothing() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x13\x89\0\0\0\x10";
        assert_eq!(picture_size(png), Some((5001, 16)));
        assert_eq!(picture_size(b"GIF89a\x0a\0\x0b\0"), Some((10, 11)));
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x11\x08\0\x20\0\x30";
        assert_eq!(picture_size(jpeg), Some((48, 32)));
        for broken in [
            &b""[..],
            b"\x89PNG\r\n\x1a\n",
            b"GIF8",
            b"\xff\xd8",
            b"\xff\xd8\xff\xe0\0\0",
            b"RIFF",
        ] {
            assert_eq!(picture_size(broken), None);
        }
    }
}
