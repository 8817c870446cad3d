use proptest::prelude::*;
use serde_json::json;

use super::*;

const API: &str = "https://api.bank.example";

/// The type of RFC 9396 §2, Figure 2.
fn payment() -> DetailsType {
    serde_json::from_value(json!({
        "type": "payment_initiation",
        "words": { "en": "Pay {instructedAmount.amount} {instructedAmount.currency} to {creditorName}", "de": "{creditorName} erhält {instructedAmount}" },
        "actions": ["initiate", "status", "cancel"],
        "fields": { "instructedAmount": "object", "creditorName": "text", "creditorAccount": "object", "remittanceInformationUnstructured": "text" },
        "required": ["instructedAmount", "creditorName"],
    }))
    .unwrap()
}

/// RFC 9396 §2, Figure 2.
fn example() -> Value {
    json!([{
        "type": "payment_initiation",
        "actions": ["initiate", "status", "cancel"],
        "locations": [API],
        "instructedAmount": { "currency": "EUR", "amount": "123.50" },
        "creditorName": "Merchant A",
        "creditorAccount": { "iban": "DE02100100109307118603" },
        "remittanceInformationUnstructured": "Ref Number Merchant",
    }])
}

fn read(value: &Value) -> AuthorizationDetails {
    AuthorizationDetails::parse(&value.to_string()).unwrap()
}

fn changed(changes: &Value) -> Value {
    let mut value = example();
    for (name, change) in changes.as_object().unwrap() {
        if change.is_null() {
            value[0].as_object_mut().unwrap().remove(name);
        } else {
            value[0][name] = change.clone();
        }
    }
    value
}

#[test]
fn numbers_that_would_be_rounded_are_refused() {
    let parse =
        |number: &str| AuthorizationDetails::parse(&format!(r#"[{{"type":"a","b":[{number}]}}]"#));
    for kept in [
        "0",
        "123.50",
        "-1e3",
        "18446744073709551615",
        r#""18446744073709551616""#,
    ] {
        assert!(parse(kept).is_ok(), "{kept}");
    }
    for lost in [
        "18446744073709551616",
        "0.12345678901234567",
        "1e300",
        "9007199254740993.0",
    ] {
        let refused = parse(lost).unwrap_err();
        assert_eq!(
            refused.code,
            ErrorCode::InvalidAuthorizationDetails,
            "{lost}"
        );
    }
}

#[test]
fn the_example_of_the_specification() {
    let details = read(&example());
    let kind = payment();
    kind.check().unwrap();
    for detail in details.iter() {
        kind.check_detail(detail, API).unwrap();
    }
    assert_eq!(details.to_string(), example().to_string());
    let words = kind.in_words(details.iter().next().unwrap(), ["fr", "en"]);
    assert_eq!(words.sentence, "Pay 123.50 EUR to Merchant A");
    let rest: Vec<_> = words.rest.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        rest,
        [
            "actions",
            "locations",
            "creditorAccount.iban",
            "remittanceInformationUnstructured"
        ]
    );
    let words = kind.in_words(details.iter().next().unwrap(), ["de"]);
    assert_eq!(words.sentence, "Merchant A erhält EUR, 123.50");
}

#[test]
fn what_is_no_list_of_objects() {
    let deep = format!(
        "[{{\"type\":\"t\",\"x\":{}1{}}}]",
        "[".repeat(6),
        "]".repeat(6)
    );
    let many = json!(vec![json!({ "type": "t" }); MAX_DETAILS + 1]).to_string();
    let long = json!([{ "type": "t", "x": "y".repeat(MAX_BYTES) }]).to_string();
    for text in [
        "",
        "x",
        "{}",
        "null",
        "\"a\"",
        "[1]",
        "[[]]",
        "[null]",
        "[{}]",
        "[{\"type\":1}]",
        "[{\"type\":\"\"}]",
        "[{\"type\":\"a b\"}]",
        "[{\"actions\":[\"x\"]}]",
        &deep,
        &many,
        &long,
        "[{\"type\":\"t\"}] x",
    ] {
        let error = AuthorizationDetails::parse(text).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidAuthorizationDetails, "{text}");
    }
    assert!(AuthorizationDetails::parse("[]").unwrap().is_empty());
    // Twice the same is once.
    assert_eq!(
        read(&json!([{ "type": "t" }, { "type": "t" }]))
            .iter()
            .count(),
        1
    );
}

#[test]
fn what_is_not_of_the_type() {
    let kind = payment();
    for change in [
        json!({ "unknown": 1 }),
        json!({ "actions": ["initiate", "steal"] }),
        json!({ "actions": [] }),
        json!({ "actions": "initiate" }),
        json!({ "locations": ["https://elsewhere.example"] }),
        json!({ "datatypes": ["x"] }),
        json!({ "privileges": ["x"] }),
        json!({ "identifier": "x" }),
        json!({ "creditorName": 1 }),
        json!({ "creditorName": null }),
        json!({ "creditorName": "a\u{202e}b" }),
        json!({ "creditorName": "a\nb" }),
        json!({ "creditorName": "x".repeat(501) }),
        json!({ "creditorAccount": [1] }),
        json!({ "creditorAccount": { "iban": "a\u{0}" } }),
        json!({ "instructedAmount": "12" }),
    ] {
        let details = read(&changed(&change));
        let error = kind
            .check_detail(details.iter().next().unwrap(), API)
            .expect_err(&change.to_string());
        assert_eq!(error.code, ErrorCode::InvalidAuthorizationDetails);
    }
}

#[test]
fn no_definition_promises_what_it_does_not_know() {
    for change in [
        json!({ "type": "a b" }),
        json!({ "required": ["iban"] }),
        json!({ "required": ["datatypes"] }),
        json!({ "words": { "en": "Pay {iban}" } }),
        json!({ "words": { "en": "" } }),
        json!({ "words": { "e n": "x" } }),
        json!({ "words": { "en": "a\u{202e}" } }),
        json!({ "fields": { "actions": "text" } }),
        json!({ "fields": { "type": "text" } }),
        json!({ "fields": { "a.b": "text" } }),
        json!({ "actions": [""] }),
    ] {
        let mut definition = serde_json::to_value(payment()).unwrap();
        for (name, value) in change.as_object().unwrap() {
            definition[name] = value.clone();
        }
        let kind: DetailsType = serde_json::from_value(definition).unwrap();
        assert!(kind.check().is_err(), "{change}");
    }
    assert!(serde_json::from_value::<DetailsType>(json!({ "type": "t", "colour": 1 })).is_err());
}

#[test]
fn less_may_be_asked_for_and_never_more() {
    let granted = read(&example());
    for (change, covered) in [
        (json!({}), true),
        (json!({ "actions": ["status"] }), true),
        (json!({ "actions": ["status", "initiate"] }), true),
        (json!({ "actions": [] }), false),
        (json!({ "actions": ["status", "steal"] }), false),
        // Without a list there would be no bound.
        (json!({ "actions": null }), false),
        (json!({ "locations": null }), false),
        (json!({ "datatypes": ["x"] }), false),
        (json!({ "type": "account" }), false),
        (json!({ "creditorName": "Merchant B" }), false),
        (
            json!({ "instructedAmount": { "currency": "EUR", "amount": "123.51" } }),
            false,
        ),
        (json!({ "remittanceInformationUnstructured": null }), false),
    ] {
        assert_eq!(granted.cover(&read(&changed(&change))), covered, "{change}");
    }
    assert!(granted.cover(&AuthorizationDetails::default()));
    assert!(!AuthorizationDetails::default().cover(&granted));
    // What was granted with an empty list is asked for with it.
    let empty = read(&json!([{ "type": "t", "locations": [] }]));
    assert!(empty.cover(&empty));
}

#[test]
fn a_value_is_never_taken_for_a_place() {
    let kind: DetailsType = serde_json::from_value(json!({
        "type": "t", "words": { "en": "{a} and {b} {" }, "fields": { "a": "text", "b": "text" },
    }))
    .unwrap();
    kind.check().unwrap();
    let details = read(&json!([{ "type": "t", "a": "{b}", "b": "<b>" }]));
    let words = kind.in_words(details.iter().next().unwrap(), []);
    assert_eq!(words.sentence, "{b} and <b> {");
    assert!(words.rest.is_empty());
    let details = read(&json!([{ "type": "t", "a": "x" }]));
    assert_eq!(
        kind.in_words(details.iter().next().unwrap(), []).sentence,
        "x and – {"
    );
}

proptest! {
    #[test]
    fn a_template_is_the_sum_of_its_parts(template in "[a-z{} é]{0,40}") {
        let again: String = parts(&template)
            .map(|part| match part {
                Part::Words(words) => words.to_owned(),
                Part::Place(place) => format!("{{{place}}}"),
            })
            .collect();
        prop_assert_eq!(again, template);
    }

    #[test]
    fn what_was_read_is_read_again_as_it_was(text in "\\[(\\{\"type\":\"[a-z]\"(,\"[a-c]\":(1|1e15|\"[a-z]\"|\\[\"x\"\\]|\\{\"y\":null\\})){0,3}\\},?){0,3}\\]") {
        if let Ok(details) = AuthorizationDetails::parse(&text) {
            prop_assert_eq!(AuthorizationDetails::parse(&details.to_string()), Ok(details.clone()));
            prop_assert!(details.cover(&details));
        }
    }
}
