//! Strict base64, as PHP's `base64_decode` with its second argument reads it, but without blanks. Knows no file.

/// The bytes, or `None` for anything that is not plain padded base64.
pub(in crate::portal) fn decode(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    if bytes.is_empty() || !bytes.len().is_multiple_of(4) {
        return None;
    }
    let padding = bytes.iter().rev().take_while(|byte| **byte == b'=').count();
    if padding > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3);
    for (place, group) in bytes.chunks_exact(4).enumerate() {
        let last = (place + 1) * 4 == bytes.len();
        let signs = if last { 4 - padding } else { 4 };
        let mut bits = 0_u32;
        for byte in &group[..signs] {
            bits = bits << 6 | digit(*byte)?;
        }
        bits <<= 6 * (4 - signs);
        out.extend_from_slice(&bits.to_be_bytes()[1..signs]);
    }
    Some(out)
}

fn digit(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_back() {
        for (text, bytes) in [
            ("SGVsbG8gV29ybGQh", &b"Hello World!"[..]),
            ("SGVsbG8=", b"Hello"),
            ("SA==", b"H"),
            ("//79", b"\xff\xfe\xfd"),
        ] {
            assert_eq!(decode(text).unwrap(), bytes, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "S",
            "SGV",
            "SGV=sGVs",
            "data:x;base64,SGVs",
            "SGV sbG8",
            "S===",
            "SGVs!G8=",
            "SGVsbG8_",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
