//! What belongs to a name, found without allocation.

use super::command_name::CommandName;

/// A hash table with open addressing, at most half full. Written once.
#[derive(Debug)]
pub(super) struct NameMap<T> {
    places: Box<[Option<(CommandName, T)>]>,
    mask: usize,
}

impl<T> NameMap<T> {
    /// Of two entries of one name the first stays.
    pub(super) fn new(entries: Vec<(CommandName, T)>) -> Self {
        let size = (entries.len() * 2).next_power_of_two().max(2);
        let mut map = Self {
            places: std::iter::repeat_with(|| None).take(size).collect(),
            mask: size - 1,
        };
        for (name, value) in entries {
            let at = map.place(name);
            if let Some(place @ None) = map.places.get_mut(at) {
                *place = Some((name, value));
            }
        }
        map
    }

    pub(super) fn get(&self, name: CommandName) -> Option<&T> {
        let place = self.places.get(self.place(name))?;
        place.as_ref().map(|(_, value)| value)
    }

    /// Where `name` is, or would be.
    fn place(&self, name: CommandName) -> usize {
        let mut at = name.hash() as usize & self.mask;
        while let Some(Some((other, _))) = self.places.get(at) {
            if *other == name {
                break;
            }
            at = (at + 1) & self.mask;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        let name = |number: u32| CommandName::new(format!("NAME-{number}").as_bytes()).unwrap();
        for count in [0, 1, 2, 3, 300] {
            let map = NameMap::new((0..count).map(|n| (name(n), n)).collect());
            for number in 0..count {
                assert_eq!(map.get(name(number)), Some(&number));
            }
            assert_eq!(map.get(name(count)), None);
        }
    }
}
