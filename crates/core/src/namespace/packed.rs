//! A prefix put into a command that is packed already.
//!
//! With most commands the first argument is the key, and alone. So nothing is written twice for them: the command is
//! packed as it is, and the prefix goes into the bytes.

use redis::{Arg, Cmd};

/// Puts `prefix` before the first argument of `cmd`, if it has one, where `cmd` was packed: into `bytes`, from `start` to
/// the end.
pub(crate) fn prefix_first_argument(bytes: &mut Vec<u8>, start: usize, cmd: &Cmd, prefix: &[u8]) {
    let mut arguments = cmd.args_iter();
    let count = arguments.len();
    let (Some(Arg::Simple(name)), Some(Arg::Simple(first))) = (arguments.next(), arguments.next())
    else {
        return;
    };
    // Behind `*3`, `$3`, `GET` and the `$` of the next, and three ends of lines.
    let length = start + digits(count) + digits(name.len()) + name.len() + 9;
    let (argument, end) = (length + digits(first.len()) + 2, bytes.len());
    let new_length = first.len() + prefix.len();
    let new_argument = length + digits(new_length) + 2;
    // Room for the prefix, and for a length that has more digits with it.
    bytes.extend_from_slice(prefix);
    for _ in argument..new_argument {
        bytes.push(b'0');
    }
    bytes.copy_within(argument..end, new_argument + prefix.len());
    if let Some(changed) = bytes.get_mut(length..new_argument + prefix.len())
        && let Some((line, place)) = changed.split_at_mut_checked(new_argument - length)
        && let Some((number, line_end)) = line.split_last_chunk_mut::<2>()
    {
        write_number(new_length, number);
        *line_end = *b"\r\n";
        place.copy_from_slice(prefix);
    }
}

fn digits(number: usize) -> usize {
    match number {
        0..=9 => 1,
        10..=99 => 2,
        100..=999 => 3,
        _ => number.ilog10() as usize + 1,
    }
}

/// Fills `digits`, which are as many as `number` has.
fn write_number(mut number: usize, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use redis::cmd;

    use super::*;

    fn command(prefix: &[u8], arguments: &[Vec<u8>]) -> Cmd {
        let mut prefixed = cmd("NAME");
        for (index, argument) in arguments.iter().enumerate() {
            match index {
                0 => prefixed.arg([prefix, argument].concat()),
                _ => prefixed.arg(argument.as_slice()),
            };
        }
        prefixed
    }

    proptest! {
        #[test]
        fn it_is_as_if_it_had_been_packed_with_the_prefix(
            prefix in prop::collection::vec(any::<u8>(), 1..130),
            arguments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1_200), 0..12),
            before in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let mut bytes = before.clone();
            let plain = command(b"", &arguments);
            plain.write_packed_command(&mut bytes);
            prefix_first_argument(&mut bytes, before.len(), &plain, &prefix);
            let expected = [before, command(&prefix, &arguments).get_packed_command()].concat();
            prop_assert_eq!(bytes, expected);
        }
    }
}
