//! Functions of scripts that listen.

use crate::fixture::printed_by;

#[test]
fn every_way_of_registering_hears_and_none_hears_after_unregistering() {
    let lines = printed_by(
        r#"let client = open(ClientType.PUB_SUB);
        fn hear(kind) { |channel, message| print(`${kind} ${channel == "NAME"} ${message}`) }
        fn named(channel, message) { print(`named ${channel == "NAME"} ${message}`) }
        let listeners = [
            client.registerListener(hear("plain"), "NAME"),
            client.registerSyncListener(hear("sync"), "NAME"),
            client.registerAsyncListener(hear("async"), "NAME"),
            client.registerPatternListener(hear("pattern"), "NAME*"),
            client.registerListener(named, "NAME"),
        ];
        listeners[2].registration().get();
        print(client.publish("NAME", "one"));
        print(listeners[0].isRegistered() && listeners[0].getChannel() == "NAME");
        asynchronous().ping().thenAccept(|pong| {
            listeners[0].unregister();
            client.unregisterListener(listeners[3]);
            print(client.unregisterListeners("NAME"));
            for it in listeners { print(it.isRegistered()) }
            client.publishAsync("NAME", "two").thenAccept(|receivers| {
                print(receivers);
                exit();
            });
        });"#,
    );
    let (mut heard, rest): (Vec<_>, Vec<_>) = lines.iter().partition(|it| it.ends_with("one"));
    heard.sort();
    let names = ["async", "named", "pattern", "plain", "sync"];
    assert_eq!(
        heard,
        names.map(|name| format!("{name} true one")).each_ref()
    );
    // One client, which has a channel and a pattern.
    assert_eq!(rest[..2], ["2", "true"]);
    assert_eq!(
        rest[2..],
        ["3", "false", "false", "false", "false", "false", "0"]
    );
}

#[test]
fn a_listener_given_up_before_the_server_confirmed_it_never_hears() {
    let lines = printed_by(
        r#"let client = open(ClientType.PUB_SUB);
        let listener = client.registerAsyncListener(|channel, message| print(message), "NAME");
        listener.unregister();
        client.publishAsync("NAME", "nobody").thenAccept(|receivers| {
            listener.registration().thenAccept(|nothing| {
                print([listener.isRegistered(), client.publish("NAME", "nobody")]);
                exit();
            });
        });"#,
    );
    assert_eq!(lines, ["[false, 0]"]);
}

#[test]
fn functions_share_the_variables_that_they_have_captured() {
    let lines = printed_by(
        r#"let client = open(ClientType.PUB_SUB);
        let heard = [];
        let listener = ();
        listener = client.registerListener(|channel, message| {
            heard.push(message);
            if heard.len() == 3 {
                listener.unregister();
                print(heard);
                client.publishAsync("NAME", "unheard").thenAccept(|receivers| {
                    print(`${receivers} ${heard.len()}`);
                    exit();
                });
            }
        }, "NAME");
        for text in ["a", "b", "c"] { client.publishAsync("NAME", text); }"#,
    );
    assert_eq!(lines, [r#"["a", "b", "c"]"#, "0 3"]);
}

#[test]
fn a_function_may_use_the_very_client_that_it_is_given_to() {
    let lines = printed_by(
        r#"const client = open(ClientType.PUB_SUB);
        let options = client.getClientOptions();
        client.registerListener(|channel, message| {
            print(message);
            if message == "ping" {
                client.publishAsync("NAME", "pong").thenAccept(|receivers| {
                    print(client.getState() + options.commandTimeout + client.getRedisURI());
                });
            } else {
                client.unregisterListeners("NAME");
                exit();
            }
        }, "NAME");
        client.publish("NAME", "ping");"#,
    );
    assert_eq!(lines[0], "ping");
    let mut rest = lines[1..].to_vec();
    // Which of the two comes first is the server's to say.
    rest.sort();
    assert!(rest[0].starts_with("connected10sredis://"), "{rest:?}");
    assert_eq!(rest[1..], ["pong"]);
}
