//! `report`: the page of a `.syn` file, or of several beside one another, from the files and from the reports that
//! `compress` wrote beside them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use synapress_code as code;
use synapress_compress::pipeline::write;
use synapress_compress::report::{Report, json_text};
use synapress_page::{Compared, Comparison, comparison, page};

use super::{Run, usage};
use crate::model::Target;
use crate::output::{Output, print, say};
use crate::report::beside;

/// Write a page about a .syn, or one that compares several
///
/// FILE.json, as `compress` and `demo` write it beside FILE.syn, tells what the file itself does not: accuracy, errors of
/// layers, weights and layer outputs before compression. Without it, or when it is of another file, the page says what
/// is not known.
#[derive(Args, Debug)]
pub struct ReportOf {
    /// The files, FILE.syn
    #[arg(value_name = "FILE.syn", required = true)]
    files: Vec<PathBuf>,
    /// The page to write; FILE.html for one file, report.html for several
    #[arg(short = 'o', long = "output", value_name = "OUT.html")]
    page: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

impl Run for ReportOf {
    const NAME: &'static str = "report";

    fn run(self) -> Result<()> {
        let path = match (&self.page, &self.files[..]) {
            (Some(path), _) => path.clone(),
            (None, [file]) => file.with_extension("html"),
            (None, _) => PathBuf::from("report.html"),
        };
        let target = Target { path };
        target.check()?;
        if self.files.contains(&target.path) {
            return Err(usage(format!("{} is a file to read; name another page", target.path.display())));
        }
        let reports = self.files.iter().map(|f| report(f)).collect::<Result<Vec<Report>>>()?;
        let (html, json) = match &reports[..] {
            [report] => (page(report), json_text(report)?),
            _ => {
                let name = |file: &PathBuf| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let files = self.files.iter().map(name).zip(reports).map(|(name, report)| Compared { name, report });
                let compared = Comparison { files: files.collect() };
                (comparison(&compared), json_text(&compared)?)
            }
        };
        write(&target.path, html.as_bytes())?;
        print(&if self.output.json { json } else { format!("{}: written", target.path.display()) })?;
        Ok(())
    }
}

/// What is known of a file.
fn report(path: &Path) -> Result<Report> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let net = code::decode(&bytes, &code::Limits::default()).map_err(|e| e.in_file(path))?;
    let of_file = Report::of_file(&net, &bytes).map_err(|e| e.in_file(path))?;
    let json = path.with_extension("json");
    if !json.exists() {
        say(&format!("note: {} is not there, so that the page has what the file tells", json.display()));
    }
    Ok(match beside(path, &net, bytes.len())? {
        Some(report) => report.or(of_file),
        None => of_file,
    })
}
