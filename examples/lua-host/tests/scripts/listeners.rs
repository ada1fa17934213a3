//! Functions of scripts that listen.

use crate::fixture::{printed_by, unique};

#[test]
fn every_way_of_registering_hears_and_none_hears_after_unregistering() {
    let channel = unique("channel");
    let lines = printed_by(&format!(
        "local client = open(ClientType.PUB_SUB)\n\
         local function hear(as)\n\
             return function(channel, message) print(as, channel == '{channel}', message) end\n\
         end\n\
         local listeners = {{\n\
             client:registerListener(hear('plain'), '{channel}'),\n\
             client:registerSyncListener(hear('sync'), '{channel}'),\n\
             client:registerAsyncListener(hear('async'), '{channel}'),\n\
             client:registerPatternListener(hear('pattern'), '{channel}*'),\n\
         }}\n\
         listeners[3]:registration():get()\n\
         print(client:publish('{channel}', 'one'))\n\
         print(listeners[1]:isRegistered(), listeners[1]:getChannel() == '{channel}')\n\
         async():ping():thenAccept(function()\n\
             listeners[1]:unregister()\n\
             client:unregisterListener(listeners[4])\n\
             print(client:unregisterListeners('{channel}'))\n\
             for _, it in ipairs(listeners) do print(it:isRegistered()) end\n\
             client:publishAsync('{channel}', 'two'):thenAccept(function(receivers)\n\
                 print(receivers)\n\
                 exit()\n\
             end)\n\
         end)"
    ));
    let heard = |line: &&String| line.contains('\t') && line.ends_with("one");
    let mut heard: Vec<_> = lines.iter().filter(heard).collect();
    heard.sort();
    let names = ["async", "pattern", "plain", "sync"];
    assert_eq!(
        heard,
        names.map(|name| format!("{name}\ttrue\tone")).each_ref()
    );
    // One client, which has a channel and a pattern.
    assert_eq!(lines[..2], ["2", "true\ttrue"]);
    let rest: Vec<_> = lines[2..]
        .iter()
        .filter(|it| !it.ends_with("one"))
        .collect();
    assert_eq!(rest, ["2", "false", "false", "false", "false", "0"]);
}

#[test]
fn a_listener_given_up_before_the_server_confirmed_it_never_hears() {
    let channel = unique("channel");
    let lines = printed_by(&format!(
        "local client = open(ClientType.PUB_SUB)\n\
         local listener = client:registerAsyncListener(print, '{channel}')\n\
         listener:unregister()\n\
         client:publishAsync('{channel}', 'nobody'):thenAccept(function()\n\
             listener:registration():thenAccept(function()\n\
                 print(listener:isRegistered(), client:publish('{channel}', 'nobody'))\n\
                 exit()\n\
             end)\n\
         end)"
    ));
    assert_eq!(lines, ["false\t0"]);
}
