//! Nothing of a credential is left, and nothing else is changed.

use super::super::encode::{self, Brackets};
use super::super::{Limits, cut_credentials, parse};
use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

const ALL: Redaction = Redaction { texts: false };

fn redacted(body: &str) -> String {
    String::from_utf8(redact(body.as_bytes(), false, ALL).unwrap()).unwrap()
}

#[test]
fn each_place_of_a_credential_gets_its_field_and_no_other_byte_changes() {
    for (body, expected) in [
        (
            "auth[application_token]=T&a=1\r\n",
            "auth[application_token]=IMBOT_REDACTED_application_token&a=1\r\n",
        ),
        (
            "auth%5Bapplication%5Ftoken%5d=T",
            "auth%5Bapplication%5Ftoken%5d=IMBOT_REDACTED_application_token",
        ),
        (
            "data[bot][auth][application_token]=T&auth[application_token]=U",
            "data[bot][auth][application_token]=IMBOT_REDACTED_nested_application_token&auth[application_token]=IMBOT_REDACTED_application_token",
        ),
        (
            "auth%255Baccess_token%255D=T",
            "auth%255Baccess_token%255D=IMBOT_REDACTED_access_token",
        ),
        (
            "auth[application_token=T&&b",
            "auth[application_token=IMBOT_REDACTED_application_token&&b",
        ),
        (
            "auth[AUTH_ID][deep][0]=T",
            "auth[AUTH_ID][deep][0]=IMBOT_REDACTED_AUTH_ID",
        ),
        ("auth=T", "auth=IMBOT_REDACTED_auth"),
        ("auth[access_token]=&a=b", "auth[access_token]=&a=b"),
        (
            "u=https%3A%2F%2Fa.example%2Frest%2F1%2Fabcdefgh12345678%2Fx.json%3Fauth%3Dsecret%26id%3D1",
            "u=https%3A%2F%2Fa.example%2Frest%2F1%2FIMBOT_REDACTED_webhook_code%2Fx.json%3Fauth%3DIMBOT_REDACTED_auth%26id%3D1",
        ),
        (
            "o=%7B%22access_token%22%3A%22T+U%22%2C%22x%22%3A1%7D",
            "o=%7B%22access_token%22%3A%22IMBOT_REDACTED_access_token%22%2C%22x%22%3A1%7D",
        ),
        (
            "auth[access_token]=abcdef0123456789&note=see+abcdef0123456789.",
            "auth[access_token]=IMBOT_REDACTED_access_token&note=see+IMBOT_REDACTED_access_token.",
        ),
        (
            "{\"auth\" : {\"application_token\":\"T\", \"n\":1e400},\"botToken\":12, \"refresh_token\":null}",
            "{\"auth\" : {\"application_token\":\"IMBOT_REDACTED_application_token\", \"n\":1e400},\"botToken\":\"IMBOT_REDACTED_botToken\", \"refresh_token\":null}",
        ),
        (
            "{\"access_token\":{\"a\":[\"T\",\"U\"]},\"b\":\"{\\\"auth_id\\\":\\\"T\\\"}\"}",
            "{\"access_token\":{\"a\":[\"IMBOT_REDACTED_access_token\",\"IMBOT_REDACTED_access_token\"]},\"b\":\"{\\\"auth_id\\\":\\\"IMBOT_REDACTED_auth_id\\\"}\"}",
        ),
        (
            "{\"acc\\u0065ss_token\":\"T\"}",
            "{\"acc\\u0065ss_token\":\"IMBOT_REDACTED_access_token\"}",
        ),
    ] {
        assert_eq!(redacted(body), expected);
    }
}

#[test]
fn what_no_decoder_reads_keeps_no_credential_either() {
    for body in [
        "{\"auth\":{\"access_token\":\"MARKER",
        "{\"auth\":{'access_token':'MARKER'}}",
        "{\"auth\":{\"access_token\":MARKER}",
        "\u{feff}{\"auth\":{\"application_token\":\"MAR=MARKER\"}}",
        "<token><access_token>x</access_token> access_token = MARKER",
        "[\"auth\",{\"refresh_token\" : [\"MARKER\"",
        "access_token%3DMARKER",
        "x=access_token%253DMARKER",
        "auth.access_token=MARKER",
        "[[[{\"bot_token\":\"MARKER\"",
        "\"access_token\":\"MARKER\"",
    ] {
        assert!(!redacted(body).contains("MARKER"), "{body} -> {}", redacted(body));
    }
    let deep = format!("{}\"access_token\":\"MARKER\"", "{\"a\":".repeat(100_000));
    assert!(!redacted(&deep).contains("MARKER"));
}

#[test]
fn ordinary_words_stay() {
    for body in [
        "data[message][text]=what+is+an+access_token%3F&token=5&auth[domain]=a.example",
        "{\"text\":\"the auth_id: it\",\"auth\":{\"domain\":\"a.example\"},\"rest\":\"/rest/1/\"}",
        "%%%&&=&[]=5&%zz",
        "",
        "{",
    ] {
        let kept = body.replace("auth_id: it", "auth_id it");
        assert_eq!(redacted(&kept), kept);
    }
}

#[test]
fn texts_go_on_request_and_the_body_still_reads() {
    let texts = Redaction { texts: true };
    let body = "data[message][text]=Hi+Ann&data[message][id]=5&data[user][firstName]=Ann&data[user][phones][0]=5";
    let kept = redact(body.as_bytes(), false, texts).unwrap();
    assert_eq!(
        String::from_utf8(kept).unwrap(),
        "data[message][text]=IMBOT_REDACTED_text&data[message][id]=5&data[user][firstName]=IMBOT_REDACTED_firstName\
         &data[user][phones][0]=IMBOT_REDACTED_phones"
    );
    let body = "{\"message\":{\"id\":5,\"text\":\"Hi\"},\"phones\":[\"1\"],\"name\":null}";
    let kept = redact(body.as_bytes(), false, texts).unwrap();
    assert_eq!(
        String::from_utf8(kept).unwrap(),
        "{\"message\":{\"id\":5,\"text\":\"IMBOT_REDACTED_text\"},\"phones\":[\"IMBOT_REDACTED_phones\"],\"name\":null}"
    );
    assert_eq!(redact(b"{\"text\":\"Hi", false, texts), None);
}

#[test]
fn what_a_bot_is_asked_about_goes_with_the_texts_and_a_commands_context_stays() {
    let texts = Redaction { texts: true };
    let body =
        "data[context][deal][stage]=won&data[context][client]=Ann&data[command][context]=textarea&data[context]=x";
    let kept = redact(body.as_bytes(), false, texts).unwrap();
    assert_eq!(
        String::from_utf8(kept).unwrap(),
        "data[context][deal][stage]=IMBOT_REDACTED_context&data[context][client]=IMBOT_REDACTED_context\
         &data[command][context]=textarea&data[context]=IMBOT_REDACTED_context"
    );
    assert_eq!(redacted(body), body, "not on request alone");
    let body = r#"{"data":{"context":{"deal":{"stage":"won","all":["Ann"]},"n":5},"command":{"context":"menu"}},"context":"c"}"#;
    let kept = redact(body.as_bytes(), false, texts).unwrap();
    let gone = "\"IMBOT_REDACTED_context\"";
    assert_eq!(
        String::from_utf8(kept).unwrap(),
        body.replace("\"won\"", gone).replace("\"Ann\"", gone)
    );
    assert_eq!(redacted(body), body);
}

#[test]
fn cuts_get_their_words_back() {
    for (body, expected) in [
        (
            "auth[application_token]=&auth[domain]=&a=1",
            "auth[application_token]=IMBOT_REDACTED_application_token&auth[domain]=&a=1",
        ),
        (
            "{\"auth\":{\"application_token\":\"\",\"access_token\":\"\"},\"a\":\"\"}",
            "{\"auth\":{\"application_token\":\"IMBOT_REDACTED_application_token\",\"access_token\":\"IMBOT_REDACTED_access_token\"},\"a\":\"\"}",
        ),
    ] {
        assert_eq!(String::from_utf8(mark_cuts(body.as_bytes())).unwrap(), expected);
    }
}

/// The tree of a body with everything under a credential's name gone.
fn without_credentials(body: &[u8]) -> Option<Value> {
    let cut = cut_credentials(&parse(body, false, &Limits::default()).ok()?);
    Some(parse(&cut, false, &Limits::default()).ok()?.root().to_json())
}

proptest! {
    #[test]
    fn a_planted_credential_goes_and_everything_else_reads_as_before(
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
        // A scalar of this name at the root is a token itself, to every REST call.
        data.remove("auth");
        data.insert("planted".to_owned(), planted);
        let json = serde_json::to_string(&data).unwrap();
        for body in Brackets::ALL.map(|brackets| encode::form(&data, brackets)).into_iter().chain([json]) {
            let kept = redact(body.as_bytes(), false, ALL).unwrap();
            prop_assert!(memmem::find(&kept, b"planted-secret").is_none(), "{}", String::from_utf8_lossy(&kept));
            prop_assert!(memmem::find(&kept, REDACTED.as_bytes()).is_some());
            prop_assert_eq!(without_credentials(&kept), without_credentials(body.as_bytes()), "{}", body);
            // Redacting twice changes nothing more.
            prop_assert_eq!(redact(&kept, false, ALL).unwrap(), kept);
        }
    }

    #[test]
    fn any_bytes_at_all_are_taken(body in prop::collection::vec(any::<u8>(), 0..300), soup in "[\\[\\]{}\"'=&%:,a_ \\\\]{0,80}") {
        for body in [body, format!("access_token{soup}").into_bytes(), format!("{{\"access_token\"{soup}").into_bytes()] {
            let kept = redact(&body, false, ALL).unwrap();
            let _ = mark_cuts(&kept);
            let _ = redact(&body, true, Redaction { texts: true });
        }
    }
}
