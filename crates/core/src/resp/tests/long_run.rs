//! Random inputs without end: `RESP_FUZZ_INPUTS=10000000 cargo test -p redis-manager-core --release
//! resp::tests::long_run -- --nocapture`, and `RESP_FUZZ_SEED=…` to repeat a run.

use std::collections::BTreeMap;
use std::env;
use std::hash::{BuildHasher, RandomState};
use std::io::{Write, stderr};

use super::rng::Rng;
use super::{generator, oracle};

fn variable(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

#[test]
fn random_inputs_give_what_redis_gives() {
    let inputs = variable("RESP_FUZZ_INPUTS").unwrap_or(20_000);
    let seed = variable("RESP_FUZZ_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let mut rng = Rng(seed);
    let mut replies = 0;
    let mut deviations = BTreeMap::<_, u64>::new();
    for index in 0..inputs {
        let input = generator::input(&mut rng);
        let largest = rng.pick(&[1, 3, 16, usize::MAX]);
        let compared = oracle::compare(&input, || match largest {
            usize::MAX => largest,
            _ => 1 + rng.below(largest),
        });
        match compared {
            Ok((count, known)) => {
                replies += count;
                *deviations.entry(known.unwrap_or("none")).or_default() += 1;
            }
            Err(difference) => panic!("RESP_FUZZ_SEED={seed}, input {index}: {difference}"),
        }
    }
    writeln!(
        stderr(),
        "RESP_FUZZ_SEED={seed}: {inputs} inputs, {replies} replies, first deviations {deviations:?}"
    )
    .unwrap();
}
