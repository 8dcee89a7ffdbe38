//! x86-64: registers of 256 bits (AVX2), or of 512 with products of bytes in one instruction (AVX-512 VNNI).
//!
//! `archmage` makes the intrinsics safe: a token is the proof that the processor has the instructions.

use super::{COLUMNS, Kernel, MOST_ROWS, Portable, Quad, Work};
use archmage::prelude::*;

pub(super) fn run<W: Work>(work: W) -> W::Output {
    if let Some(token) = X64V4xToken::summon() {
        run_on_512(token, work)
    } else if let Some(token) = X64V3Token::summon() {
        run_on_256(token, work)
    } else {
        work.run(Portable)
    }
}

/// False where the program was compiled for wider ones alone.
pub(super) fn forgo_512_bits() -> bool {
    X64V4xToken::dangerously_disable_token_process_wide(true).is_ok()
}

#[arcane]
fn run_on_512<W: Work>(token: X64V4xToken, work: W) -> W::Output {
    work.run(Vnni(token))
}

#[arcane]
fn run_on_256<W: Work>(token: X64V3Token, work: W) -> W::Output {
    work.run(Avx2(token))
}

#[derive(Clone, Copy)]
struct Vnni(X64V4xToken);

impl Kernel for Vnni {
    const ROWS: usize = MOST_ROWS;
    type Four = i32;

    #[inline(always)]
    fn four(values: [u8; 4]) -> i32 {
        i32::from_le_bytes(values)
    }

    #[inline(always)]
    fn tile<const ROWS: usize>(
        self,
        weights: &[Quad],
        values: &[[i32; ROWS]],
    ) -> [[i32; COLUMNS]; ROWS] {
        tile_on_512(self.0, weights, values)
    }

    #[inline(always)]
    fn columns<const ROWS: usize>(
        self,
        rows: [&[f32]; ROWS],
        matrix: &[f32],
        width: usize,
        column: usize,
    ) -> [[f32; COLUMNS]; ROWS] {
        columns_on_512(self.0, rows, matrix, width, column)
    }

    #[inline(always)]
    fn dot(self, bytes: &[[i8; 16]], values: &[[i16; 16]]) -> i32 {
        dot_on_512(self.0, bytes, values)
    }
}

#[derive(Clone, Copy)]
struct Avx2(X64V3Token);

impl Kernel for Avx2 {
    const ROWS: usize = 6;
    /// Of 16 bits each: AVX2 adds the products of bytes in 16 bits, which are too few.
    type Four = i64;

    #[inline(always)]
    fn four(values: [u8; 4]) -> i64 {
        let [a, b, c, d] = values.map(i64::from);
        a | b << 16 | c << 32 | d << 48
    }

    #[inline(always)]
    fn tile<const ROWS: usize>(
        self,
        weights: &[Quad],
        values: &[[i64; ROWS]],
    ) -> [[i32; COLUMNS]; ROWS] {
        tile_on_256(self.0, weights, values)
    }

    #[inline(always)]
    fn columns<const ROWS: usize>(
        self,
        rows: [&[f32]; ROWS],
        matrix: &[f32],
        width: usize,
        column: usize,
    ) -> [[f32; COLUMNS]; ROWS] {
        columns_on_256(self.0, rows, matrix, width, column)
    }

    #[inline(always)]
    fn dot(self, bytes: &[[i8; 16]], values: &[[i16; 16]]) -> i32 {
        dot_on_256(self.0, bytes, values)
    }
}

#[arcane]
fn tile_on_512<const ROWS: usize>(
    _token: X64V4xToken,
    weights: &[Quad],
    values: &[[i32; ROWS]],
) -> [[i32; COLUMNS]; ROWS] {
    let mut sums = [_mm512_setzero_si512(); ROWS];
    for (weights, values) in weights.iter().zip(values) {
        let weights = _mm512_loadu_epi8(weights.as_flattened().as_array().unwrap_or(&[0; 64]));
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum = _mm512_dpbusd_epi32(*sum, _mm512_set1_epi32(*value), weights);
        }
    }
    let mut out = [[0; COLUMNS]; ROWS];
    for (out, sum) in out.iter_mut().zip(sums) {
        _mm512_storeu_epi32(out, sum);
    }
    out
}

#[arcane]
fn tile_on_256<const ROWS: usize>(
    _token: X64V3Token,
    weights: &[Quad],
    values: &[[i64; ROWS]],
) -> [[i32; COLUMNS]; ROWS] {
    const HALF: usize = COLUMNS / 2;
    let mut out = [[0; COLUMNS]; ROWS];
    // One half after the other: the sums of both are more than there are registers.
    for half in 0..2 {
        let mut sums = [[_mm256_setzero_si256(); 2]; ROWS];
        for (weights, values) in weights.iter().zip(values) {
            let weights = weights[half * HALF..][..HALF].as_flattened();
            let (weights, _) = weights.as_chunks::<16>();
            // Each by its name: an array of them would lie in memory, and so would the sums.
            let left = _mm256_cvtepi8_epi16(_mm_loadu_si128(&weights[0]));
            let right = _mm256_cvtepi8_epi16(_mm_loadu_si128(&weights[1]));
            for (sums, value) in sums.iter_mut().zip(values) {
                let value = _mm256_set1_epi64x(*value);
                sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(left, value));
                sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(right, value));
            }
        }
        for (out, sums) in out.iter_mut().zip(sums) {
            let mut pairs = [[0; HALF]; 2];
            for (pairs, sum) in pairs.iter_mut().zip(sums) {
                _mm256_storeu_si256(pairs, sum);
            }
            let pairs = pairs.as_flattened().as_chunks::<2>().0;
            for (out, pair) in out[half * HALF..].iter_mut().zip(pairs) {
                *out = pair[0] + pair[1];
            }
        }
    }
    out
}

#[arcane]
fn columns_on_512<const ROWS: usize>(
    _token: X64V4xToken,
    rows: [&[f32]; ROWS],
    matrix: &[f32],
    width: usize,
    column: usize,
) -> [[f32; COLUMNS]; ROWS] {
    let mut sums = [_mm512_setzero_ps(); ROWS];
    for (at, line) in matrix.chunks_exact(width).enumerate() {
        let line = &line[column..column + COLUMNS];
        let line = _mm512_loadu_ps(line.as_array().unwrap_or(&[0.0; COLUMNS]));
        for (sum, row) in sums.iter_mut().zip(rows) {
            *sum = _mm512_add_ps(*sum, _mm512_mul_ps(_mm512_set1_ps(row[at]), line));
        }
    }
    let mut out = [[0.0; COLUMNS]; ROWS];
    for (out, sum) in out.iter_mut().zip(sums) {
        _mm512_storeu_ps(out, sum);
    }
    out
}

#[arcane]
fn columns_on_256<const ROWS: usize>(
    _token: X64V3Token,
    rows: [&[f32]; ROWS],
    matrix: &[f32],
    width: usize,
    column: usize,
) -> [[f32; COLUMNS]; ROWS] {
    let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
    for (at, line) in matrix.chunks_exact(width).enumerate() {
        let (halves, _) = line[column..column + COLUMNS].as_chunks::<{ COLUMNS / 2 }>();
        // Each by its name, as in `tile_on_256`.
        let (left, right) = (_mm256_loadu_ps(&halves[0]), _mm256_loadu_ps(&halves[1]));
        for (sums, row) in sums.iter_mut().zip(rows) {
            let times = _mm256_set1_ps(row[at]);
            sums[0] = _mm256_add_ps(sums[0], _mm256_mul_ps(times, left));
            sums[1] = _mm256_add_ps(sums[1], _mm256_mul_ps(times, right));
        }
    }
    let mut out = [[0.0; COLUMNS]; ROWS];
    for (out, sums) in out.iter_mut().zip(sums) {
        let (halves, _) = out.as_chunks_mut::<{ COLUMNS / 2 }>();
        for (half, sum) in halves.iter_mut().zip(sums) {
            _mm256_storeu_ps(half, sum);
        }
    }
    out
}

#[arcane]
fn dot_on_512(token: X64V4xToken, bytes: &[[i8; 16]], values: &[[i16; 16]]) -> i32 {
    let count = bytes.len().min(values.len());
    let (pairs, last) = bytes[..count].as_chunks::<2>();
    let (values, last_values) = values[..count].as_chunks::<2>();
    let mut sum = _mm512_setzero_si512();
    for (bytes, values) in pairs.iter().zip(values) {
        let bytes = bytes.as_flattened().as_array().unwrap_or(&[0; 32]);
        let values = values.as_flattened().as_array().unwrap_or(&[0; 32]);
        let bytes = _mm512_cvtepi8_epi16(_mm256_loadu_epi8(bytes));
        let products = _mm512_madd_epi16(bytes, _mm512_loadu_epi16(values));
        sum = _mm512_add_epi32(sum, products);
    }
    _mm512_reduce_add_epi32(sum) + dot_on_256(token.v3(), last, last_values)
}

#[arcane]
fn dot_on_256(_token: X64V3Token, bytes: &[[i8; 16]], values: &[[i16; 16]]) -> i32 {
    let mut sum = _mm256_setzero_si256();
    for (bytes, values) in bytes.iter().zip(values) {
        let bytes = _mm256_cvtepi8_epi16(_mm_loadu_si128(bytes));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(bytes, _mm256_loadu_si256(values)));
    }
    let mut lanes = [0; 8];
    _mm256_storeu_si256(&mut lanes, sum);
    lanes.iter().sum()
}

/// Each way that this processor can go.
#[cfg(test)]
pub(super) fn all<W: Work>() -> Vec<fn(W) -> W::Output> {
    let mut ways: Vec<fn(W) -> W::Output> = Vec::new();
    if X64V4xToken::summon().is_some() {
        ways.push(|work| {
            X64V4xToken::summon()
                .map(|token| run_on_512(token, work))
                .unwrap()
        });
    }
    if X64V3Token::summon().is_some() {
        ways.push(|work| {
            X64V3Token::summon()
                .map(|token| run_on_256(token, work))
                .unwrap()
        });
    }
    ways
}
