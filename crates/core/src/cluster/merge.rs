//! The replies of several nodes, as one.

use redis::Value;

use crate::{Delivery, Error, ErrorKind, Result};

/// How the replies to the parts of a command, or those of all masters, become the one reply to it.
///
/// An error among them is the reply to the whole, the first if there are more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Merge {
    /// All are alike: `OK`, the name of a script.
    First,
    /// One is enough: only one node runs the script that is to be killed, and the others say that they run none.
    AnySuccess,
    /// Numbers, added up.
    Sum,
    /// Lists, one behind the other.
    Concatenated,
    /// Lists of 1 and 0, and 1 is what all say: whether each node has a script.
    Everywhere,
    /// Lists whose elements belong to these places of the whole, part by part.
    Placed(Vec<Vec<usize>>),
}

impl Merge {
    /// Makes one reply of `replies`, which are in the order of the parts or of the masters.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if there is none, or one is of another form than the command's.
    pub(crate) fn apply(self, mut replies: Vec<Value>) -> Result<Value> {
        if replies.is_empty() {
            return Err(unfit());
        }
        let is_error = |reply: &Value| matches!(reply, Value::ServerError(_));
        let chosen = match self {
            Self::AnySuccess => replies.iter().position(|reply| !is_error(reply)),
            _ => replies.iter().position(is_error),
        };
        if let Some(chosen) = chosen {
            return Ok(replies.swap_remove(chosen));
        }
        match self {
            Self::First | Self::AnySuccess => replies.into_iter().next().ok_or_else(unfit),
            Self::Sum => sum(&replies),
            Self::Concatenated => {
                let lists = replies.into_iter().map(list).collect::<Result<Vec<_>>>()?;
                Ok(Value::Array(lists.concat()))
            }
            Self::Everywhere => everywhere(replies),
            Self::Placed(places) => placed(&places, replies),
        }
    }
}

fn sum(replies: &[Value]) -> Result<Value> {
    let sum = replies.iter().try_fold(0_i64, |sum, reply| match reply {
        Value::Int(number) => sum.checked_add(*number),
        _ => None,
    });
    sum.map(Value::Int).ok_or_else(unfit)
}

fn everywhere(replies: Vec<Value>) -> Result<Value> {
    let mut lists = replies.into_iter().map(list);
    let mut all = lists.next().ok_or_else(unfit)??;
    for list in lists {
        let list = list?;
        if list.len() != all.len() {
            return Err(unfit());
        }
        for (whole, here) in all.iter_mut().zip(list) {
            if here == Value::Int(0) {
                *whole = here;
            }
        }
    }
    Ok(Value::Array(all))
}

fn placed(places: &[Vec<usize>], replies: Vec<Value>) -> Result<Value> {
    let count = places.iter().map(Vec::len).sum();
    let mut whole = vec![Value::Nil; count];
    if places.len() != replies.len() {
        return Err(unfit());
    }
    for (places, reply) in places.iter().zip(replies) {
        let values = list(reply)?;
        if values.len() != places.len() {
            return Err(unfit());
        }
        for (place, value) in places.iter().zip(values) {
            *whole.get_mut(*place).ok_or_else(unfit)? = value;
        }
    }
    Ok(Value::Array(whole))
}

fn list(reply: Value) -> Result<Vec<Value>> {
    match reply {
        Value::Array(values) | Value::Set(values) => Ok(values),
        _ => Err(unfit()),
    }
}

fn unfit() -> Error {
    Error::new(
        ErrorKind::Protocol,
        "the replies of the nodes do not make one",
    )
    .with_delivery(Delivery::Replied)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ints(numbers: &[i64]) -> Value {
        Value::Array(numbers.iter().copied().map(Value::Int).collect())
    }

    fn error(line: &str) -> Value {
        redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap()
    }

    #[test]
    fn replies_become_one_as_the_command_wants_it() {
        let busy = || error("NOTBUSY No scripts in execution right now.");
        let placed = || Merge::Placed(vec![vec![0, 3], vec![2], vec![1]]);
        for (merge, replies, expected) in [
            (Merge::First, vec![Value::Okay, Value::Okay], Value::Okay),
            (
                Merge::Sum,
                vec![Value::Int(2), Value::Int(0), Value::Int(3)],
                Value::Int(5),
            ),
            (
                Merge::Concatenated,
                vec![ints(&[1]), ints(&[]), ints(&[2, 3])],
                ints(&[1, 2, 3]),
            ),
            (
                Merge::Everywhere,
                vec![ints(&[1, 1, 0]), ints(&[1, 0, 0])],
                ints(&[1, 0, 0]),
            ),
            (
                Merge::AnySuccess,
                vec![busy(), Value::Okay, busy()],
                Value::Okay,
            ),
            (Merge::AnySuccess, vec![busy(), error("ERR other")], busy()),
            (
                placed(),
                vec![ints(&[1, 4]), ints(&[3]), ints(&[2])],
                ints(&[1, 2, 3, 4]),
            ),
        ] {
            assert_eq!(merge.clone().apply(replies).unwrap(), expected, "{merge:?}");
        }
    }

    #[test]
    fn the_first_error_is_the_reply() {
        for merge in [
            Merge::First,
            Merge::Sum,
            Merge::Concatenated,
            Merge::Everywhere,
        ] {
            let replies = vec![Value::Int(1), error("NOPERM a"), error("ERR b")];
            assert_eq!(merge.apply(replies).unwrap(), error("NOPERM a"));
        }
    }

    #[test]
    fn replies_of_another_form_are_no_reply() {
        for (merge, replies) in [
            (Merge::First, vec![]),
            (Merge::Sum, vec![]),
            (Merge::Sum, vec![Value::Int(1), Value::Okay]),
            (Merge::Sum, vec![Value::Int(i64::MAX), Value::Int(1)]),
            (Merge::Concatenated, vec![Value::Int(1)]),
            (Merge::Everywhere, vec![ints(&[1]), ints(&[1, 1])]),
            (Merge::Placed(vec![vec![0], vec![1]]), vec![ints(&[1])]),
            (Merge::Placed(vec![vec![0]]), vec![ints(&[1, 2])]),
            (Merge::Placed(vec![vec![0]]), vec![Value::Nil]),
        ] {
            let error = merge.apply(replies).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol);
            assert_eq!(error.delivery(), Some(Delivery::Replied));
        }
    }
}
