//! Random replies as bytes, and ways to spoil bytes.

use super::corpus;
use super::rng::Rng;

/// Bytes that mean something to a decoder more often than random ones do.
const ALPHABET: &[u8] = b"$*+-:_,#(!=%~|>\r\n\r\n\r\n0123456789-?. tfoOK\xff\x80\0";

/// Appends a well-formed reply.
pub(super) fn reply(rng: &mut Rng, depth: usize, out: &mut Vec<u8>) {
    let kind = match depth {
        0 => rng.pick(b"$$:+-_,#(!=nN"),
        _ => rng.pick(b"$$$::+-_,#(!=nN*%~|>"),
    };
    match kind {
        b'$' | b'!' | b'=' => {
            let mut payload = if kind == b'=' {
                b"txt:".to_vec()
            } else {
                Vec::new()
            };
            for _ in 0..rng.below(12) {
                payload.push(rng.pick(ALPHABET));
            }
            announce(kind, payload.len(), out);
            out.extend(payload);
            out.extend(b"\r\n");
        }
        b':' | b'(' => line(kind, &(rng.next() as i64 >> rng.below(64)).to_string(), out),
        b'+' => line(kind, rng.pick(&["", "OK", "PONG", "QUEUED", "\u{fc}"]), out),
        b'-' => line(
            kind,
            rng.pick(&["ERR", "ERR no", "NOSCRIPT x y", "MOVED 1 :1"]),
            out,
        ),
        b',' => line(
            kind,
            rng.pick(&["inf", "-inf", "nan", "1.5", "-0", "1e300"]),
            out,
        ),
        b'#' => line(kind, rng.pick(&["t", "f"]), out),
        b'_' => line(kind, "", out),
        b'n' => out.extend(b"$-1\r\n"),
        b'N' => out.extend(b"*-1\r\n"),
        _ => {
            let length = rng.below(4);
            announce(kind, length, out);
            let mut elements = match kind {
                b'%' => 2 * length,
                b'|' => 2 * length + 1,
                _ => length,
            };
            if kind == b'>' && length > 0 {
                line(b'+', rng.pick(&["message", "invalidate", "other"]), out);
                elements -= 1;
            }
            for _ in 0..elements {
                reply(rng, depth - 1, out);
            }
        }
    }
}

fn announce(kind: u8, length: usize, out: &mut Vec<u8>) {
    line(kind, &length.to_string(), out);
}

fn line(kind: u8, text: &str, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend(text.as_bytes());
    out.extend(b"\r\n");
}

/// Changes something somewhere.
pub(super) fn spoil(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let at = rng.below(bytes.len() + 1);
    let end = (at + rng.below(8)).min(bytes.len());
    match rng.below(6) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, rng.pick(ALPHABET)),
        2 => drop(bytes.drain(at..end)),
        3 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        4 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << rng.below(8);
            }
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = rng.pick(ALPHABET);
            }
        }
    }
}

/// An input for the comparison: noise, replies, or recorded replies, the latter two spoilt or not.
pub(super) fn input(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    match rng.below(8) {
        0 => {
            for _ in 0..rng.below(40) {
                bytes.push(rng.pick(ALPHABET));
            }
        }
        1 | 2 => {
            for _ in 0..=rng.below(3) {
                bytes.extend(rng.pick(corpus::RECORDED));
            }
        }
        3 => bytes.extend(rng.pick(corpus::HAND_MADE)),
        _ => {
            for _ in 0..=rng.below(3) {
                reply(rng, 4, &mut bytes);
            }
        }
    }
    for _ in 0..rng.below(4) {
        spoil(rng, &mut bytes);
    }
    bytes
}
