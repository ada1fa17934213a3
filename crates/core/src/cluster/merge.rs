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
