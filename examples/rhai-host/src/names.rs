//! The names in a script's code that the host has to know before it runs.

use std::collections::BTreeSet;

use rhai::{AST, ASTNode, Expr, Stmt};

/// What a script names.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The methods that it calls, with how many arguments each is given.
    pub(crate) methods: BTreeSet<(String, usize)>,
    /// The variables that a function of it captures, and that nobody assigns.
    pub(crate) captured: BTreeSet<String>,
}

impl Names {
    pub(crate) fn of(ast: &AST) -> Self {
        let mut names = Self::default();
        let mut assigned = BTreeSet::new();
        ast.walk(&mut |path| {
            match path.last() {
                Some(ASTNode::Expr(Expr::MethodCall(call, _))) => {
                    let method = (call.name.to_string(), call.args.len());
                    names.methods.insert(method);
                }
                Some(ASTNode::Stmt(Stmt::Share(variables))) => {
                    let shared = variables
                        .iter()
                        .map(|(variable, _)| variable.name.to_string());
                    names.captured.extend(shared);
                }
                Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => {
                    if let Expr::Variable(variable, ..) = &assignment.1.lhs {
                        assigned.insert(variable.1.to_string());
                    }
                }
                _ => {}
            }
            true
        });
        names.captured.retain(|name| !assigned.contains(name));
        names
    }
}

#[cfg(test)]
mod tests {
    use rhai::Engine;

    use super::*;

    fn names(code: &str) -> Names {
        Names::of(&Engine::new().compile(code).unwrap())
    }

    #[test]
    fn calls_are_found_wherever_they_stand() {
        let names = names(
            r#"
            let a = b.get("k");
            fn named(c) { if true { c.set("k", c.incr(1)) } }
            let closure = |x| x.hset("h", ["f", a.strlen("k")], `${a.ttl("t")}`);
            #{ key: [a.getClient().client_id()] };
            plain("function");
        "#,
        );
        let methods: Vec<_> = names
            .methods
            .iter()
            .map(|(name, n)| (name.as_str(), *n))
            .collect();
        assert_eq!(
            methods,
            [
                ("client_id", 0),
                ("get", 1),
                ("getClient", 0),
                ("hset", 3),
                ("incr", 1),
                ("set", 2),
                ("strlen", 1),
                ("ttl", 1)
            ]
        );
    }

    #[test]
    fn what_is_captured_is_told_unless_it_is_assigned() {
        let names = names(
            "let a = 1; let b = 2; let c = 3; let d = 4; let e = 5;
             let f = || { let inner = || a + d; b += 1; inner.call() };
             c = 7; let g = || c;
             fn named() { d = 1; }",
        );
        let captured: Vec<_> = names.captured.iter().map(String::as_str).collect();
        assert_eq!(captured, ["a"]);
    }
}
