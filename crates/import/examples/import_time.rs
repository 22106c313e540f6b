//! Prints how long a caffemodel takes to import, and the peak memory of doing so where the system tells it.
//!
//! `cargo run --release -p synapress-import --example import_time -- zoo:vgg16 FILE.caffemodel`

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use synapress_import::caffe::{self, Options};
use synapress_import::{Error, caffemodel, zoo};
use synapress_model::Net;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, weights] = &arguments[..] else {
        eprintln!("usage: import_time (zoo:NAME | PROTOTXT) FILE.caffemodel");
        return ExitCode::from(2);
    };
    let start = Instant::now();
    match load(model, Path::new(weights)) {
        Ok(net) => {
            println!("{} parameters imported in {:.2} s", net.parameters(), start.elapsed().as_secs_f64());
            let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
            if let Some(peak) = status.lines().find_map(|l| l.strip_prefix("VmHWM:")) {
                println!("peak memory {}", peak.trim());
            }
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

fn load(model: &str, weights: &Path) -> Result<Net, Error> {
    let Some(name) = model.strip_prefix("zoo:") else {
        return caffe::load(Path::new(model), Some(weights), &Options::default());
    };
    let mut net = zoo::net(name)?;
    let read = caffemodel::read(weights)?;
    caffe::attach(&mut net, read).map_err(|fault| Error { file: weights.display().to_string(), fault })?;
    Ok(net)
}
