//! Properties of the decoder over data as PHP encodes it.

use super::encode::{self, Brackets};
use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

static VOCABULARY: LazyLock<Vocabulary> =
    LazyLock::new(|| Vocabulary::new(&["planted[a][b]", "planted[a][bot_token]"]));
static SELECTION: LazyLock<Selection> = LazyLock::new(|| Selection::new(&VOCABULARY, &["id"]));

proptest! {
    #[test]
    fn what_php_encodes_comes_back(data in encode::objects()) {
        let expected = encode::after_form(&Value::Object(data.clone()));
        for brackets in Brackets::ALL {
            let body = encode::form(&data, brackets);
            let read = parse(body.as_bytes(), false, &Limits::default()).ok().map(|tree| tree.root().to_json());
            prop_assert_eq!(&read, &expected, "{}", body);
        }
    }

    #[test]
    fn json_comes_back(data in encode::objects()) {
        let body = serde_json::to_vec(&data).unwrap();
        // Names are read as in a form, so an object with the keys 0..n-1 is a list in both.
        let read = parse(&body, true, &Limits::default()).unwrap();
        for (name, value) in &data {
            prop_assert_eq!(encode::after_form(&read.root().get(name).unwrap().to_json()), encode::after_form(value));
        }
    }

    #[test]
    fn a_planted_credential_is_cut(
        data in encode::objects(),
        path in prop::collection::vec(encode::names(), 0..5),
        credential in prop::sample::select(vec!["access_token", "ACCESS_TOKEN", "refreshToken", "bot_token", "AUTH_ID", "application_token"]),
        below in prop::collection::vec("[a-z]{1,3}", 0..3),
    ) {
        let mut planted = json!("planted-secret");
        for name in below.iter().rev() {
            planted = json!({ name.as_str(): planted });
        }
        planted = json!({ credential: planted });
        for name in path.iter().rev() {
            planted = json!({ name.as_str(): planted });
        }
        let mut data = data;
        data.insert("planted".to_owned(), planted);
        let json = serde_json::to_string(&data).unwrap();
        for body in Brackets::ALL.map(|brackets| encode::form(&data, brackets)).into_iter().chain([json]) {
            prop_assert!(body.contains("planted-secret"));
            let whole = parse(body.as_bytes(), false, &Limits::default()).unwrap();
            let part = parse_for(body.as_bytes(), false, &Limits::default(), &SELECTION).unwrap();
            for cut in [whole, part].map(|tree| cut_credentials(&tree)) {
                let cut = String::from_utf8(cut).unwrap();
                prop_assert!(!cut.contains("planted-secret"), "{}", cut);
            }
        }
    }
}
