//! ONNX models: a small one for every rule, what must be refused, damaged files, files beside a model, and networks
//! written and read again. Models are made here; no other tool is needed.

mod build;
mod damage;
mod export;
mod external;
mod refused;
mod shapes;
mod values;
mod windows;
