//! Sizes as people write them.

use std::fmt;

/// Takes a number of bytes, or of `KiB`, `MiB` or `GiB`.
pub(crate) fn parse(text: &str) -> Result<u64, SizeError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(SizeError),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or(SizeError)
}

/// Not a number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SizeError;

impl fmt::Display for SizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a size: expected a number of bytes, or one followed by KiB, MiB or GiB")
    }
}

impl std::error::Error for SizeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_with_or_without_a_unit() {
        for (text, size) in [("0", 0), ("1", 1), ("64KiB", 65_536), ("3MiB", 3 << 20), ("2GiB", 2 << 30)] {
            assert_eq!(parse(text), Ok(size), "{text}");
        }
        assert_eq!(parse("18446744073709551615"), Ok(u64::MAX));
        for text in ["", "MiB", "1MB", "1 MiB", "-1", "+1", "1.5GiB", "18446744073709551616", "17179869184GiB"] {
            assert_eq!(parse(text), Err(SizeError), "{text}");
        }
    }
}
