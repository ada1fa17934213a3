//! What sentinels say, in our terms.

use redis::Value;

/// Where a server is, as a sentinel writes it.
pub(super) type Address = (String, u16);

/// Reads the answer to `SENTINEL GET-MASTER-ADDR-BY-NAME`: an address, `Ok(None)` if no master of that name is known.
pub(super) fn address(answer: &Value) -> Result<Option<Address>, &'static str> {
    const OTHER: &str = "it answers with something that is no address; is it a sentinel?";
    match answer {
        Value::Nil => Ok(None),
        Value::Array(parts) => match parts.as_slice() {
            [host, port] => pair(text(host), text(port)).map(Some).ok_or(OTHER),
            _ => Err(OTHER),
        },
        _ => Err(OTHER),
    }
}

/// One master instead of another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Switch {
    pub(super) old: Address,
    pub(super) new: Address,
}

/// When a sentinel has another master. It knows that from the moment of the promotion, which it tells first; the
/// others hear it from that one.
pub(super) const SWITCHED: &str = "+switch-master";
pub(super) const PROMOTED: &str = "+promoted-slave";

/// Reads a message, if it tells of another master of the name `master`.
pub(super) fn switch(message: &Value, master: &str) -> Option<Switch> {
    let Value::Array(parts) = message else {
        return None;
    };
    let [kind, channel, payload] = parts.as_slice() else {
        return None;
    };
    if text(kind) != Some("message") {
        return None;
    }
    let words: Vec<&str> = text(payload)?.split(' ').collect();
    let (name, old, new) = match (text(channel)?, words.as_slice()) {
        (SWITCHED, [name, old, old_port, new, new_port]) => {
            (*name, (*old, *old_port), (*new, *new_port))
        }
        (PROMOTED, ["slave", _, new, new_port, "@", name, old, old_port]) => {
            (*name, (*old, *old_port), (*new, *new_port))
        }
        _ => return None,
    };
    let old = pair(Some(old.0), Some(old.1))?;
    let new = pair(Some(new.0), Some(new.1))?;
    (name == master).then_some(Switch { old, new })
}

fn pair(host: Option<&str>, port: Option<&str>) -> Option<Address> {
    let (host, port) = (host?, port?.parse().ok()?);
    (!host.is_empty() && port != 0).then(|| (host.to_owned(), port))
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(words: &[&str]) -> Value {
        let words = words.iter().map(|word| word.as_bytes().to_vec());
        Value::Array(words.map(Value::BulkString).collect())
    }

    #[test]
    fn a_master_is_an_address_or_unknown() {
        let known = array(&["10.0.0.7", "6380"]);
        assert_eq!(address(&known), Ok(Some(("10.0.0.7".to_owned(), 6380))));
        assert_eq!(address(&Value::Nil), Ok(None));
        for other in [
            Value::Okay,
            array(&[]),
            array(&["h"]),
            array(&["h", "x"]),
            array(&["h", "0"]),
            array(&["", "1"]),
            array(&["h", "65536"]),
            array(&["h", "1", "2"]),
            Value::Array(vec![Value::Int(1), Value::Int(2)]),
        ] {
            assert!(address(&other).is_err(), "{other:?}");
        }
    }

    #[test]
    fn both_messages_tell_of_another_master() {
        let expected = Some(Switch {
            old: ("a".to_owned(), 1),
            new: ("b".to_owned(), 2),
        });
        let switched = array(&["message", SWITCHED, "main a 1 b 2"]);
        assert_eq!(switch(&switched, "main"), expected);
        let promoted = array(&["message", PROMOTED, "slave b:2 b 2 @ main a 1"]);
        assert_eq!(switch(&promoted, "main"), expected);
    }

    #[test]
    fn whatever_else_is_told_changes_nothing() {
        for other in [
            array(&["message", SWITCHED, "another a 1 b 2"]),
            array(&["message", PROMOTED, "slave b:2 b 2 @ another a 1"]),
            array(&["message", SWITCHED, "main a 1 b"]),
            array(&["message", SWITCHED, "main a 1 b x"]),
            array(&["message", PROMOTED, "main a 1 b 2"]),
            array(&["message", "+sdown", "main a 1 b 2"]),
            array(&["subscribe", SWITCHED, "1"]),
            array(&["pong", ""]),
            Value::Nil,
        ] {
            assert_eq!(switch(&other, "main"), None, "{other:?}");
        }
    }
}
