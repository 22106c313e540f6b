//! The target `records` for libFuzzer; see [`synapress_fuzz`] for what it does.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| synapress_fuzz::records(bytes));

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    synapress_fuzz::replay::main(&["records"])
}
