//! Values of Rhai and of Redis.

use redis_manager_support::TestServer;

use crate::fixture::{printed_by, unique};

#[test]
fn bytes_that_are_no_text_are_blobs_both_ways() {
    let key = unique();
    let server = TestServer::shared();
    let all: Vec<u8> = (0..=255).collect();
    server.run(&[b"SET", key.as_bytes(), &all[..]]);
    server.run(&[b"HSET", format!("{key}:hash").as_bytes(), b"\xff", b"\xfe"]);
    let lines = printed_by(
        &r#"let all = blob();
        for byte in 0..=255 { all.push(byte); }
        let c = commands();
        print(c.get("KEY") == all);
        c.set("KEY:same", all);
        print(asynchronous().get("KEY:same").get() == all);
        print(type_of(c.get("KEY")) + " " + type_of(c.ping()));
        let pairs = c.hgetall("KEY:hash");
        print(pairs.len() + " " + type_of(pairs[0][0]) + " " + pairs[0][1][0]);
        let client = open(ClientType.PUB_SUB);
        let channel = all;
        client.registerListener(|channel, message| {
            print(channel == all && message == all);
            exit();
        }, channel);
        client.publishAsync(channel, all);"#
            .replace("KEY", &key),
    );
    assert_eq!(lines, ["true", "true", "blob string", "1 blob 254", "true"]);
    assert_eq!(
        server.run(&["STRLEN", &format!("{key}:same")]).as_int(),
        Some(256)
    );
}

#[test]
fn arrays_and_maps_are_arguments_and_replies() {
    let lines = printed_by(
        r#"let c = commands();
        c.rpush("NAME:list", ["a", 2, 0.5], true, 'x');
        print(c.lrange("NAME:list", 0, -1));
        c.hset("NAME:hash", #{ name: "alice" });
        print(c.hgetall("NAME:hash").name);
        print(c.mget("NAME:no", "NAME:no"));
        print([c.get("NAME:no")]);
        print(type_of(c.llen("NAME:list")));
        // A variable that a function has captured is a value like others.
        let captured = ["b"];
        let capture = || captured;
        print(c.rpush("NAME:list", captured));
        for value in [(), [()], open, redis, 0..2] {
            try { c.rpush("NAME:list", value) } catch (e) { print(`${e.line}: ${e.message}`) }
        }
        exit();"#,
    );
    assert_eq!(
        lines[..6],
        [
            r#"["a", "2", "0.5", "1", "x"]"#,
            "alice",
            "[(), ()]",
            "[()]",
            "i64",
            "6"
        ]
    );
    for refused in &lines[6..] {
        assert!(refused.starts_with("15: "), "{refused}");
    }
    assert_eq!(lines.len(), 11);
}
