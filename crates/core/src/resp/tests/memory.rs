//! Memory is given back.

use bytes::BufMut;
use redis::Value;

use super::{Decoder, DecoderLimits};

const MEGABYTE: usize = 1 << 20;

fn bulk(length: usize) -> Vec<u8> {
    let mut frame = format!("${length}\r\n").into_bytes();
    frame.resize(frame.len() + length, b'x');
    frame.extend(b"\r\n");
    frame
}

/// Writes as a socket does: what fits into the space that is offered.
fn read(decoder: &mut Decoder, from: &mut &[u8]) {
    let mut space = decoder.space();
    let room = space.chunk_mut().len().min(from.len());
    space.put_slice(&from[..room]);
    *from = &from[room..];
}

#[test]
fn capacity_goes_down_after_a_large_reply() {
    let mut decoder = Decoder::new(DecoderLimits::default());
    decoder.feed(&bulk(64 * MEGABYTE));
    assert!(decoder.capacity() >= 64 * MEGABYTE);
    let reply = decoder.next_value().unwrap();
    assert!(matches!(reply, Some(Value::BulkString(bytes)) if bytes.len() == 64 * MEGABYTE));
    assert!(decoder.capacity() <= 16 << 10, "{}", decoder.capacity());
}

#[test]
fn a_large_reply_does_not_pass_through_a_large_buffer() {
    let mut decoder = Decoder::new(DecoderLimits::default());
    assert_eq!(decoder.capacity(), 0);
    let frame = bulk(64 * MEGABYTE);
    let mut from = &frame[..];
    let mut largest = 0;
    loop {
        read(&mut decoder, &mut from);
        largest = largest.max(decoder.capacity());
        if let Some(reply) = decoder.next_value().unwrap() {
            assert!(
                matches!(reply, Value::BulkString(bytes) if bytes.len() == 64 * MEGABYTE && bytes.capacity() == bytes.len())
            );
            break;
        }
    }
    assert!(largest <= 256 << 10, "{largest}");
}

#[test]
fn an_idle_connection_holds_little() {
    let mut decoder = Decoder::new(DecoderLimits::default());
    let busy = b"$5\r\nhello\r\n".repeat(200_000);
    let mut from = &busy[..];
    let mut replies = 0;
    while !from.is_empty() {
        read(&mut decoder, &mut from);
        while decoder.next_value().unwrap().is_some() {
            replies += 1;
        }
    }
    assert_eq!(replies, 200_000);
    assert!(decoder.capacity() >= 128 << 10, "large reads when busy");
    for _ in 0..30 {
        read(&mut decoder, &mut &b"+PONG\r\n"[..]);
        assert!(decoder.next_value().unwrap().is_some());
    }
    let _ = decoder.space();
    assert!(decoder.capacity() <= 4 << 10, "{}", decoder.capacity());
}

#[test]
fn a_long_line_is_given_back_while_replies_go_on() {
    let mut decoder = Decoder::new(DecoderLimits::default());
    decoder.feed(b"+");
    decoder.feed(&vec![b'x'; 16 * MEGABYTE]);
    assert_eq!(decoder.next_value(), Ok(None));
    decoder.feed(b"\r\n+OK\r\n+OK\r\n+incomp");
    assert!(decoder.next_value().unwrap().is_some());
    assert!(decoder.capacity() <= 32 << 10, "{}", decoder.capacity());
    assert_eq!(decoder.next_value(), Ok(Some(Value::Okay)));
    assert_eq!(decoder.next_value(), Ok(Some(Value::Okay)));
    assert_eq!(decoder.next_value(), Ok(None));
    decoder.feed(b"lete\r\n");
    let value = Value::SimpleString("incomplete".into());
    assert_eq!(decoder.next_value(), Ok(Some(value)));
}

#[test]
fn the_ratio_says_when() {
    // 1 MB consumed, 200 kB not: passes 3, but not 10.
    for (buffer_usage_ratio, reclaimed) in [(3, true), (10, false)] {
        let mut decoder = Decoder::new(DecoderLimits {
            buffer_usage_ratio,
            ..DecoderLimits::default()
        });
        decoder.feed(&bulk(MEGABYTE));
        decoder.feed(&bulk(200_000));
        assert!(decoder.next_value().unwrap().is_some());
        assert_eq!(decoder.capacity() < MEGABYTE, reclaimed);
        assert!(decoder.next_value().unwrap().is_some());
        assert!(decoder.capacity() <= 64 << 10);
    }
}

#[test]
fn a_failed_decoder_holds_nothing() {
    let mut decoder = Decoder::new(DecoderLimits::default());
    decoder.feed(&b"*2\r\n".repeat(50));
    decoder.feed(&vec![b'?'; MEGABYTE]);
    assert!(decoder.next_value().is_err());
    assert_eq!(decoder.capacity(), 0);
    for _ in 0..10 {
        decoder.feed(&vec![b'?'; MEGABYTE]);
    }
    assert!(decoder.capacity() <= 2 * MEGABYTE);
}
