//! Values by number, and handles which find a value only as long as it is there.

#![forbid(unsafe_code)]

use alloc::boxed::Box;
use alloc::vec::Vec;

/// Names one session of an [`Endpoint`](super::Endpoint): never another one, however many come after it. To another endpoint it means
/// nothing.
// `index` is a place, which is used again; `generation` counts its uses. Both together are never given out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle {
    /// Small and dense: suits tables by place.
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// Places in a page: one for each bit of a mask.
const PAGE_LEN: u32 = 32;

/// A table of values in places that stay where they are.
///
/// Everything takes constant time: inserting and removing, apart from the memory of a page that they may take or give back, and
/// finding. Places come in pages of 32, and a page without values has no memory, apart from the one that became empty last. What
/// stays for good is the record of a page, less than a byte for each place there ever was. A page has room for 32 values at once, so box
/// those that are large.
pub(crate) struct Slab<T> {
    pages: Vec<Page<T>>,
    /// The pages with room, each once. The last one takes the next value.
    with_room: Vec<u32>,
    /// The page that became empty last, which keeps its memory: a value that comes and goes again and again costs no allocations.
    spare: Option<u32>,
    len: u32,
    limit: u32,
}

impl<T> Slab<T> {
    /// An empty table that will hold at most `limit` values.
    pub(crate) const fn new(limit: u32) -> Self {
        Self { pages: Vec::new(), with_room: Vec::new(), spare: None, len: 0, limit }
    }

    pub(crate) const fn len(&self) -> u32 {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts `value` into a free place.
    ///
    /// # Errors
    /// Gives `value` back if the table holds as many as it may.
    pub(crate) fn insert(&mut self, value: T) -> Result<Handle, T> {
        if self.len >= self.limit {
            return Err(value);
        }
        let Some(number) = self.page_with_room() else { return Err(value) };
        let Some(page) = self.pages.get_mut(number as usize) else { return Err(value) };
        let handle = page.insert(number, value)?;
        if page.free == 0 {
            self.with_room.pop();
        }
        if self.spare == Some(number) {
            self.spare = None;
        }
        self.len = self.len.saturating_add(1);
        Ok(handle)
    }

    pub(crate) fn get(&self, handle: Handle) -> Option<&T> {
        self.pages.get(page_of(handle.index) as usize)?.get(handle)
    }

    pub(crate) fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        self.pages.get_mut(page_of(handle.index) as usize)?.get_mut(handle)
    }

    /// The handle of the value that is at `index` now: for tables by place.
    pub(crate) fn handle_at(&self, index: u32) -> Option<Handle> {
        self.pages.get(page_of(index) as usize)?.handle_at(index)
    }

    /// Takes a value out. Its handle finds nothing from now on.
    pub(crate) fn remove(&mut self, handle: Handle) -> Option<T> {
        let number = page_of(handle.index);
        let page = self.pages.get_mut(number as usize)?;
        let was_full = page.free == 0;
        let value = page.remove(handle)?;
        if was_full && page.free != 0 {
            self.with_room.push(number);
        }
        if page.is_empty() {
            self.retire(number);
        }
        self.len = self.len.saturating_sub(1);
        Some(value)
    }

    /// All values in the order of their places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Handle, &T)> {
        (0_u32..).zip(&self.pages).flat_map(|(number, page)| page.iter(number))
    }

    fn page_with_room(&mut self) -> Option<u32> {
        // A page whose places are used up stays in the list until its turn comes: once in 2^32 values.
        while let Some(number) = self.with_room.last().copied() {
            if self.pages.get(number as usize).is_some_and(|page| page.free != 0) {
                return Some(number);
            }
            self.with_room.pop();
        }
        let number = u32::try_from(self.pages.len()).ok().filter(|number| *number < u32::MAX / PAGE_LEN)?;
        self.pages.push(Page::new());
        self.with_room.push(number);
        Some(number)
    }

    /// Keeps a page without values as the spare one, and gives back the memory of the one before it.
    fn retire(&mut self, number: u32) {
        let former = self.spare.replace(number);
        if let Some(page) = former.and_then(|number| self.pages.get_mut(number as usize)) {
            page.give_back();
        }
    }
}

const fn page_of(index: u32) -> u32 {
    index / PAGE_LEN
}

/// Thirty-two places.
struct Page<T> {
    places: Option<Box<[Place<T>]>>,
    /// Bit n: place n can take a value.
    free: u32,
    /// The generation from which the places count on when the page has memory again: above all that they had.
    generation: u32,
}

/// A place for a value.
struct Place<T> {
    /// That of the value, or of the next one. `u32::MAX` is never given out: a place that comes to it is used up.
    generation: u32,
    value: Option<T>,
}

impl<T> Page<T> {
    const fn new() -> Self {
        Self { places: None, free: u32::MAX, generation: 0 }
    }

    fn insert(&mut self, number: u32, value: T) -> Result<Handle, T> {
        let generation = self.generation;
        let places = self
            .places
            .get_or_insert_with(|| (0..PAGE_LEN).map(|_| Place { generation, value: None }).collect::<Vec<_>>().into());
        let bit = self.free.trailing_zeros();
        let Some(place) = places.get_mut(bit as usize) else { return Err(value) };
        place.value = Some(value);
        self.free &= !mask(bit);
        Ok(Handle { index: index_of(number, bit), generation: place.generation })
    }

    fn get(&self, handle: Handle) -> Option<&T> {
        let place = self.places.as_ref()?.get((handle.index % PAGE_LEN) as usize)?;
        place.value.as_ref().filter(|_| place.generation == handle.generation)
    }

    fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        self.place_mut(handle)?.value.as_mut()
    }

    fn handle_at(&self, index: u32) -> Option<Handle> {
        let place = self.places.as_ref()?.get((index % PAGE_LEN) as usize)?;
        place.value.as_ref().map(|_| Handle { index, generation: place.generation })
    }

    fn place_mut(&mut self, handle: Handle) -> Option<&mut Place<T>> {
        let place = self.places.as_mut()?.get_mut((handle.index % PAGE_LEN) as usize)?;
        (place.generation == handle.generation).then_some(place)
    }

    fn remove(&mut self, handle: Handle) -> Option<T> {
        let place = self.place_mut(handle)?;
        let value = place.value.take()?;
        place.generation = place.generation.saturating_add(1);
        if place.generation < u32::MAX {
            self.free |= mask(handle.index % PAGE_LEN);
        }
        Some(value)
    }

    fn is_empty(&self) -> bool {
        self.places.iter().flatten().all(|place| place.value.is_none())
    }

    /// Gives back the memory of a page without values.
    ///
    /// All places then count on from the furthest one. If that one is used up, so are all: 32 places of 2^32, after 2^32 values.
    fn give_back(&mut self) {
        let furthest = self.places.iter().flatten().map(|place| place.generation).max();
        self.generation = furthest.unwrap_or(self.generation);
        self.free = if self.generation < u32::MAX { u32::MAX } else { 0 };
        self.places = None;
    }

    fn iter(&self, number: u32) -> impl Iterator<Item = (Handle, &T)> {
        (0..PAGE_LEN).zip(self.places.iter().flatten()).filter_map(move |(bit, place)| {
            let handle = Handle { index: index_of(number, bit), generation: place.generation };
            place.value.as_ref().map(|value| (handle, value))
        })
    }
}

/// The bit of a place in its page's mask.
fn mask(bit: u32) -> u32 {
    1_u32.checked_shl(bit).unwrap_or(0)
}

const fn index_of(page: u32, bit: u32) -> u32 {
    page.saturating_mul(PAGE_LEN).saturating_add(bit)
}

#[cfg(test)]
mod tests;
