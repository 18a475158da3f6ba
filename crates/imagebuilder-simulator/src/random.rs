//! Repeatable random numbers: the same seed and the same place in the world give the same numbers.
//!
//! Owns hashing; does not depend on scenarios or times.

/// Returns the number of a place in the world, which `parts` identify.
pub(crate) fn hash(seed: u64, parts: &[u64]) -> u64 {
    parts.iter().fold(mix(seed), |hash, part| {
        mix(hash ^ mix(part.wrapping_add(0x2545_f491_4f6c_dd1d)))
    })
}

/// Maps a hash to a number in 0..1.
pub(crate) fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1u64 << 53) as f64
}

/// The finaliser of SplitMix64: every bit of the input moves every bit of the output.
fn mix(input: u64) -> u64 {
    let mut x = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
