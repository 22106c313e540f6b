//! Builds this crate for WebAssembly too, where the compiler has that target, for the native one to hold. Without it the
//! build goes on, and who wants to serve the page is told what is missing.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names a folder"));
    let runtime = if env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|f| f == "wasm") { None } else { build(&out) };
    let text = match runtime {
        Some(path) => format!("Some(include_bytes!({path:?}))"),
        None => "None".to_owned(),
    };
    std::fs::write(out.join("runtime.rs"), text).expect("the folder can be written to");
}

/// The runtime as a file, if it can be built.
fn build(out: &Path) -> Option<PathBuf> {
    let rustc = env::var_os("RUSTC")?;
    let library = Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output().ok()?;
    let library = PathBuf::from(String::from_utf8(library.stdout).ok()?.trim());
    // Where rustup lists what is installed: a target that is added later is seen.
    let installed = library.join("../../components");
    if installed.is_file() {
        println!("cargo::rerun-if-changed={}", installed.display());
    }
    if !library.is_dir() {
        return None;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for path in ["Cargo.lock", "Cargo.toml", "apps/browser/src"] {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    for name in ["kernels", "peers", "model", "code", "images", "run"] {
        for part in ["src", "Cargo.toml"] {
            println!("cargo::rerun-if-changed={}", root.join("crates").join(name).join(part).display());
        }
    }
    let mut cargo = Command::new(env::var_os("CARGO")?);
    // What cargo says to this script is about another target.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_CFG_") || name.starts_with("CARGO_FEATURE_") || name.starts_with("CARGO_PKG_") {
            cargo.env_remove(&*name);
        }
    }
    for name in
        ["CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "CARGO_BUILD_TARGET", "CARGO_MAKEFLAGS", "MAKEFLAGS"]
    {
        cargo.env_remove(name);
    }
    cargo.args(["rustc", "--locked", "--package", "synapress-browser", "--lib", "--crate-type", "cdylib"]);
    cargo.args(["--profile", "browser", "--target", TARGET, "--target-dir"]).arg(out).current_dir(root);
    cargo.env("RUSTFLAGS", "-C target-feature=+simd128");
    match cargo.output() {
        Ok(done) if done.status.success() => Some(out.join(TARGET).join("browser/synapress_browser.wasm")),
        Ok(done) => {
            println!("cargo::warning=the page's WebAssembly could not be built, `synapress serve` will ask for it:");
            for line in String::from_utf8_lossy(&done.stderr).lines().filter(|l| l.starts_with("error")) {
                println!("cargo::warning={line}");
            }
            None
        }
        Err(_) => None,
    }
}
