//! A script's values as arguments of a command.

use redis_manager_core::redis::Cmd;
use redis_manager_core::{Delivery, Error, ErrorKind, Result};

use super::limits::Allowance;
use super::{ScriptValue, ValueLimits};

impl ScriptValue {
    /// Adds it to `cmd`: a string as it is, a number as the redis crate writes it, a truth value as 1 or 0, a list as
    /// one argument for each value, a map as one for each key and each value, also where they stand in one another.
    ///
    /// ```
    /// use redis_manager::{ScriptValue, ValueLimits, redis::cmd};
    ///
    /// let player = ScriptValue::from(vec![("name", "alice"), ("class", "mage")]);
    /// let mut hset = cmd("HSET");
    /// player.add_to(hset.arg("player:1"), ValueLimits::default())?;
    /// assert_eq!(hset.args_iter().count(), 6);
    /// # Ok::<(), redis_manager::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) for nil, which Redis has no word for, and
    /// [`Conversion`](ErrorKind::Conversion) if the value passes `limits`; then `cmd` has a part of it.
    pub fn add_to(&self, cmd: &mut Cmd, limits: ValueLimits) -> Result<()> {
        add(self, cmd, &mut limits.allowance())
            .map_err(|error| error.with_delivery(Delivery::NotSent))
    }
}

fn add(value: &ScriptValue, cmd: &mut Cmd, allowance: &mut Allowance) -> Result<()> {
    match value {
        ScriptValue::Nil => {
            let message = "nil cannot be an argument of a command";
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        ScriptValue::Bool(value) => cmd.arg(value),
        ScriptValue::Integer(number) => cmd.arg(number),
        ScriptValue::Float(number) => cmd.arg(number),
        ScriptValue::Bytes(bytes) => cmd.arg(bytes),
        ScriptValue::List(values) => {
            allowance.enter()?;
            for value in values {
                add(value, cmd, allowance)?;
            }
            allowance.leave();
            return Ok(());
        }
        ScriptValue::Map(pairs) => {
            allowance.enter()?;
            for (key, value) in pairs {
                add(key, cmd, allowance)?;
                add(value, cmd, allowance)?;
            }
            allowance.leave();
            return Ok(());
        }
    };
    allowance.take(value.as_bytes().map_or(0, <[u8]>::len))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(value: &ScriptValue) -> Result<Vec<u8>> {
        let mut cmd = Cmd::new();
        value.add_to(&mut cmd, ValueLimits::default())?;
        Ok(cmd.get_packed_command())
    }

    #[test]
    fn values_become_the_arguments_that_a_person_would_type() {
        let text = |text: &str| ScriptValue::from(text);
        let list = ScriptValue::List(vec![text("a b"), 7.into(), 1.5.into(), true.into()]);
        let map = ScriptValue::Map(vec![(text("k"), list)]);
        let typed = ["k", "a b", "7", "1.5", "1"];
        assert_eq!(
            packed(&map).unwrap(),
            Cmd::new().arg(&typed[..]).get_packed_command()
        );
        let binary = &b"\xff\0\r\n"[..];
        assert_eq!(
            packed(&binary.into()).unwrap(),
            Cmd::new().arg(binary).get_packed_command()
        );
    }

    #[test]
    fn nil_is_refused_wherever_it_stands() {
        for value in [ScriptValue::Nil, ScriptValue::List(vec![ScriptValue::Nil])] {
            let error = packed(&value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert_eq!(error.delivery(), Some(Delivery::NotSent));
        }
    }
}
