extern crate std;

use alloc::rc::Rc;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[test]
fn a_handle_finds_its_value_and_nothing_once_it_is_gone() {
    let mut slab = Slab::new(10);
    let first = slab.insert("first").unwrap();
    *slab.get_mut(first).unwrap() = "changed";
    assert_eq!(slab.remove(first), Some("changed"));
    let second = slab.insert("second").unwrap();
    assert_eq!(second.index, first.index, "the place is used again");
    assert!(slab.get(first).is_none() && slab.get_mut(first).is_none() && slab.remove(first).is_none());
    assert_eq!(slab.get(second), Some(&"second"));
    assert_eq!(slab.handle_at(second.index), Some(second));
    assert_eq!(slab.handle_at(second.index + 1), None);
    assert_eq!(slab.get(Handle { index: u32::MAX, generation: 0 }), None);
}

#[test]
fn a_full_table_gives_the_value_back() {
    let mut slab = Slab::new(40);
    let handles: Vec<_> = (0..40).map(|value| slab.insert(value).unwrap()).collect();
    assert_eq!(slab.insert(40), Err(40));
    assert_eq!(slab.remove(handles[7]), Some(7));
    assert_eq!(slab.insert(40).map(|handle| handle.index), Ok(7));
    assert_eq!(slab.len(), 40);
    assert_eq!(Slab::new(0).insert(1), Err(1));
}

#[test]
fn values_are_dropped_as_they_are_removed() {
    let value = Rc::new(());
    let mut slab = Slab::new(100);
    let handles: Vec<_> = (0..100).map(|_| slab.insert(Rc::clone(&value)).unwrap()).collect();
    assert_eq!(Rc::strong_count(&value), 101);
    for handle in handles {
        slab.remove(handle);
    }
    assert_eq!(Rc::strong_count(&value), 1);
}

#[test]
fn a_generation_never_comes_again() {
    let mut slab = Slab::new(100);
    let first = slab.insert(0).unwrap();
    wind(&mut slab, first.index, u32::MAX - 2);
    let last_but_one = slab.handle_at(first.index).unwrap();
    slab.remove(last_but_one);
    let last = slab.insert(1).unwrap();
    assert_eq!(last, Handle { index: first.index, generation: u32::MAX - 1 });
    slab.remove(last);
    let elsewhere = slab.insert(2).unwrap();
    assert_ne!(elsewhere.index, first.index, "the place is used up");
    assert_eq!((slab.get(first), slab.get(last), slab.get(elsewhere)), (None, None, Some(&2)));
}

/// The worst case of a page: given back with one place used up, it is never used again, and other pages are.
#[test]
fn a_page_with_a_used_up_place_is_not_begun_again() {
    let mut slab = Slab::new(100);
    let filler: Vec<_> = (0..PAGE_LEN).map(|value| slab.insert(value).unwrap()).collect();
    let on_another_page = slab.insert(0).unwrap();
    wind(&mut slab, 0, u32::MAX - 1);
    slab.remove(slab.handle_at(0).unwrap());
    for handle in &filler[1..] {
        slab.remove(*handle);
    }
    slab.remove(on_another_page);
    assert!(slab.is_empty() && slab.pages[0].places.is_none());
    let seen: BTreeSet<_> = filler.iter().chain([&on_another_page]).copied().collect();
    for value in 0..100 {
        let handle = slab.insert(value).unwrap();
        assert!(handle.index >= PAGE_LEN && !seen.contains(&handle), "{handle:?}");
    }
}

/// Sets the generation of the value at `index`: the way there takes a day.
fn wind<T>(slab: &mut Slab<T>, index: u32, generation: u32) {
    slab.pages[page_of(index) as usize].places.as_mut().unwrap()[(index % PAGE_LEN) as usize].generation = generation;
}

#[test]
fn memory_is_given_back_even_below_a_value_that_stays() {
    let mut slab = Slab::new(10_000);
    let handles: Vec<_> = (0..10_000).map(|value| slab.insert(value).unwrap()).collect();
    let stays = handles[9_999];
    for handle in &handles[..9_999] {
        slab.remove(*handle);
    }
    assert_eq!(allocated(&slab), 2, "its page and the spare one");
    assert_eq!(slab.get(stays), Some(&9_999));
    assert!(size_of::<Page<u64>>() + 4 <= PAGE_LEN as usize);
    for value in 0..9_999 {
        assert!(!handles.contains(&slab.insert(value).unwrap()));
    }
    assert!(allocated(&slab) <= 10_000_usize.div_ceil(PAGE_LEN as usize), "the places are used again");
}

#[test]
fn a_value_that_comes_and_goes_keeps_its_page() {
    let mut slab = Slab::new(100);
    for value in 0..1_000 {
        let handle = slab.insert(value).unwrap();
        slab.remove(handle);
        assert_eq!((handle.index, allocated(&slab)), (0, 1));
    }
}

/// Also if the page where it comes is not the one that was kept.
#[test]
fn a_value_that_comes_and_goes_among_others_keeps_its_page() {
    let mut slab = Slab::new(1_000);
    let handles: Vec<_> = (0..1_000).map(|value| slab.insert(value).unwrap()).collect();
    for handle in handles.iter().rev() {
        slab.remove(*handle);
    }
    let first = slab.insert(0).unwrap();
    slab.remove(first);
    for _ in 0..1_000 {
        let before = slab.pages[page_of(first.index) as usize].places.as_deref().unwrap().as_ptr();
        let handle = slab.insert(0).unwrap();
        slab.remove(handle);
        let after = slab.pages[page_of(handle.index) as usize].places.as_deref().unwrap().as_ptr();
        assert_eq!((before, handle.index), (after, first.index));
    }
}

fn allocated<T>(slab: &Slab<T>) -> usize {
    slab.pages.iter().filter(|page| page.places.is_some()).count()
}

#[derive(Clone, Debug)]
enum Operation {
    Insert(u16),
    Remove(usize),
    /// Removes most of them: pages empty.
    Thin(usize),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => any::<u16>().prop_map(Operation::Insert),
        4 => any::<usize>().prop_map(Operation::Remove),
        1 => (1..50_usize).prop_map(Operation::Thin),
    ]
}

proptest! {
    #[test]
    fn it_does_what_a_map_does(operations in proptest::collection::vec(operation(), 0..400)) {
        const LIMIT: u32 = 150;
        let mut slab = Slab::new(LIMIT);
        let mut map = BTreeMap::new();
        let mut gone = BTreeSet::new();
        for operation in operations {
            match operation {
                Operation::Insert(value) => match slab.insert(value) {
                    Ok(handle) => {
                        prop_assert!(!gone.contains(&handle));
                        prop_assert_eq!(map.insert(handle, value), None);
                    }
                    Err(back) => prop_assert_eq!((back, map.len()), (value, LIMIT as usize)),
                },
                Operation::Remove(which) => {
                    let Some(handle) = map.keys().nth(which % map.len().max(1)).copied() else { continue };
                    prop_assert_eq!(slab.remove(handle), map.remove(&handle));
                    gone.insert(handle);
                }
                Operation::Thin(every) => {
                    let going: Vec<_> = map.keys().enumerate().filter(|(n, _)| n % every != 0).map(|(_, h)| *h).collect();
                    for handle in going {
                        prop_assert_eq!(slab.remove(handle), map.remove(&handle));
                        gone.insert(handle);
                    }
                }
            }
            prop_assert_eq!(slab.len() as usize, map.len());
            prop_assert!(gone.iter().all(|handle| slab.get(*handle).is_none()));
            prop_assert!(slab.iter().map(|(handle, value)| (handle, *value)).eq(map.iter().map(|(h, v)| (*h, *v))));
            let occupied: BTreeSet<_> = map.keys().map(|handle| page_of(handle.index)).collect();
            prop_assert_eq!(allocated(&slab), occupied.len() + usize::from(slab.spare.is_some()));
        }
    }
}
