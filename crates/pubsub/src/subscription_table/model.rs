//! Whatever happens in whatever order, the table ends with what is wanted, and tells what was missed: with one socket
//! that subscribes, and with several among which the channels move.

mod clients;
mod connections;
mod happening;
mod hearing;
mod servers;
mod socket;
mod world;

use std::collections::HashSet;

use proptest::prelude::*;

use happening::story;
use hearing::Hearing;
use world::World;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: ProptestConfig::default().cases.max(2_000), ..ProptestConfig::default() })]

    #[test]
    fn the_servers_end_with_what_is_wanted_and_nobody_misses_anything_unknowingly(
        (sockets, happenings) in story(),
    ) {
        let mut world = World::new(sockets);
        for happening in happenings {
            world.happen(happening);
            world.check_delivery();
        }
        world.calm_down();
        world.check_delivery();
        let staying = world.listeners.iter();
        let staying = staying.filter(|(listener, _)| world.hearing[&listener.id] != Hearing::Left);
        let wanted: HashSet<_> = staying
            .map(|(_, channel)| (world.places[channel], channel.clone()))
            .collect();
        prop_assert_eq!(world.on_servers(), wanted);
        let ends = [Hearing::Yes, Hearing::Left, Hearing::Again];
        prop_assert!(world.hearing.values().all(|hearing| ends.contains(hearing)));
        for (_, channel) in world.listeners.clone() {
            prop_assert!(world.table.next_step(&channel).is_none());
        }
        for (listener, _) in world.listeners.clone() {
            world.unregister(listener.id);
        }
        world.calm_down();
        prop_assert!(world.on_servers().is_empty());
        prop_assert!(world.table.is_empty());
    }
}
