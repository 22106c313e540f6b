//! The report of a compression, beside its output: figures as JSON, and the page; and what is read of it again.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use synapress_compress::pipeline::write;
use synapress_compress::report::Report;
use synapress_model::Net;
use synapress_page::page;

use crate::memory;
use crate::model::Target;
use crate::output::say;

/// The report that lies beside a file, FILE.json beside FILE.syn; `None` where there is none, and with a note where it is
/// of another file.
///
/// # Errors
/// When what lies there is no report.
pub fn beside(path: &Path, net: &Net, bytes: usize) -> Result<Option<Report>> {
    let json = path.with_extension("json");
    if !json.exists() {
        return Ok(None);
    }
    let report = Report::read(&json)?;
    if report.is_of(net, bytes) {
        return Ok(Some(report));
    }
    say(&format!("note: {} is of another file than {}; it is left out", json.display(), path.display()));
    Ok(None)
}

/// What a job takes, from its start on.
pub struct Watch {
    started: Instant,
    resumed: bool,
}

impl Watch {
    /// Starts; a job whose working directory is there already goes on from it.
    pub fn start(target: &Target) -> Self {
        Self { started: Instant::now(), resumed: target.beside(".work").exists() }
    }

    /// Writes OUT.json and OUT.html; the report takes what the job took.
    pub fn write(&self, target: &Target, report: &mut Report) -> Result<()> {
        if let Some(making) = &mut report.making {
            making.seconds = (!self.resumed).then(|| self.started.elapsed().as_secs_f64());
            making.peak_memory_bytes = memory::peak();
        }
        write(&target.path.with_extension("json"), report.to_json().as_bytes())?;
        write(&target.path.with_extension("html"), page(report).as_bytes())?;
        Ok(())
    }
}
