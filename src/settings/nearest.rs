//! "Did you mean": the nearest of some known names. Pure text, imports nothing.

/// The candidate nearest to `name`, if one is near enough to be meant: about every third letter may be wrong.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (distance(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be inserted, removed, replaced or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut older: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    let mut before = None;
    for (row, letter) in from.chars().enumerate() {
        let mut line = vec![row + 1];
        for (column, other) in to.iter().enumerate() {
            let replaced = above[column] + usize::from(letter != *other);
            let mut best = replaced.min(above[column + 1] + 1).min(line[column] + 1);
            if column > 0 && before == Some(*other) && letter == to[column - 1] {
                best = best.min(older[column - 1] + 1);
            }
            line.push(best);
        }
        older = std::mem::replace(&mut above, line);
        before = Some(letter);
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_letters_that_are_wrong() {
        for (from, to, expected) in [
            ("listen", "listen", 0),
            ("lisetn", "listen", 1),
            ("liste", "listen", 1),
            ("listenn", "listen", 1),
            ("hold", "cold", 1),
            ("", "abc", 3),
            ("abc", "", 3),
        ] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn suggests_only_what_can_be_meant() {
        let known = ["listen", "path", "max_body_bytes"];
        assert_eq!(nearest("Listn", known), Some("listen"));
        assert_eq!(nearest("max_bodybytes", known), Some("max_body_bytes"));
        assert_eq!(nearest("colour", known), None);
    }
}
