//! What single values mean: durations, sizes, addresses, choices. Each refuses with what to write instead.
//!
//! Texts that a person may have mistaken for a place to put a credential (URLs, domains) are never repeated in errors.

use super::fields::Found;
use super::nearest::nearest;
use super::report::Wrong;
use std::net::SocketAddr;
use std::time::Duration;
use toml::de::DeValue;

/// Longer is a slip of the keyboard, and would not survive arithmetic with timestamps.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

const DURATION_HELP: &str = "write a number and ms, s, m, h or d, for example \"30s\"";
const SIZE_HELP: &str = "write a number of bytes, or a number and KiB, MiB, GiB, KB, MB or GB, for example \"64MiB\"";

/// Any text. A variable's value is text even where it reads as a TOML number.
pub(super) fn text<'a>(found: &Found<'a>) -> Result<&'a str, Wrong> {
    match (found.value, found.raw) {
        (DeValue::String(text), _) => Ok(text),
        (_, Some(raw)) => Ok(raw),
        _ => Err(Wrong::new("not a string", "put the value in double quotes")),
    }
}

/// Text of at least one character.
pub(super) fn filled<'a>(found: &Found<'a>) -> Result<&'a str, Wrong> {
    match text(found)? {
        "" => Err(Wrong::new("empty", "give it a value, or remove the line")),
        text => Ok(text),
    }
}

/// `true` or `false`.
pub(super) fn flag(found: &Found<'_>) -> Result<bool, Wrong> {
    match found.value {
        DeValue::Boolean(value) => Ok(*value),
        _ => Err(Wrong::new("not true or false", "write true or false, without quotes")),
    }
}

/// An integer of any sign.
pub(super) fn integer(found: &Found<'_>) -> Result<i64, Wrong> {
    let DeValue::Integer(digits) = found.value else {
        return Err(Wrong::new("not an integer", "write a whole number, without quotes"));
    };
    i64::from_str_radix(digits.as_str(), digits.radix())
        .map_err(|_| Wrong::new("too large", "write a number below 9223372036854775808"))
}

/// A whole number of at least 1 that fits `T`.
pub(super) fn positive<T: TryFrom<i64>>(found: &Found<'_>) -> Result<T, Wrong> {
    let value = integer(found)?;
    if value < 1 {
        return Err(Wrong::new(format!("{value} is too small"), "write at least 1"));
    }
    T::try_from(value).map_err(|_| Wrong::new(format!("{value} is too large"), "write a smaller number"))
}

/// A number above 0, whole or not.
pub(super) fn positive_number(found: &Found<'_>) -> Result<f64, Wrong> {
    let help = "write a number above 0, for example 2.0";
    let value: f64 = match found.value {
        DeValue::Integer(digits) if digits.radix() == 10 => digits.as_str().parse(),
        DeValue::Float(digits) => digits.as_str().parse(),
        _ => return Err(Wrong::new("not a number", help)),
    }
    .map_err(|_| Wrong::new("not a number", help))?;
    if value.is_finite() && value > 0.0 {
        Ok(value)
    } else {
        Err(Wrong::new(format!("{value} is not above 0"), help))
    }
}

/// `"30s"`; zero is a duration too.
pub(super) fn duration(found: &Found<'_>) -> Result<Duration, Wrong> {
    let text = text(found).map_err(|_| Wrong::new("a duration needs its unit", DURATION_HELP))?;
    let refused = |why: &str| Wrong::new(format!("\"{}\" {why}", shown(text)), DURATION_HELP);
    let (number, unit) = number_and_unit(text).ok_or_else(|| refused("is not a duration"))?;
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(refused("is not a duration")),
    };
    match number.checked_mul(milliseconds).map(Duration::from_millis) {
        Some(duration) if duration <= LONGEST => Ok(duration),
        _ => Err(refused("is more than ten years")),
    }
}

/// A duration above zero.
pub(super) fn lasting(found: &Found<'_>) -> Result<Duration, Wrong> {
    match duration(found)? {
        Duration::ZERO => Err(Wrong::new("zero is not allowed here", DURATION_HELP)),
        duration => Ok(duration),
    }
}

/// `"2GiB"` or a number of bytes, at least 1.
pub(super) fn size(found: &Found<'_>) -> Result<u64, Wrong> {
    if let DeValue::Integer(_) = found.value {
        return positive(found);
    }
    let text = text(found).map_err(|_| Wrong::new("not a size", SIZE_HELP))?;
    let refused = |why: &str| Wrong::new(format!("\"{}\" {why}", shown(text)), SIZE_HELP);
    let (number, unit) = number_and_unit(text).ok_or_else(|| refused("is not a size"))?;
    let bytes: u64 = match unit.to_ascii_lowercase().as_str() {
        "b" | "" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return Err(refused("is not a size")),
    };
    match number.checked_mul(bytes) {
        Some(0) => Err(refused("is too small")),
        // SQLite and the page arithmetic of the store count in signed 64 bits.
        Some(size) if i64::try_from(size).is_ok() => Ok(size),
        _ => Err(refused("is too large")),
    }
}

/// A size that one process can address.
pub(super) fn memory_size(found: &Found<'_>) -> Result<usize, Wrong> {
    usize::try_from(size(found)?).map_err(|_| Wrong::new("too large", SIZE_HELP))
}

/// `"127.0.0.1:8080"`.
pub(super) fn address(found: &Found<'_>) -> Result<SocketAddr, Wrong> {
    let text = text(found)?;
    text.parse().map_err(|_| {
        Wrong::new(
            format!("\"{}\" is not an IP address with a port", shown(text)),
            "write it as \"127.0.0.1:8080\"",
        )
    })
}

/// One of some words.
pub(super) fn choice<T: Copy>(found: &Found<'_>, words: &[(&str, T)]) -> Result<T, Wrong> {
    let text = text(found)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    Err(Wrong::new(
        format!("\"{}\" is not one of the choices", shown(text)),
        suggestion(text, &names),
    ))
}

/// "did you mean", else all that would do.
pub(super) fn suggestion(text: &str, names: &[&str]) -> String {
    match nearest(text, names.iter().copied()) {
        Some(name) => format!("did you mean \"{name}\"?"),
        None => format!("write one of: {}", names.join(", ")),
    }
}

/// A text as errors may repeat it: short, without control characters, and no address, which may be a webhook's.
pub(super) fn shown(text: &str) -> String {
    if text.contains("://") || text.chars().count() > 40 {
        return "…".to_owned();
    }
    text.chars().flat_map(char::escape_debug).collect()
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim()))
}
