//! Reports of compressions, and the pages that are made of them.

use synapress_compress::report::Report;
use synapress_page::{Compared, Comparison, comparison, page};

/// Bytes as a report in JSON: it comes back from its own JSON, and names on its pages are never markup.
pub fn report(bytes: &[u8]) {
    let Ok(report) = Report::parse(bytes) else { return };
    let pages = [page(&report), {
        let name = report.network.clone();
        let one = Compared { name, report: report.clone() };
        comparison(&Comparison { files: vec![one.clone(), one] })
    }];
    for page in pages {
        let body = page.split_once("</style>").expect("a page has a style").1;
        assert!(!body.contains("<script") && !body.contains("<!--"), "a name became markup");
    }
}
