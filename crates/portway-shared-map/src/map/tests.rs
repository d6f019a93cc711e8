use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Sets a key, or takes it out.
#[derive(Clone, Debug)]
enum Edit {
    Insert(u16, u8),
    Remove(u16),
    Change(u16, u8),
}

fn edits(most: usize) -> impl Strategy<Value = Vec<Edit>> {
    let key = 0..700_u16;
    let edit = prop_oneof![
        3 => (key.clone(), any::<u8>()).prop_map(|(key, value)| Edit::Insert(key, value)),
        2 => key.clone().prop_map(Edit::Remove),
        1 => (key, any::<u8>()).prop_map(|(key, value)| Edit::Change(key, value)),
    ];
    prop::collection::vec(edit, 0..most)
}

fn apply(map: &mut SharedMap<u16, u8>, model: &mut BTreeMap<u16, u8>, edit: &Edit) {
    match *edit {
        Edit::Insert(key, value) => assert_eq!(map.insert(key, value), model.insert(key, value)),
        Edit::Remove(key) => assert_eq!(map.remove(&key), model.remove(&key)),
        Edit::Change(key, value) => {
            assert_eq!(map.get_mut(&key).map(|it| *it = value), model.get_mut(&key).map(|it| *it = value));
        }
    }
}

fn assert_agree(map: &SharedMap<u16, u8>, model: &BTreeMap<u16, u8>) {
    assert!(map.iter().eq(model));
    assert!(map.iter().rev().eq(model.iter().rev()));
    assert!(map.clone().into_iter().eq(model.clone()));
    assert_eq!(map.len(), model.len());
    assert!(map.chunks.iter().all(|chunk| (1..=MOST).contains(&chunk.len())));
    for key in [0, 1, 350, 699, 700] {
        assert_eq!(map.get(&key), model.get(&key));
        assert!(map.range_from(&key).eq(model.range(key..)));
    }
}

proptest! {
    #[test]
    fn it_does_what_an_ordered_map_does(before in edits(2_000), after in edits(20)) {
        let (mut map, mut model) = (SharedMap::new(), BTreeMap::new());
        before.iter().for_each(|edit| apply(&mut map, &mut model, edit));
        assert_agree(&map, &model);

        let (kept, kept_model) = (map.clone(), model.clone());
        after.iter().for_each(|edit| apply(&mut map, &mut model, edit));
        assert_agree(&map, &model);
        assert_agree(&kept, &kept_model);

        let mut expected = BTreeMap::new();
        for key in kept_model.keys().chain(model.keys()) {
            if kept_model.get(key) != model.get(key) {
                expected.insert(*key, (kept_model.get(key), model.get(key)));
            }
        }
        let found: Vec<_> = kept.differences(&map, |a, b| a == b).map(|it| (*it.key, (it.before, it.after))).collect();
        prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(kept == map, kept_model == model);
        prop_assert_eq!(&map, &model.into_iter().collect());
    }
}

#[test]
fn what_is_shared_is_not_looked_at() {
    let before: SharedMap<u32, u32> = (0..10_000).map(|it| (it, it)).collect();
    let mut after = before.clone();
    after.insert(5_000, 0);
    after.remove(&77);
    after.insert(10_001, 1);
    let mut compared = 0;
    let found: Vec<_> = before
        .differences(&after, |a, b| {
            compared += 1;
            a == b
        })
        .map(|it| *it.key)
        .collect();
    assert_eq!(found, [77, 5_000, 10_001]);
    assert!(compared <= 3 * MOST, "{compared}");
    assert!(before.is_same(&before.clone()) && !before.is_same(&after));
}
