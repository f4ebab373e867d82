//! Places in the tables of streams and of blocks.

#![forbid(unsafe_code)]

use core::num::NonZeroU32;

/// A place in a vector. Four bytes, and no more as an `Option`, because the tables are made of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Index(NonZeroU32);

impl Index {
    /// The place of the element at `position`. Positions beyond 2^32 - 2 do not occur: the limits on streams are 16-bit numbers,
    /// and as many of the smallest blocks would be a TiB.
    pub(super) fn at(position: usize) -> Self {
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        Self(NonZeroU32::MIN.saturating_add(position))
    }

    pub(super) const fn position(self) -> usize {
        self.0.get().wrapping_sub(1) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_names_its_position_and_costs_four_bytes() {
        for position in [0, 1, 2, 65_535, 1 << 31] {
            assert_eq!(Index::at(position).position(), position);
        }
        assert_eq!(size_of::<Option<Index>>(), 4);
    }
}
