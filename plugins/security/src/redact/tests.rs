use super::*;
use serde_json::json;

fn redactor() -> Redactor {
    Redactor::new(&[]).unwrap()
}

#[test]
fn secrets_of_known_shapes_are_taken_out() {
    let token = format!("ci-1.{}", "aB3_".repeat(10) + "xyz");
    for (text, secret) in [
        (format!("shown {token} to"), "aB3_aB3_"),
        (token.clone(), "aB3_aB3_"),
        ("Authorization: Bearer abc.def-ghi".to_owned(), "abc.def"),
        ("authorization: Token 12345678".to_owned(), "12345678"),
        ("bearer QWxhZGRpbg==".to_owned(), "QWxh"),
        ("Basic QWxhZGRpbjpvcGVu".to_owned(), "QWxh"),
        ("password=hunter2, user=ann".to_owned(), "hunter2"),
        ("DB_PASSWORD: hunter2".to_owned(), "hunter2"),
        (r#"{"password":"hunter 2","a":1}"#.to_owned(), "hunter"),
        (r#"{"password":"hun\"ter2"}"#.to_owned(), "ter2"),
        ("client_secret='hunter 2'".to_owned(), "hunter"),
        ("api_key = hunter2".to_owned(), "hunter2"),
        ("apiKey:hunter2".to_owned(), "hunter2"),
        ("X-API-Key: hunter2".to_owned(), "hunter2"),
        ("session_token=hunter2&x=1".to_owned(), "hunter2"),
        ("Cookie: sid=hunter2".to_owned(), "hunter2"),
        ("https://ann:hunter2@host/path".to_owned(), "hunter2"),
        ("postgres://hunter2@host".to_owned(), "hunter2"),
        ("eyJhbGciOi.eyJzdWIiOi.c2lnbmF0".to_owned(), "eyJzdWIi"),
        ("key sk-abcdefghijklmnop".to_owned(), "abcdefgh"),
        ("ghp_abcdefghijklmnopqrst".to_owned(), "abcdefgh"),
        ("AKIAABCDEFGHIJKLMNOP".to_owned(), "ABCDEFGH"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----".to_owned(),
            "hunter2",
        ),
        ("-----BEGIN PRIVATE KEY-----\nhunter2".to_owned(), "hunter2"),
    ] {
        let clean = redactor().text(&text).into_owned();
        assert!(!clean.contains(secret), "{text} became {clean}");
        assert!(clean.contains(REDACTED), "{text} became {clean}");
    }
}

#[test]
fn other_texts_stay_as_they_are() {
    for text in [
        "",
        "task build of ci, 3 attempts",
        "max_tokens: 4096, tokens = 12",
        "https://host/path?x=1",
        "mail ann@example.org",
        "the token is not valid",
        "audit-00000001.jsonl",
        "sk-short",
        "module.function",
    ] {
        assert_eq!(redactor().text(text), text);
    }
}

#[test]
fn json_loses_what_stands_under_a_telling_name() {
    let value = json!({
        "password": {"deep": ["hunter2"]},
        "note": "api_key=hunter2",
        "list": [{"auth_token": 7, "max_tokens": 5}],
        "https://ann:hunter2@host": 1,
    });
    let clean = redactor().json(&value);
    assert!(!clean.to_string().contains("hunter2"), "{clean}");
    assert_eq!(
        clean["list"],
        json!([{"auth_token": REDACTED, "max_tokens": 5}])
    );
    let mut deep = json!("hunter2");
    for _ in 0..DEPTH_MAX + 10 {
        deep = json!([deep]);
    }
    assert!(!redactor().json(&deep).to_string().contains("hunter2"));
}

#[test]
fn patterns_of_the_configuration_come_besides() {
    let redactor = Redactor::new(&["CASE-[0-9]+".to_owned()]).unwrap();
    assert_eq!(
        redactor.text("see CASE-123 password=x"),
        "see [redacted] password=[redacted]"
    );
    for (pattern, told) in [
        ("(", "("),
        ("a*", "empty"),
        ("(?:a{1000}){1000}", "redact_patterns"),
    ] {
        let error = Redactor::new(&[pattern.to_owned()])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(told) && error.contains("redact_patterns"),
            "{error}"
        );
    }
}
