//! x86-64: registers of 256 bits (AVX2), or of 512 with products of bytes in one instruction (AVX-512 VNNI).
//!
//! `archmage` makes the intrinsics safe: a token is the proof that the processor has the instructions.

use super::{COLUMNS, Kernel, Portable, Quad, Work};
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
    fn dot(self, bytes: &[[i8; 16]], values: &[[i16; 16]]) -> i32 {
        dot_on_256(self.0.v3(), bytes, values)
    }
}

#[derive(Clone, Copy)]
struct Avx2(X64V3Token);

impl Kernel for Avx2 {
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
