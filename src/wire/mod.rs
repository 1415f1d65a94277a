//! Bytes to tree: PHP-bracket forms and JSON. Knows brackets and "1"/"0"; knows no event.
