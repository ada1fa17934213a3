//! What a script may take of the host.

use crate::fixture::failure_of;

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
    // The deepest expression in the deepest calls fits on the stack of a test's thread.
    let deepest = format!("{}f(n + 1){}", "[1 + ".repeat(8), "]".repeat(8));
    let found = failure_of(&format!("fn f(n) {{ {deepest} }}\nf(0)"));
    assert_eq!(found, "a.rhai:3: Stack overflow");
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
