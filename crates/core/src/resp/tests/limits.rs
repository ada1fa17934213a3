//! What is refused, and that it is refused early.

use redis::Value;

use super::{DecodeFault, Decoder, DecoderLimits};

fn fault(input: &[u8], limits: DecoderLimits) -> Option<DecodeFault> {
    let mut decoder = Decoder::new(limits);
    decoder.feed(input);
    decoder.next_value().err().map(|error| error.fault())
}

fn sized(max_reply_size: usize) -> DecoderLimits {
    DecoderLimits {
        max_reply_size,
        ..DecoderLimits::default()
    }
}

#[test]
fn a_reply_may_have_just_the_size_that_is_allowed() {
    for frame in [
        &b"+hello\r\n"[..],
        b"$5\r\nhello\r\n",
        b":12345\r\n",
        b"*2\r\n:1\r\n:2\r\n",
        b"%1\r\n_\r\n_\r\n",
        b"=5\r\ntxt:x\r\n",
        b"(123\r\n",
        b"-ERR x\r\n",
    ] {
        let too_large = DecodeFault::TooLarge {
            max_reply_size: frame.len() - 1,
        };
        assert_eq!(fault(frame, sized(frame.len())), None);
        assert_eq!(fault(frame, sized(frame.len() - 1)), Some(too_large));
        // And no later than what is there makes it certain.
        let cut = &frame[..frame.len() - 1];
        assert_eq!(fault(cut, sized(frame.len() - 1)), Some(too_large));
        assert_eq!(fault(cut, sized(frame.len())), None);
    }
}

#[test]
fn the_size_is_of_one_reply_not_of_the_stream() {
    let mut decoder = Decoder::new(sized(8));
    decoder.feed(&b"+hello\r\n".repeat(100));
    for _ in 0..100 {
        let value = Value::SimpleString("hello".into());
        assert_eq!(decoder.next_value(), Ok(Some(value)));
    }
}

#[test]
fn announced_lengths_cost_nothing() {
    let too_large = Some(DecodeFault::TooLarge {
        max_reply_size: 512 << 20,
    });
    for announced in [
        "$99999999999",
        "$536870912",
        "$9223372036854775807",
        "!99999999999",
        "=99999999999",
        "*1000000000",
        "*9223372036854775807",
        "~1000000000",
        ">1000000000",
        "%100000000",
        "%9223372036854775807",
        "|100000000",
        "|9223372036854775807",
    ] {
        let header = format!("{announced}\r\n");
        assert_eq!(fault(header.as_bytes(), sized(512 << 20)), too_large);
    }
    // Within the limit, a claim costs a little, at every level of nesting.
    let mut decoder = Decoder::new(sized(512 << 20));
    decoder.feed(&b"*100000000\r\n".repeat(99));
    decoder.feed(b"$500000000\r\nx");
    assert_eq!(decoder.next_value(), Ok(None));
}

#[test]
fn depth_is_counted_as_redis_does() {
    let limits = DecoderLimits::default();
    for aggregate in ["*1\r\n", "~1\r\n", "%1\r\n+a\r\n", ">1\r\n", "|0\r\n"] {
        for innermost in ["*0\r\n", ":1\r\n", "$1\r\nx\r\n", "_\r\n", "+a\r\n"] {
            for levels in [98, 99, 100, 101] {
                let frame = aggregate.repeat(levels) + innermost;
                // A push begins with a string, so that nesting is refused when the inner one is done.
                if aggregate.starts_with('>') && (levels < 100) {
                    continue;
                }
                let expected = (levels >= 100).then_some(DecodeFault::TooDeep { max_depth: 100 });
                assert_eq!(fault(frame.as_bytes(), limits), expected);
                let theirs = redis::parse_redis_value(frame.as_bytes());
                assert_eq!(
                    theirs.is_err(),
                    expected.is_some(),
                    "{levels} {aggregate:?}"
                );
            }
        }
    }
}

#[test]
fn a_limit_of_its_own_is_kept() {
    let limits = DecoderLimits {
        max_depth: 2,
        ..DecoderLimits::default()
    };
    assert_eq!(fault(b"*1\r\n:1\r\n", limits), None);
    assert_eq!(
        fault(b"*1\r\n*1\r\n:1\r\n", limits),
        Some(DecodeFault::TooDeep { max_depth: 2 })
    );
    // However deep is allowed, dropping what was decoded does not overflow the stack.
    let limits = DecoderLimits {
        max_depth: usize::MAX,
        ..limits
    };
    let deep = b"*1\r\n".repeat(1_000);
    assert_eq!(fault(&deep[..4 * 999], limits), None);
    assert_eq!(
        fault(&[&deep[..], b":1\r\n"].concat(), limits),
        Some(DecodeFault::TooDeep { max_depth: 1_000 })
    );
}
