//! What the decoder promises, spelled out and as properties.

use super::*;
use serde_json::{Value, json};

fn form(body: &str) -> Value {
    tree(body.as_bytes()).root().to_json()
}

fn tree(body: &[u8]) -> Tree<'_> {
    parse(body, false, &Limits::default()).unwrap()
}

fn refused(body: &str) -> &'static str {
    parse(body.as_bytes(), false, &Limits::default()).unwrap_err().reason()
}

#[test]
fn keys_are_split_as_php_splits_them() {
    for (body, expected) in [
        ("a=1", json!({"a": "1"})),
        ("a%5Bb%5D%5Bc%5D=1", json!({"a": {"b": {"c": "1"}}})),
        ("a%5bb%5d[c]=1", json!({"a": {"b": {"c": "1"}}})),
        ("a[b]x=1", json!({"a": {"b": "1"}})),
        ("a[b]x[c]=1", json!({"a": {"b": "1"}})),
        ("a[[b]]=1", json!({"a": {"[b": "1"}})),
        ("a]b=1", json!({"a]b": "1"})),
        ("a=b=c", json!({"a": "b=c"})),
        ("a", json!({"a": ""})),
        ("a;b=1", json!({"a;b": "1"})),
        ("a+b%20c=d+e", json!({"a b c": "d e"})),
        ("%255B=1", json!({"%5B": "1"})),
        ("a[b.c d]=1", json!({"a": {"b.c d": "1"}})),
        ("&&a=1&&&b=2&", json!({"a": "1", "b": "2"})),
        ("a=1\r\n\n", json!({"a": "1"})),
        ("a[b%5D=1", json!({"a": {"b": "1"}})),
    ] {
        assert_eq!(form(body), expected, "{body}");
    }
}

#[test]
fn a_pair_with_a_bad_key_is_ignored_counted_and_cut() {
    let deep = format!("a{}=1", "[b]".repeat(65));
    let long = format!("{}=1", "k".repeat(2049));
    for key in [
        "=1",
        "[]=1",
        "[a]=1",
        "[=1",
        "a[=1",
        "a[b=1",
        "a[b][c=1",
        "%FF=1",
        "a[%FF]=1",
        "a[b]%FF=1",
        "a[\u{80}\u{80}=1",
    ]
    .into_iter()
    .chain([deep.as_str(), long.as_str()])
    {
        let body = [b"x=2&", key.replace('\u{80}', "%80").as_bytes()].concat();
        let tree = tree(&body);
        assert_eq!((tree.root().len(), tree.ignored_pairs()), (1, 1), "{key}");
        assert!(!cut_credentials(&tree).ends_with(b"=1"), "{key}");
    }
    assert_eq!(tree(format!("a{}=1", "[b]".repeat(64)).as_bytes()).ignored_pairs(), 0);
    // 2,048 bytes once decoded, although thrice as many are written.
    assert_eq!(tree(format!("{}=1", "%41".repeat(2048)).as_bytes()).ignored_pairs(), 0);
}

#[test]
fn empty_brackets_append_behind_the_largest_index() {
    assert_eq!(form("a[]=x&a[]=y"), json!({"a": ["x", "y"]}));
    assert_eq!(
        form("a[7]=x&a[]=y&a[k]=z&a[]=w"),
        json!({"a": {"7": "x", "8": "y", "k": "z", "9": "w"}})
    );
    assert_eq!(form("a[07]=x&a[]=y"), json!({"a": {"07": "x", "0": "y"}}));
    assert_eq!(form("a[][b]=x&a[][b]=y"), json!({"a": [{"b": "x"}, {"b": "y"}]}));
}

#[test]
fn lists_come_by_number_and_gaps_make_an_object() {
    let body: String = (0..12).rev().map(|at| format!("a[{at}]=v{at}&")).collect();
    let tree = tree(body.as_bytes());
    let items: Vec<_> = tree
        .root()
        .get("a")
        .unwrap()
        .items()
        .iter()
        .map(|item| item.name().to_owned())
        .collect();
    assert_eq!(items, (0..12).map(|at| at.to_string()).collect::<Vec<_>>());
    assert_eq!(form("a[0]=x&a[2]=y"), json!({"a": {"0": "x", "2": "y"}}));
    assert_eq!(form("a[999999999]=x"), json!({"a": {"999999999": "x"}}));
}

#[test]
fn the_last_of_two_values_wins() {
    assert_eq!(form("a[b]=1&a[b]=2"), json!({"a": {"b": "2"}}));
    assert_eq!(form("d[x]=1&d[x][y]=2"), json!({"d": {"x": {"y": "2"}}}));
    assert_eq!(form("d[x][y]=1&d[x][z]=1&d[x]=2"), json!({"d": {"x": "2"}}));
    assert_eq!(form("d[x][y]=1&d[x]=2&d[x][z]=3"), json!({"d": {"x": {"z": "3"}}}));
    assert_eq!(form("ts=1&ts=2"), json!({"ts": "2"}));
    let body = br#"{"a":{"b":1,"b":[2]},"ts":1,"ts":2}"#;
    assert_eq!(tree(body).root().to_json(), json!({"a": {"b": [2]}, "ts": 2}));
}

#[test]
fn what_a_value_has_replaced_is_not_found_again() {
    // The escaped key means the same as a plain one, and takes another way.
    for name in ["c", "%63"] {
        let read = form(&format!("a[b][c][d]=1&a[b][{name}]=x&a[b][c][e]=2"));
        assert_eq!(read, json!({"a": {"b": {"c": {"e": "2"}}}}), "{name}");
    }
}

#[test]
fn what_decides_about_authenticity_may_come_once() {
    for body in [
        "event=a&event=a",
        "auth=a&auth=b",
        "data=a&data=b",
        "auth[application_token]=a&auth[application_token]=a",
        "auth[x]=1&auth[member_id]=a&data[x]=1&auth%5Bmember_id%5D=a",
        r#"{"event":"a","event":"a"}"#,
        r#"{"auth":{},"auth":{}}"#,
        r#"{"data":[],"data":[]}"#,
        r#"{"auth":{"application_token":1,"application_token":1}}"#,
        r#"{"auth":{"member_id":"a","m\u0065mber_id":"a"}}"#,
    ] {
        assert_eq!(refused(body), "repeated_key", "{body}");
    }
    for body in [
        "auth=a&auth[b]=c",
        "auth[b]=c&auth=a",
        "ts=1&ts[a]=2",
        "event[a]=1&event=2",
        "auth[application_token]=a&auth[application_token][]=b",
        "auth[member_id][x]=a&auth[member_id]=b",
        r#"{"ts":1,"ts":[]}"#,
    ] {
        assert_eq!(refused(body), "conflicting_key", "{body}");
    }
    assert_eq!(
        form("data[auth][application_token]=1&data[auth][application_token]=2")["data"]["auth"]["application_token"],
        "2"
    );
}

#[test]
fn a_key_is_as_long_as_its_last_bracket_says() {
    for (length, ignored) in [(2_045, 0), (2_046, 1)] {
        let body = format!("ts=1&a[{}]=x", "b".repeat(length));
        assert_eq!(tree(body.as_bytes()).ignored_pairs(), ignored, "{length}");
    }
}

#[test]
fn limits_refuse_what_no_portal_sends() {
    let pairs = |count: usize| (0..count).map(|at| format!("d[k{at}]=v&&")).collect::<String>();
    assert_eq!(tree(pairs(8192).as_bytes()).root().get("d").unwrap().len(), 8192);
    assert_eq!(refused(&pairs(8193)), "too_many_pairs");
    assert_eq!(refused(&pairs(100_000)), "too_many_pairs");
    assert_eq!(
        refused(&format!("a={}", "&a[][][][][][][][][][][]".repeat(8000))),
        "conflicting_key"
    );
    assert_eq!(
        refused(&"a[][][][][][][][][][][]&".repeat(8000)),
        "too_many_pairs",
        "entries are bounded too"
    );
    assert_eq!(
        refused(&format!("{{\"a\":[{}0]}}", "0,".repeat(8192))),
        "too_many_pairs"
    );
    for (body, reason) in [
        ("", "empty"),
        ("\r\n", "empty"),
        ("&&&", "empty"),
        ("=1", "empty"),
        ("{}", "empty"),
    ] {
        assert_eq!(refused(body), reason, "{body}");
    }
}

#[test]
fn json_is_recognised_by_type_or_by_look() {
    assert_eq!(
        tree(b" \r\n{\"a\":[1,2.5,\"x\",true,null]}").root().to_json(),
        json!({"a": [1, 2.5, "x", true, null]})
    );
    for (body, reason) in [
        ("[1]", "not_an_object"),
        ("{\"a\":1", "bad_json"),
        ("{\"a\":1}x", "bad_json"),
        ("{\"a\":1e400}", "bad_json"),
        (r#"{"a":"\ud800"}"#, "bad_json"),
        ("{\"a\":\"\u{1}\"}", "bad_json"),
    ] {
        assert_eq!(refused(body), reason, "{body}");
    }
    let typed = |body: &str| parse(body.as_bytes(), true, &Limits::default()).unwrap_err().reason();
    assert_eq!(typed("null"), "not_an_object");
    assert_eq!(typed("a=1"), "bad_json");
    assert_eq!(
        json_by_content_type(Some("Application/JSON; charset=utf-8")),
        Some(true)
    );
    assert_eq!(
        json_by_content_type(Some("application/x-www-form-urlencoded;charset=utf-7")),
        Some(false)
    );
    assert_eq!(json_by_content_type(None), Some(false));
    assert_eq!(json_by_content_type(Some("text/xml")), None);
}

#[test]
fn depth_does_not_reach_the_stack() {
    let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert_eq!(
        tree(nested(64).as_bytes()).root().to_json().pointer(&"/a".repeat(64)),
        Some(&json!(1))
    );
    for body in [nested(65), nested(100_000), format!("{{\"a\":{}", "[".repeat(100_000))] {
        assert_eq!(refused(&body), "too_deep");
    }
    assert_eq!(refused(&"[".repeat(100_000)), "not_an_object");
    for key in [
        "[b]".repeat(10_000),
        "%5Bb%5D".repeat(10_000),
        "[".repeat(500_000),
        "[]".repeat(10_000),
    ] {
        let body = format!("x=1&a{key}=1");
        assert_eq!(tree(body.as_bytes()).ignored_pairs(), 1);
    }
}

#[test]
fn nine_hundred_thousand_ampersands_are_nothing() {
    let body = format!("{}a=1", "&".repeat(900_000));
    assert_eq!(form(&body), json!({"a": "1"}));
}

#[test]
fn many_siblings_are_found_and_replaced() {
    let body: String = (0..4000)
        .map(|at| format!("d[k{at}]={at}&"))
        .chain((0..4000).map(|at| format!("d[k{at}]=x{at}&")))
        .collect();
    let tree = tree(body.as_bytes());
    let all = tree.root().get("d").unwrap();
    assert_eq!(all.len(), 4000);
    assert_eq!(all.get("k3999").unwrap().text().unwrap(), "x3999");
    assert!(all.get("k4000").is_none());
    assert_eq!(all.children().nth(17).unwrap().name(), "k17");
}

#[test]
fn credentials_are_cut_and_nothing_else() {
    for (body, kept) in [
        (
            "a=1&auth%5Baccess_token%5D=abc&b=2\r\n",
            "a=1&auth%5Baccess_token%5D=&b=2\r\n",
        ),
        ("auth%5baccess%5Ftoken%5d=abc&x", "auth%5baccess%5Ftoken%5d=&x"),
        ("d[botToken][a][b]=abc", "d[botToken][a][b]="),
        ("REFRESH_TOKEN=a&REFRESH_TOKEN=b", "REFRESH_TOKEN=&REFRESH_TOKEN="),
        ("d[x]=1&d[access_token]=abc&d[y]=2", "d[x]=1&d[access_token]=&d[y]=2"),
        (
            r#"{"access_token":"a\"b","x":"access_token","y":{"botToken" : [{"a":"]"},2] }}"#,
            r#"{"access_token":"","x":"access_token","y":{"botToken" : "" }}"#,
        ),
        (
            r#"{"a":{"access\u005ftoken":12},"b":"\\","refresh_token":null}"#,
            r#"{"a":{"access\u005ftoken":""},"b":"\\","refresh_token":""}"#,
        ),
    ] {
        let cut = cut_credentials(&tree(body.as_bytes()));
        assert_eq!(String::from_utf8(cut).unwrap(), kept);
    }
}

#[test]
fn nothing_of_a_body_is_printed() {
    let body = b"auth[access_token]=marker&marker[a]=1&marker[b]=marker";
    let tree = tree(body);
    assert!(!format!("{tree:?} {:?}", tree.root()).contains("marker"));
    let broken = parse(br#"{"marker":marker}"#, true, &Limits::default()).unwrap_err();
    assert!(!format!("{broken} {broken:?}").contains("marker"));
}
