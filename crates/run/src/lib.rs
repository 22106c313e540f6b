//! Executes networks: floating point at any stage, integers once quantized.
