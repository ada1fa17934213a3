//! Commands that only one node, or none, answers as they are meant.

use redis_manager::prelude::*;
use redis_manager::redis::{Value, cmd, pipe};
use redis_manager_support::TestCluster;

use crate::cluster_fixture::{expect_unloaded, key_of_each, open_in};
use crate::fixture::{Host, PROTOCOLS};
use crate::reconnect::options;

#[test]
fn what_is_asked_of_a_slot_is_answered_by_the_node_that_has_it() {
    let cluster = TestCluster::shared();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, cluster, options(protocol));
        let (mut commands, keys) = (client.commands(), key_of_each(cluster));
        for key in &keys {
            let () = commands.set(key, 1).unwrap();
            let slot = cluster.slot(key);
            let mut count = cmd("CLUSTER");
            count.arg("COUNTKEYSINSLOT").arg(slot);
            let mut list = cmd("cluster");
            list.arg("getkeysinslot").arg(slot).arg(100);
            let counted: usize = count.query(&mut commands).unwrap();
            let listed: Vec<String> = list.query(&mut commands).unwrap();
            assert!(listed.contains(key), "{listed:?}");
            assert_eq!(counted, listed.len());
            let mut session = client.session().unwrap();
            assert_eq!(count.query::<usize>(&mut session).unwrap(), counted);
            let mut both = pipe();
            both.add_command(count).add_command(list);
            let told: (usize, Vec<String>) = both.query(&mut commands).unwrap();
            assert_eq!(told, (counted, listed));
            let of_key: u16 = cmd("CLUSTER")
                .arg("KEYSLOT")
                .arg(key)
                .query(&mut commands)
                .unwrap();
            assert_eq!(of_key, slot);
        }
        for slot in ["16384", "x"] {
            let mut wrong = cmd("CLUSTER");
            wrong.arg("COUNTKEYSINSLOT").arg(slot);
            let refused = wrong.query::<Value>(&mut commands).unwrap_err();
            assert_eq!(refused.code(), Some("ERR"), "{refused}");
        }
        expect_unloaded(&host, cluster);
    }
}

#[test]
fn an_mset_without_its_last_value_is_refused_by_the_server_and_sets_nothing() {
    let cluster = TestCluster::shared();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, cluster, options(protocol));
        let (mut commands, keys) = (client.commands(), key_of_each(cluster));
        let mut mset = cmd("MSET");
        mset.arg(&keys[0]).arg(1).arg(&keys[1]).arg(2).arg(&keys[2]);
        let mut piped = pipe();
        piped.add_command(mset.clone());
        let outcomes = [
            mset.query::<Value>(&mut commands),
            piped.query::<Value>(&mut commands),
            pollster::block_on(mset.query_async(&mut client.async_commands())),
        ];
        for outcome in outcomes {
            let refused = Error::from(outcome.unwrap_err());
            let said = "wrong number of arguments for";
            assert!(refused.message().contains(said), "{refused}");
            assert_eq!(refused.kind(), ErrorKind::Server);
            assert_eq!(refused.delivery(), Some(Delivery::Replied));
        }
        for key in &keys {
            assert!(!commands.exists::<_, bool>(key).unwrap());
        }
        expect_unloaded(&host, cluster);
    }
}
