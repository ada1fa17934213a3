//! Whatever the values and the fragments, what was encoded is decoded, and equals what redis-rs makes of it.

use proptest::collection::vec;
use proptest::prelude::*;
use redis::{PushKind, Value, VerbatimFormat};

use super::{DecoderLimits, oracle};

fn line() -> impl Strategy<Value = String> {
    "[^\r\n]{0,12}".prop_filter("a status of its own", |line| line != "OK")
}

fn parsed(frame: String) -> Value {
    redis::parse_redis_value(frame.as_bytes()).unwrap()
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Nil),
        Just(Value::Okay),
        any::<i64>().prop_map(Value::Int),
        (-99_i64..99).prop_map(Value::Int),
        vec(any::<u8>(), 0..40).prop_map(Value::BulkString),
        line().prop_map(Value::SimpleString),
        any::<f64>().prop_map(Value::Double),
        any::<bool>().prop_map(Value::Boolean),
        "-?[1-9][0-9]{0,60}".prop_map(|digits| parsed(format!("({digits}\r\n"))),
        ("[A-Z]{1,9}", line()).prop_map(|(code, text)| parsed(format!("-{code} {text}\r\n"))),
        ("[a-z]{3}", ".{0,12}").prop_map(|(format, text)| Value::VerbatimString {
            format: match format.as_str() {
                "txt" => VerbatimFormat::Text,
                "mkd" => VerbatimFormat::Markdown,
                _ => VerbatimFormat::Unknown(format),
            },
            text,
        }),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 60, 6, |inner| {
        let pairs = || vec((inner.clone(), inner.clone()), 0..5);
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            vec(inner.clone(), 0..6).prop_map(Value::Set),
            pairs().prop_map(Value::Map),
            (inner.clone(), pairs()).prop_map(|(data, attributes)| Value::Attribute {
                data: Box::new(data),
                attributes,
            }),
            vec(inner.clone(), 0..6).prop_map(|data| Value::Push {
                kind: PushKind::Message,
                data,
            }),
        ]
    })
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    let mut line = |kind: char, text: &str| out.extend(format!("{kind}{text}\r\n").bytes());
    let pairs = |kind: char, pairs: &[(Value, Value)], out: &mut Vec<u8>| {
        out.extend(format!("{kind}{}\r\n", pairs.len()).bytes());
        for (key, value) in pairs {
            encode(key, out);
            encode(value, out);
        }
    };
    match value {
        Value::Nil => line('_', ""),
        Value::Okay => line('+', "OK"),
        Value::Int(number) => line(':', &number.to_string()),
        Value::SimpleString(text) => line('+', text),
        Value::Double(number) => line(',', &number.to_string()),
        Value::Boolean(true) => line('#', "t"),
        Value::Boolean(false) => line('#', "f"),
        Value::BigNumber(number) => line('(', &number.to_string()),
        Value::ServerError(error) => {
            let details = error.details().unwrap_or_default();
            line('-', &format!("{} {details}", error.code()));
        }
        Value::VerbatimString { format, text } => {
            let text = format!("{format}:{text}");
            line('=', &text.len().to_string());
            line_of(text.as_bytes(), out);
        }
        Value::BulkString(bytes) => {
            line('$', &bytes.len().to_string());
            line_of(bytes, out);
        }
        Value::Array(values) => {
            line('*', &values.len().to_string());
            values.iter().for_each(|value| encode(value, out));
        }
        Value::Set(values) => {
            line('~', &values.len().to_string());
            values.iter().for_each(|value| encode(value, out));
        }
        Value::Push { data, .. } => {
            line('>', &(data.len() + 1).to_string());
            line_of(b"+message", out);
            data.iter().for_each(|value| encode(value, out));
        }
        Value::Map(entries) => pairs('%', entries, out),
        Value::Attribute { data, attributes } => {
            pairs('|', attributes, out);
            encode(data, out);
        }
        other => panic!("no encoding for {other:?}"),
    }
}

fn line_of(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(bytes);
    out.extend(b"\r\n");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_encoded_is_decoded(values in vec(value(), 1..4), pieces in vec(1_usize..50, 1..20)) {
        let mut stream = Vec::new();
        for value in &values {
            encode(value, &mut stream);
        }
        let mut pieces = pieces.into_iter().cycle();
        let mut piece = || pieces.next().unwrap();

        let ours = oracle::ours(&stream, DecoderLimits::default(), &mut piece);
        prop_assert_eq!(ours.error, None);
        prop_assert_eq!(ours.replies.len(), values.len());
        let mut at = 0;
        for ((ours, end), value) in ours.replies.iter().zip(&values) {
            prop_assert!(oracle::same(ours, value), "{:?} is not {:?}", ours, value);
            let theirs = redis::parse_redis_value(&stream[at..]).unwrap();
            prop_assert!(oracle::same(ours, &theirs), "{:?} is not {:?}", ours, theirs);
            at = *end;
        }
        prop_assert_eq!(oracle::compare(&stream, piece), Ok((values.len(), None)));
    }

    #[test]
    fn noise_is_judged_as_redis_does(bytes in vec(any::<u8>(), 0..60), piece in 1_usize..60) {
        prop_assert!(oracle::compare(&bytes, || piece).is_ok());
    }

    #[test]
    fn noise_that_looks_like_resp_is_judged_as_redis_does(
        bytes in "([-$*:+_,#(!=%~|>][-0-9a]{0,3}(\r\n)?){0,12}",
        piece in 1_usize..60,
    ) {
        let compared = oracle::compare(bytes.as_bytes(), || piece);
        prop_assert!(compared.is_ok(), "{:?}", compared);
    }
}
