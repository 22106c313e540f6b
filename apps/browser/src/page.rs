//! The page's files, and the runtime where one was built.

/// What the page may load, as browsers are told: nothing of any other place. `index.html` says the same.
pub const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
    img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; \
    form-action 'none'";

/// The page's files, by name.
pub const PAGE: &[(&str, &str)] = &[
    ("index.html", include_str!("../page/index.html")),
    ("style.css", include_str!("../page/style.css")),
    ("icon.svg", include_str!("../page/icon.svg")),
    ("main.js", include_str!("../page/main.js")),
    ("sources.js", include_str!("../page/sources.js")),
    ("view.js", include_str!("../page/view.js")),
    ("worker.js", include_str!("../page/worker.js")),
    ("classifier.js", include_str!("../page/classifier.js")),
];

/// What the page calls the runtime.
pub const RUNTIME_NAME: &str = "synapress.wasm";

/// The runtime, unless there was no compiler for WebAssembly.
pub const RUNTIME: Option<&[u8]> = include!(concat!(env!("OUT_DIR"), "/runtime.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_the_same_policy_and_names_every_file() {
        let all: String = PAGE.iter().map(|(_, text)| *text).collect();
        let index = PAGE[0].1;
        assert!(index.contains(&format!("content=\"{POLICY}\"")));
        for (name, _) in &PAGE[1..] {
            assert!(all.contains(name), "{name} is asked for by none");
        }
        assert!(all.contains(RUNTIME_NAME));
    }

    #[test]
    fn nothing_is_asked_of_other_places() {
        for (name, text) in PAGE {
            let plain = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!plain.contains("http:") && !plain.contains("https:") && !plain.contains("\"//"), "{name}");
        }
    }
}
