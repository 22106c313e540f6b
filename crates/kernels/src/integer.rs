//! Integer dot products and their accumulation, the inner loop of quantized convolution.
