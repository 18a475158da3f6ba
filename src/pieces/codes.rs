//! Huffman codes that are the same for all texts (RFC 1951, 3.2.7), and the bits of a block.

/// The symbol that ends a block. Those below are bytes, and those above are lengths.
const END: usize = 256;

/// The number of symbols for bytes, lengths and the end.
const SYMBOLS: usize = 286;

/// The number of symbols for distances.
const DISTANCES: usize = 30;

/// The symbol of the longest length. It has no further bits.
const LONGEST: usize = 285;

/// The order in which the header of a block lists the symbols for lengths of codes.
const ORDER: [u8; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// The symbol that repeats the length of a code, 3 to 6 times.
const REPEAT: u8 = 16;

/// The lengths of codes that exist. Each has a code of four bits in the header, and [`REPEAT`] one bit.
const USED: [u8; 8] = [4, 5, 6, 7, 8, 9, 10, 13];

/// The codes as they are written.
#[derive(Debug)]
pub(super) struct Codes {
    /// The header of a block.
    header: Vec<Bits>,
    symbols: [Bits; SYMBOLS],
    /// The bits for each length, which is at most 258.
    lengths: [Bits; 259],
    distances: [Bits; DISTANCES],
}

/// Some bits, of which the lowest is written first.
#[derive(Clone, Copy, Debug, Default)]
struct Bits {
    bits: u32,
    count: u32,
}

/// Returns the length of the code of a symbol, in bits.
///
/// Ids are hexadecimal, and values decimal. Most other text is equal to earlier text. All lengths
/// together make a complete code, which decoders require.
fn code_length(symbol: usize) -> u8 {
    const RARE: &[u8] = br"_=,{/:\()%+#*<>@[]&?;";
    match u8::try_from(symbol) {
        Ok(b'0'..=b'9') => 4,
        Ok(b'a'..=b'f') => 5,
        Ok(b'-') => 6,
        Ok(b'.' | b'"') => 7,
        Ok(b'\n' | b' ' | b'}') => 8,
        Ok(b'g'..=b'z' | b'A'..=b'Z') => 10,
        Ok(byte) if RARE.contains(&byte) => 10,
        Ok(_) => 13,
        Err(_) if symbol == END => 13,
        Err(_) if symbol == LONGEST => 8,
        Err(_) => 9,
    }
}

/// Returns the length of the code of a distance, in bits. The two longest are those of most lines.
fn distance_code_length(symbol: usize) -> u8 {
    if symbol < DISTANCES - 2 { 5 } else { 4 }
}

impl Codes {
    pub(super) fn new() -> Self {
        let symbol_lengths: [u8; SYMBOLS] = std::array::from_fn(code_length);
        let distance_lengths: [u8; DISTANCES] = std::array::from_fn(distance_code_length);
        let symbols = codes(&symbol_lengths);
        Self {
            header: header(&symbol_lengths, &distance_lengths),
            lengths: lengths(&symbols),
            symbols,
            distances: codes(&distance_lengths),
        }
    }

    /// Begins a block that is not the final one.
    pub(super) fn begin_block(&self, out: &mut BitWriter<'_>) {
        for bits in &self.header {
            out.put(*bits);
        }
    }

    pub(super) fn end_block(&self, out: &mut BitWriter<'_>) {
        out.put(self.symbols[END]);
    }

    #[inline]
    pub(super) fn put_byte(&self, out: &mut BitWriter<'_>, byte: u8) {
        out.put(self.symbols[usize::from(byte)]);
    }

    /// Puts a reference to text of `length` bytes, 3 to 258, at a distance of 1 to 32 768 bytes.
    #[inline]
    pub(super) fn put_equal(&self, out: &mut BitWriter<'_>, distance: usize, length: usize) {
        out.put(self.lengths[length]);
        let distance = distance as u32 - 1;
        // Two symbols for each power of two, after which the lower bits follow.
        let extra = distance
            .checked_ilog2()
            .map_or(0, |log| log.saturating_sub(1));
        let symbol = 2 * extra + (distance >> extra);
        out.put(self.distances[symbol as usize]);
        out.put(Bits {
            bits: distance & ((1 << extra) - 1),
            count: extra,
        });
    }
}

/// Returns the canonical codes of these lengths.
fn codes<const N: usize>(lengths: &[u8; N]) -> [Bits; N] {
    let mut codes = [Bits::default(); N];
    let mut next = 0_u32;
    for count in 1..=15 {
        next <<= 1;
        for (code, _) in { codes.iter_mut().zip(lengths) }.filter(|(_, length)| **length == count) {
            let count = u32::from(count);
            *code = Bits {
                bits: next.reverse_bits() >> (u32::BITS - count),
                count,
            };
            next += 1;
        }
    }
    codes
}

/// Returns the bits of each length: its symbol, and further bits.
fn lengths(symbols: &[Bits; SYMBOLS]) -> [Bits; 259] {
    let mut all = [Bits::default(); 259];
    let mut length = 3;
    for (at, symbol) in symbols[END + 1..LONGEST].iter().enumerate() {
        // Four symbols have the same number of further bits; of the first ones, eight.
        let extra = (at / 4).saturating_sub(1);
        for more in 0..1_u32 << extra {
            all[length] = Bits {
                bits: symbol.bits | more << symbol.count,
                count: symbol.count + extra as u32,
            };
            length += 1;
        }
    }
    // The last of them has a shorter code of its own.
    all[258] = symbols[LONGEST];
    all
}

/// Returns the header of a block, which has the lengths of its codes.
fn header(symbols: &[u8], distances: &[u8]) -> Vec<Bits> {
    let bits = |bits: usize, count: u32| Bits {
        bits: bits as u32,
        count,
    };
    let used: [u8; 19] = std::array::from_fn(|symbol| match symbol as u8 {
        REPEAT => 1,
        symbol if USED.contains(&symbol) => 4,
        _ => 0,
    });
    let used_codes = codes(&used);
    // Not final, and with codes of its own.
    let mut header = vec![bits(0b100, 3)];
    header.push(bits(symbols.len() - 257, 5));
    header.push(bits(distances.len() - 1, 5));
    header.push(bits(ORDER.len() - 4, 4));
    header.extend(ORDER.map(|symbol| bits(used[usize::from(symbol)].into(), 3)));
    let all = [symbols, distances].concat();
    for run in all.chunk_by(|one, other| one == other) {
        let code = used_codes[usize::from(run[0])];
        header.push(code);
        let mut left = run.len() - 1;
        while left >= 3 {
            let times = left.min(6);
            header.push(used_codes[usize::from(REPEAT)]);
            header.push(bits(times - 3, 2));
            left -= times;
        }
        header.extend(std::iter::repeat_n(code, left));
    }
    header
}

/// Writes bits to bytes.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// The bits that are not in `out` yet, fewer than 32 between two calls.
    bits: u64,
    count: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            bits: 0,
            count: 0,
        }
    }

    #[inline]
    fn put(&mut self, bits: Bits) {
        self.bits |= u64::from(bits.bits) << self.count;
        self.count += bits.count;
        if self.count >= u32::BITS {
            self.out
                .extend_from_slice(&(self.bits as u32).to_le_bytes());
            self.bits >>= u32::BITS;
            self.count -= u32::BITS;
        }
    }

    /// Ends at a byte boundary: an empty block without compression begins at one.
    pub(super) fn align(mut self) {
        self.put(Bits { bits: 0, count: 3 });
        let bytes = self.count.div_ceil(8) as usize;
        self.out
            .extend_from_slice(&self.bits.to_le_bytes()[..bytes]);
        self.out.extend_from_slice(&[0, 0, 0xff, 0xff]);
    }
}
