//! What a script may take of the host.

use crate::fixture::{failure_of, printed_by};

#[test]
fn a_script_that_takes_too_much_is_ended_where_it_does() {
    for (code, failure) in [
        ("\nloop { }", "a.rhai:3: Too many operations"),
        ("fn f(n) {\nf(n + 1)\n}\nf(0)", "a.rhai:5: Stack overflow"),
        (
            "let text = \"x\";\nloop {\ntext += text;\n}",
            "a.rhai:4: Length of string too large",
        ),
        (
            "let list = [1];\nloop {\nlist += list;\n}",
            "a.rhai:4: Size of array/BLOB too large",
        ),
        // In a callback as well, which counts by itself; Rhai says only in which.
        (
            "asynchronous().ping().thenAccept(|value| {\nwhile true { }\n});",
            "a.rhai:2: Too many operations",
        ),
    ] {
        let found = failure_of(code);
        assert!(found.starts_with(failure), "{code:?}: {found:?}");
    }
    let nested = format!("let x = {}1{};", "(1 + ".repeat(100), ")".repeat(100));
    let found = failure_of(&nested);
    assert!(
        found.starts_with("a.rhai:2: Expression exceeds"),
        "{found:?}"
    );
    for code in ["sleep(3600)", "sleep(0.5)"] {
        assert_eq!(failure_of(code), "a.rhai:2: sleep would hold up the host");
    }
}

#[test]
fn the_deepest_calls_that_are_allowed_fit_on_a_small_stack() {
    let lines = printed_by(
        "fn f(n) { if n == 0 { 0 } else { 1 + (((n * 2 - n) - f(n - 1)) * 0) + f(n - 1) } }\n\
         fn g(n) { if n == 0 { commands().ping() } else { [g(n - 1)][0] } }\n\
         print(f(3) + g(25));\nexit();",
    );
    assert_eq!(lines, ["3PONG"]);
}
