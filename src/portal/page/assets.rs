//! The page's own files, which are part of the program. Builds nothing.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

const INDEX: &str = include_str!("index.html");
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const FILES: [(&str, &str, &str); 9] = [
    ("app.css", CSS, include_str!("app.css")),
    ("inspector.css", CSS, include_str!("inspector.css")),
    ("app.js", SCRIPT, include_str!("app.js")),
    ("bb.js", SCRIPT, include_str!("bb.js")),
    ("blocks.js", SCRIPT, include_str!("blocks.js")),
    ("chat.js", SCRIPT, include_str!("chat.js")),
    ("compose.js", SCRIPT, include_str!("compose.js")),
    ("inspector.js", SCRIPT, include_str!("inspector.js")),
    ("kit.js", SCRIPT, include_str!("kit.js")),
];

pub(super) async fn index() -> Html<&'static str> {
    Html(INDEX)
}

pub(super) async fn file(Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some((_, media, text)) => ([(header::CONTENT_TYPE, *media)], *text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
