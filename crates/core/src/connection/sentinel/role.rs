//! What a server says it is.

use redis::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Role {
    Master,
    Replica,
    /// A sentinel, or nothing that is known.
    Other,
}

impl Role {
    /// Reads the answer to `ROLE`.
    pub(in super::super) fn of_answer(answer: &Value) -> Self {
        match answer {
            Value::Array(parts) => match parts.first() {
                Some(Value::BulkString(name)) => Self::of_name(name),
                Some(Value::SimpleString(name)) => Self::of_name(name.as_bytes()),
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }

    /// Reads the answer to `INFO replication`.
    pub(in super::super) fn of_info(answer: &Value) -> Self {
        let text = match answer {
            Value::BulkString(text) => text.as_slice(),
            Value::VerbatimString { text, .. } | Value::SimpleString(text) => text.as_bytes(),
            _ => return Self::Other,
        };
        let mut lines = text.split(|byte| *byte == b'\n');
        let role = lines.find_map(|line| line.strip_prefix(b"role:"));
        role.map_or(Self::Other, |role| Self::of_name(role.trim_ascii()))
    }

    fn of_name(name: &[u8]) -> Self {
        match name {
            b"master" => Self::Master,
            b"slave" | b"replica" => Self::Replica,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_the_first_word_of_its_answer() {
        let role = |name: &str| {
            let name = Value::BulkString(name.as_bytes().to_vec());
            Role::of_answer(&Value::Array(vec![name, Value::Int(7)]))
        };
        assert_eq!(role("master"), Role::Master);
        assert_eq!(role("slave"), Role::Replica);
        assert_eq!(role("sentinel"), Role::Other);
        for other in [Value::Nil, Value::Okay, Value::Array(vec![])] {
            assert_eq!(Role::of_answer(&other), Role::Other, "{other:?}");
        }
    }

    #[test]
    fn a_role_is_a_line_of_what_replication_tells() {
        let info = |text: &str| Role::of_info(&Value::BulkString(text.as_bytes().to_vec()));
        assert_eq!(info("# Replication\r\nrole:master\r\n"), Role::Master);
        assert_eq!(
            info("# Replication\r\nrole:slave\r\nx:1\r\n"),
            Role::Replica
        );
        assert_eq!(info("# Replication\r\n"), Role::Other);
        assert_eq!(Role::of_info(&Value::Okay), Role::Other);
    }
}
