//! What each type is decoded to, and what is refused where.

use redis::{PushKind, ServerErrorKind, Value, VerbatimFormat};

use super::corpus::RECORDED;
use super::{DecodeError, DecodeFault, Decoder, DecoderLimits};
use crate::{Error, ErrorKind};

fn decode(bytes: &[u8]) -> Result<Option<Value>, DecodeError> {
    let mut decoder = Decoder::new(DecoderLimits::default());
    decoder.feed(bytes);
    let value = decoder.next_value()?;
    assert_eq!(decoder.is_between_replies(), value.is_some());
    Ok(value)
}

fn simple(text: &str) -> Value {
    Value::SimpleString(text.to_owned())
}

fn bulk(bytes: &[u8]) -> Value {
    Value::BulkString(bytes.to_vec())
}

#[test]
fn every_type_of_resp2() {
    for (bytes, expected) in [
        (&b"+OK\r\n"[..], Value::Okay),
        (b"+PONG\r\n", simple("PONG")),
        (b"+\r\n", simple("")),
        (b"+ok\r\n", simple("ok")),
        ("+gr\u{fc}n\r\n".as_bytes(), simple("gr\u{fc}n")),
        (b":0\r\n", Value::Int(0)),
        (b":-12\r\n", Value::Int(-12)),
        (b":+12\r\n", Value::Int(12)),
        (b":9223372036854775807\r\n", Value::Int(i64::MAX)),
        (b":-9223372036854775808\r\n", Value::Int(i64::MIN)),
        (b"$5\r\nhello\r\n", bulk(b"hello")),
        (b"$0\r\n\r\n", bulk(b"")),
        (b"$4\r\n\r\n\xff\0\r\n", bulk(b"\r\n\xff\0")),
        (b"$-1\r\n", Value::Nil),
        (b"*-1\r\n", Value::Nil),
        (b"*0\r\n", Value::Array(vec![])),
        (
            b"*3\r\n:1\r\n*1\r\n$-1\r\n$1\r\na\r\n",
            Value::Array(vec![
                Value::Int(1),
                Value::Array(vec![Value::Nil]),
                bulk(b"a"),
            ]),
        ),
    ] {
        assert_eq!(decode(bytes), Ok(Some(expected)));
    }
}

#[test]
fn every_type_of_resp3() {
    let pair = || vec![(simple("k"), Value::Int(1))];
    for (bytes, expected) in [
        (&b"_\r\n"[..], Value::Nil),
        (b"#t\r\n", Value::Boolean(true)),
        (b"#f\r\n", Value::Boolean(false)),
        (b",1.5\r\n", Value::Double(1.5)),
        (b",-10\r\n", Value::Double(-10.0)),
        (b",2.67923e+8\r\n", Value::Double(267_923_000.0)),
        (b",inf\r\n", Value::Double(f64::INFINITY)),
        (b",-inf\r\n", Value::Double(f64::NEG_INFINITY)),
        (b"%0\r\n", Value::Map(vec![])),
        (b"%1\r\n+k\r\n:1\r\n", Value::Map(pair())),
        (b"~0\r\n", Value::Set(vec![])),
        (
            b"~2\r\n:1\r\n:1\r\n",
            Value::Set(vec![Value::Int(1), Value::Int(1)]),
        ),
        (
            b"|1\r\n+k\r\n:1\r\n*1\r\n_\r\n",
            Value::Attribute {
                data: Box::new(Value::Array(vec![Value::Nil])),
                attributes: pair(),
            },
        ),
        (
            b">3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$2\r\nhi\r\n",
            Value::Push {
                kind: PushKind::Message,
                data: vec![bulk(b"ch"), bulk(b"hi")],
            },
        ),
        (
            b">1\r\n+news\r\n",
            Value::Push {
                kind: PushKind::Other("news".into()),
                data: vec![],
            },
        ),
        (
            b"=8\r\ntxt:a\r\nb\r\n",
            Value::VerbatimString {
                format: VerbatimFormat::Text,
                text: "a\r\nb".into(),
            },
        ),
        (
            b"=5\r\nmkd:#\r\n",
            Value::VerbatimString {
                format: VerbatimFormat::Markdown,
                text: "#".into(),
            },
        ),
    ] {
        assert_eq!(
            decode(bytes),
            Ok(Some(expected)),
            "{}",
            bytes.escape_ascii()
        );
    }
    for (bytes, positive) in [(&b",nan\r\n"[..], true), (b",-nan\r\n", false)] {
        let Ok(Some(Value::Double(nan))) = decode(bytes) else {
            panic!("a double");
        };
        assert!(nan.is_nan() && nan.is_sign_positive() == positive);
    }
    let big = decode(b"(-3492890328409238509324850943850943825024385\r\n");
    let Ok(Some(Value::BigNumber(big))) = big else {
        panic!("a big number");
    };
    assert_eq!(
        big.to_string(),
        "-3492890328409238509324850943850943825024385"
    );
}

#[test]
fn every_kind_of_push() {
    for (name, expected) in [
        ("invalidate", PushKind::Invalidate),
        ("message", PushKind::Message),
        ("pmessage", PushKind::PMessage),
        ("smessage", PushKind::SMessage),
        ("subscribe", PushKind::Subscribe),
        ("psubscribe", PushKind::PSubscribe),
        ("ssubscribe", PushKind::SSubscribe),
        ("unsubscribe", PushKind::Unsubscribe),
        ("punsubscribe", PushKind::PUnsubscribe),
        ("sunsubscribe", PushKind::SUnsubscribe),
    ] {
        let frame = format!(">2\r\n+{name}\r\n:1\r\n");
        let theirs = redis::parse_redis_value(frame.as_bytes()).unwrap();
        let ours = decode(frame.as_bytes()).unwrap().unwrap();
        assert_eq!(ours, theirs);
        let data = vec![Value::Int(1)];
        assert_eq!(
            ours,
            Value::Push {
                kind: expected,
                data
            }
        );
    }
}

#[test]
fn errors_keep_their_codes() {
    for (bytes, kind, code, details) in [
        (
            &b"-NOSCRIPT No matching script.\r\n"[..],
            Some(ServerErrorKind::NoScript),
            "NOSCRIPT",
            Some("No matching script."),
        ),
        (
            b"-EXECABORT Transaction discarded\r\n",
            Some(ServerErrorKind::ExecAbort),
            "EXECABORT",
            Some("Transaction discarded"),
        ),
        (
            b"-WRONGTYPE Operation\r\n",
            None,
            "WRONGTYPE",
            Some("Operation"),
        ),
        (
            b"-ERR\r\n",
            Some(ServerErrorKind::ResponseError),
            "ERR",
            None,
        ),
        (b"!8\r\nODD a\r\nb\r\n", None, "ODD", Some("a\r\nb")),
        (
            b"-ERR unknown command '\xffoo'\r\n",
            Some(ServerErrorKind::ResponseError),
            "ERR",
            Some("unknown command '\u{fffd}oo'"),
        ),
        (
            b"!6\r\nERR \xc3(\r\n",
            Some(ServerErrorKind::ResponseError),
            "ERR",
            Some("\u{fffd}("),
        ),
    ] {
        let nested = [b"*2\r\n", bytes, b"+OK\r\n"].concat();
        let Some(Value::Array(values)) = decode(&nested).unwrap() else {
            panic!("an array");
        };
        for value in [decode(bytes).unwrap().unwrap(), values[0].clone()] {
            let Value::ServerError(error) = value else {
                panic!("an error reply");
            };
            let found = (error.kind(), error.code(), error.details());
            assert_eq!(found, (kind, code, details));
        }
    }
}

#[test]
fn what_is_no_resp_is_refused_where_it_stands() {
    use DecodeFault::*;
    for (bytes, fault, offset) in [
        (&b"HTTP/1.1 400 Bad Request\r\n"[..], UnknownType, 0),
        (b"\r\n", UnknownType, 0),
        (b"*2\r\n:1\r\n?", UnknownType, 8),
        (b"$?\r\n;4\r\nabcd\r\n;0\r\n", Streamed, 0),
        (b"*?\r\n", Streamed, 0),
        (b"%?", Streamed, 0),
        (b"*1\r\n~?", Streamed, 4),
        (b":\r\n", Integer, 0),
        (b":1.5\r\n", Integer, 0),
        (b": 1\r\n", Integer, 0),
        (b":1\n", Integer, 0),
        (b":9223372036854775808\r\n", Integer, 0),
        (b"$five\r\n", Length, 0),
        (b"$-2\r\n", Length, 0),
        (b"*-2\r\n", Length, 0),
        (b"%-1\r\n", Length, 0),
        (b"|-1\r\n", Length, 0),
        (b"!-1\r\n", Length, 0),
        (b"=-1\r\n", Length, 0),
        (b"$3\r\nhello\r\n", Terminator, 0),
        (b"*1\r\n$3\r\nabcX", Terminator, 4),
        (b"$3\r\nabc\rX", Terminator, 0),
        (b"_x\r\n", Null, 0),
        (b"#\r\n", Boolean, 0),
        (b"#T\r\n", Boolean, 0),
        (b"#true\r\n", Boolean, 0),
        (b",\r\n", Double, 0),
        (b",1,5\r\n", Double, 0),
        (b", 1\r\n", Double, 0),
        (b"(\r\n", BigNumber, 0),
        (b"(12x\r\n", BigNumber, 0),
        (b"(1_000\r\n", BigNumber, 0),
        (b"(+-1\r\n", BigNumber, 0),
        (b"+\xff\r\n", NotUtf8, 0),
        (b"=3\r\ntxt\r\n", Verbatim, 0),
        (b":1\r\n>1\r\n:1\r\n", PushKind, 4),
        (b">1\r\n$1\r\n\xff\r\n", NotUtf8, 0),
        (b">1\r\n+OK\r\n", PushKind, 0),
    ] {
        let mut decoder = Decoder::new(DecoderLimits::default());
        decoder.feed(bytes);
        let mut outcome = decoder.next_value();
        while let Ok(Some(_)) = outcome {
            outcome = decoder.next_value();
        }
        let expected = DecodeError::new(fault, offset, Some(bytes[offset as usize]));
        assert_eq!(outcome, Err(expected.clone()), "{}", bytes.escape_ascii());
        // What would have been right comes too late.
        decoder.feed(b"+OK\r\n");
        assert_eq!(decoder.next_value(), Err(expected));
    }
}

#[test]
fn a_big_number_has_a_length_that_can_be_converted() {
    let frame = |digits: usize| [b"(", &vec![b'7'; digits][..], b"\r\n"].concat();
    assert!(matches!(
        decode(&frame(65_536)),
        Ok(Some(Value::BigNumber(_)))
    ));
    let fault = decode(&frame(65_537)).unwrap_err().fault();
    assert_eq!(fault, DecodeFault::BigNumber);
}

#[test]
fn offsets_are_of_the_stream() {
    let mut decoder = Decoder::new(DecoderLimits::default());
    for _ in 0..1_000 {
        decoder.feed(b"+hello\r\n");
        assert!(decoder.next_value().unwrap().is_some());
    }
    assert_eq!(decoder.offset(), 8_000);
    decoder.feed(b"*1\r\n#x\r\n");
    let error = decoder.next_value().unwrap_err();
    assert_eq!((error.offset(), error.type_byte()), (8_004, Some(b'#')));
}

#[test]
fn an_error_quotes_nothing_and_becomes_ours() {
    let error = decode(b"#secret\r\n").unwrap_err();
    let text = error.to_string();
    assert_eq!(
        text,
        "a boolean is neither t nor f (type byte '#', offset 0)"
    );
    let ours = Error::from(error.clone());
    assert_eq!(ours.kind(), ErrorKind::Protocol);
    assert_eq!(ours.message(), text);
    let source = std::error::Error::source(&ours).unwrap();
    assert_eq!(source.downcast_ref(), Some(&error));
}

#[test]
fn a_reply_that_is_cut_is_told_from_the_end_of_the_stream() {
    let mut decoder = Decoder::new(DecoderLimits::default());
    assert!(decoder.is_between_replies());
    for piece in [
        &b"*"[..],
        b"2\r\n",
        b"$3\r\n",
        b"ab",
        b"c\r",
        b"\n",
        b"+O",
        b"K\r",
    ] {
        decoder.feed(piece);
        assert_eq!(decoder.next_value(), Ok(None));
        assert!(!decoder.is_between_replies());
    }
    decoder.feed(b"\n");
    assert!(decoder.next_value().unwrap().is_some());
    assert!(decoder.is_between_replies());
}

#[test]
fn a_reply_that_is_skipped_ends_where_it_would_have_been_decoded_to() {
    for bytes in RECORDED {
        let mut reader = Decoder::new(DecoderLimits::default());
        reader.feed(bytes);
        let mut decoder = Decoder::new(DecoderLimits::default());
        let mut skipped = 0;
        // Byte by byte, so that the aggregates and strings of a reply wait for their rest.
        for byte in *bytes {
            decoder.feed(&[*byte]);
            while let Some(()) = decoder.skip_value().unwrap() {
                reader.next_value().unwrap().unwrap();
                assert_eq!(decoder.offset(), reader.offset());
                skipped += 1;
            }
        }
        assert!(skipped > 0 && decoder.is_between_replies());
        let mut whole = Decoder::new(DecoderLimits::default());
        whole.feed(bytes);
        whole.feed(b"+next\r\n");
        for _ in 0..skipped {
            whole.skip_value().unwrap().unwrap();
        }
        assert_eq!(whole.next_value().unwrap(), Some(simple("next")));
    }
}
