//! What a script gets.

use redis_manager_core::{ErrorKind, LimitName};

use super::full;
use crate::config::PrefixTemplate;

#[test]
fn a_script_has_what_its_table_says_and_the_rest_by_default() {
    let config = full();
    let economy = config.script_options("economy").unwrap();
    assert_eq!(economy.key_prefix().unwrap().as_str(), "economy:");
    assert_eq!(economy.limits().get(LimitName::Clients), Some(8));
    assert_eq!(economy.limits().get(LimitName::Sessions), Some(2));
    assert!(economy.denied_commands().names().eq(["FLUSHALL"]));
    let other = config.script_options("chat").unwrap();
    assert_eq!(other.key_prefix().unwrap().as_str(), "chat:");
    assert_eq!(other.limits().get(LimitName::Clients), Some(4));
    let admin = config.script_options("admin").unwrap();
    assert_eq!(admin.key_prefix(), None);
    assert!(admin.limits().is_none());
    assert!(admin.denied_commands().names().eq(["SHUTDOWN"]));
}

#[test]
fn a_name_whose_prefix_could_begin_anothers_is_refused() {
    let error = full().script_options("economy:items").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOptions);
    assert_eq!(
        error.message(),
        "invalid configuration: default_script.key_prefix: the key prefix \"{script}:\" wants names \
         without ':', and the script's is \"economy:items\""
    );
    let tag: PrefixTemplate = "{{script}}".parse().unwrap();
    assert_eq!(tag.of("economy").unwrap().as_str(), "{economy}");
    for template in ["{script}", "{script}{script}:", "", "a b", "{script}*"] {
        assert!(PrefixTemplate::new(template).is_err(), "{template:?}");
    }
}
