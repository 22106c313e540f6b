//! `serve`: a page that classifies pictures and the camera in the browser.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use synapress_browser::RUNTIME;

use super::Run;
use crate::images::Preparation;
use crate::output::{Output, bytes, say};
use crate::web::{Network, Sample, Server, Site};

/// Show a page on which networks classify pictures and the camera in the browser, or write it as a folder
#[derive(Args, Debug)]
pub struct Serve {
    /// Quantized networks: FILE.syn; several look at the same picture side by side
    #[arg(required = true, value_name = "MODEL")]
    models: Vec<PathBuf>,
    /// Write the page as a new folder of files, for any web host, and serve nothing
    #[arg(long, value_name = "DIR", conflicts_with = "address")]
    export: Option<PathBuf>,
    /// Listen here. Browsers lend a camera to pages of this device (127.0.0.1), to others only behind https
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:7878")]
    address: SocketAddr,
    /// Offer the JPEG, PNG and BMP files of a folder as samples; rendered shapes by default
    #[arg(long, value_name = "DIR")]
    samples: Option<PathBuf>,
    /// The runtime as WebAssembly, in place of the one that is built in
    #[arg(long, value_name = "FILE.wasm")]
    runtime: Option<PathBuf>,
    #[command(flatten)]
    preparation: Preparation,
    #[command(flatten)]
    output: Output,
}

impl Run for Serve {
    const NAME: &'static str = "serve";

    fn run(self) -> Result<()> {
        let runtime = runtime(self.runtime.as_deref())?;
        let networks = self.models.iter().map(|path| Network::read(path, &self.preparation)).collect::<Result<_>>()?;
        let samples = match &self.samples {
            Some(folder) => Sample::of_folder(folder)?,
            None => Sample::rendered()?,
        };
        let site = Site::new(runtime, networks, samples);
        let files: Vec<_> = site.files().map(|(path, bytes)| json!({ "path": path, "bytes": bytes })).collect();
        let total = site.files().map(|(_, bytes)| bytes as u64).sum();
        if let Some(folder) = &self.export {
            site.export(folder)?;
            let place = folder.display().to_string();
            let text = || format!("{place}: {} files of {} for any web host", files.len(), bytes(total));
            return self.output.answer(&json!({ "output": place, "files": files, "bytes": total }), text);
        }
        let server = Server::bind(self.address, site)?;
        let url = format!("http://{}/", server.address()?);
        if !self.address.ip().is_loopback() {
            say("note: other devices can load the page and the networks; for them the camera needs https");
        }
        ctrlc::set_handler(|| {
            say("stopped");
            std::process::exit(0);
        })
        .context("cannot watch for ctrl-C")?;
        self.output.answer(&json!({ "url": url, "files": files, "bytes": total }), || {
            format!("{url} shows {}; ctrl-C ends it", names(&self.models))
        })?;
        server.run()
    }
}

fn names(models: &[PathBuf]) -> String {
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    models.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// The runtime: a file's, or the one that is built in.
fn runtime(file: Option<&Path>) -> Result<Cow<'static, [u8]>> {
    let Some(path) = file else {
        return match RUNTIME {
            Some(bytes) => Ok(Cow::Borrowed(bytes)),
            None => bail!(
                "this program was built without the runtime for browsers: run `rustup target add \
                 wasm32-unknown-unknown` and build it again, or name one with --runtime FILE.wasm"
            ),
        };
    };
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    if !bytes.starts_with(b"\0asm") {
        bail!("{}: not WebAssembly", path.display());
    }
    Ok(Cow::Owned(bytes))
}
