//! `multipart/form-data`: the text of its fields, in order. A file's bytes count as text; nothing else is kept.

/// Name and value of each part; nothing for a body that is none.
pub(super) fn fields(media: &str, body: &[u8]) -> impl Iterator<Item = (String, String)> {
    let boundary = parameter(media, "boundary").map(|boundary| format!("--{boundary}"));
    let parts = boundary
        .map(|boundary| split(body, boundary.as_bytes()))
        .unwrap_or_default();
    parts.into_iter().filter_map(field).collect::<Vec<_>>().into_iter()
}

fn field(part: &[u8]) -> Option<(String, String)> {
    let end = find(part, b"\r\n\r\n")?;
    let headers = std::str::from_utf8(&part[..end]).ok()?;
    let value = &part[end + 4..];
    let value = value.strip_suffix(b"\r\n").unwrap_or(value);
    let about = headers
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("content-disposition"))?;
    Some((parameter(about, "name")?, String::from_utf8_lossy(value).into_owned()))
}

/// `name="value"` or `name=value` after a semicolon.
fn parameter(line: &str, name: &str) -> Option<String> {
    let mut pieces = line.split(';').skip(1);
    pieces.find_map(|piece| {
        let (key, value) = piece.trim().split_once('=')?;
        key.eq_ignore_ascii_case(name)
            .then(|| value.trim_matches('"').to_owned())
    })
}

/// What lies between the boundaries.
fn split<'a>(body: &'a [u8], boundary: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut rest = body;
    let mut inside = false;
    while let Some(at) = find(rest, boundary) {
        if inside {
            parts.push(&rest[..at]);
        }
        rest = &rest[at + boundary.len()..];
        inside = true;
    }
    parts
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_with_their_names() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"a[b]\"\r\n\r\none\r\ntwo\r\n\
            --x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"n.txt\"\r\nContent-Type: text/plain\r\n\r\n\r\n--x--\r\n";
        let found: Vec<_> = fields("multipart/form-data; boundary=\"x\"", body).collect();
        assert_eq!(
            found,
            [
                ("a[b]".to_owned(), "one\r\ntwo".to_owned()),
                ("f".to_owned(), String::new())
            ]
        );
    }

    #[test]
    fn a_body_without_its_boundary_has_no_fields() {
        assert_eq!(fields("multipart/form-data", b"--x\r\n\r\n").count(), 0);
        assert_eq!(fields("multipart/form-data; boundary=y", b"--x\r\n\r\nz").count(), 0);
    }
}
