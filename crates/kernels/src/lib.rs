//! Inner loops of Synapress: slices in, slices out.
//!
//! [`scalar`] is the meaning of every integer operation; a faster version of one must equal it bit for bit.
//! [`real`] gives the two float types their matrix product: `f32` on `rten-gemm`, `f64` as plain loops, so that
//! gradients can be checked in double precision through the same layer code.
//! This is the only crate of the project in which `unsafe` is allowed.

pub mod blocked;
pub mod columns;
pub mod integer;
pub mod real;
pub mod scalar;
pub mod wide;
pub mod winograd;
