//! The work is linear in the bytes, however they are fragmented. Counted are bytes looked at, copied
//! and moved, because time would say little in a test.

use super::{Decoder, DecoderLimits};

/// Decodes one reply in pieces of a size, and says how much work each of its bytes was.
fn work_per_byte(frame: &[u8], piece: usize) -> f64 {
    let mut decoder = Decoder::new(DecoderLimits::default());
    let mut replies = 0;
    for piece in frame.chunks(piece) {
        decoder.feed(piece);
        while decoder.next_value().unwrap().is_some() {
            replies += 1;
        }
    }
    assert_eq!(replies, 1);
    decoder.work() as f64 / frame.len() as f64
}

fn array(element: &[u8], bytes: usize) -> Vec<u8> {
    let count = bytes / element.len();
    let mut frame = format!("*{count}\r\n").into_bytes();
    frame.extend(element.repeat(count));
    frame
}

fn check(name: &str, frame: &[u8], bound: f64) {
    for piece in [1, 3, 1_460, usize::MAX] {
        let work = work_per_byte(frame, piece);
        assert!(work <= bound, "{name} in pieces of {piece}: {work}");
    }
}

#[test]
fn an_array_of_a_megabyte() {
    check("of integers", &array(b":12345\r\n", 1 << 20), 6.0);
    check("of short strings", &array(b"$5\r\nhello\r\n", 1 << 20), 4.0);
    check("of lines", &array(b"+this is a line\r\n", 1 << 20), 4.0);
    check(
        "of arrays",
        &array(b"*2\r\n*1\r\n_\r\n#t\r\n", 1 << 20),
        4.0,
    );
    // The worst there is: 32 characters are looked at once more for each that arrives.
    let longest = b":00000000000000000000000000000012\r\n";
    check("of long integers", &array(longest, 1 << 20), 20.0);
}

#[test]
fn a_bulk_of_ten_megabytes() {
    let payload = vec![b'x'; 10 << 20];
    let mut frame = format!("${}\r\n", payload.len()).into_bytes();
    frame.extend(&payload);
    frame.extend(b"\r\n");
    // Copied once, out of a buffer whose own growth and compaction count as well.
    check("a bulk", &frame, 1.1);
}

#[test]
fn a_line_of_a_megabyte() {
    let line = [b"+", &vec![b'x'; 1 << 20][..], b"\r\n"].concat();
    check("a line", &line, 4.0);
    // Each lone newline might be the end.
    let newlines = [b"+", &vec![b'\n'; 1 << 20][..], b"\r\n"].concat();
    check("a line of newlines", &newlines, 4.0);
    let returns = [b"-", &vec![b'\r'; 1 << 20][..], b"\r\n"].concat();
    check("an error of carriage returns", &returns, 4.0);
}

#[test]
fn many_replies_at_once() {
    let mut decoder = Decoder::new(DecoderLimits::default());
    let stream = b"$5\r\nhello\r\n".repeat(500_000);
    decoder.feed(&stream);
    while decoder.next_value().unwrap().is_some() {}
    let work = decoder.work() as f64 / stream.len() as f64;
    assert!(work <= 2.0, "{work}");
}
