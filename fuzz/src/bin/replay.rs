//! Every target without libFuzzer: `replay [SECONDS [FOLDER...]]`. See [`synapress_fuzz::replay`].

fn main() -> std::process::ExitCode {
    let names: Vec<&str> = synapress_fuzz::TARGETS.iter().map(|(name, _)| *name).collect();
    synapress_fuzz::replay::main(&names)
}
