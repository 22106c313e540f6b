//! Serves the files of a [`Site`] over HTTP/1.1: GET and HEAD, one request a connection, nothing else.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use synapress_browser::POLICY;

use super::Site;

/// The most bytes of a request.
const MOST_BYTES: usize = 1 << 14;
/// The most header fields of a request.
const MOST_FIELDS: usize = 64;
/// The most connections at a time; others are closed.
const MOST_CONNECTIONS: usize = 64;
/// How long a request may take to arrive, and a part of the answer to leave.
const PATIENCE: Duration = Duration::from_secs(10);

/// A socket that listens, and what it gives.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    site: Arc<Site>,
}

/// An answer. The content may be nothing but its length.
struct Answer<'a> {
    status: &'static str,
    kind: &'static str,
    content: &'a [u8],
    head: bool,
}

impl Server {
    /// Listens at an address; port 0 takes a free one.
    pub fn bind(address: SocketAddr, site: Site) -> Result<Self> {
        let listener = TcpListener::bind(address)
            .with_context(|| format!("cannot listen at {address}; name another --address, port 0 takes a free one"))?;
        Ok(Self { listener, site: Arc::new(site) })
    }

    /// Where it listens.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Answers until the program ends.
    pub fn run(&self) -> ! {
        let open = Arc::new(AtomicUsize::new(0));
        loop {
            // A connection that broke off before it was taken is nobody's any more; nor can others be taken while the
            // system has no room.
            let Ok((stream, _)) = self.listener.accept() else {
                std::thread::sleep(Duration::from_millis(10));
                continue;
            };
            if open.fetch_add(1, Ordering::Relaxed) >= MOST_CONNECTIONS {
                open.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            let (site, count) = (Arc::clone(&self.site), Arc::clone(&open));
            let work = move || {
                // Who goes away early misses the rest: no fault of ours.
                let _ = serve(stream, &site);
                count.fetch_sub(1, Ordering::Relaxed);
            };
            if std::thread::Builder::new().spawn(work).is_err() {
                open.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

/// Reads one request and answers it.
fn serve(mut stream: TcpStream, site: &Site) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let (mut request, until) = (Vec::new(), Instant::now() + PATIENCE);
    let answer = loop {
        if let Some(answer) = answer(&request, site) {
            break answer;
        }
        if !more(&mut stream, &mut request, until)? {
            break Answer::fault("400 Bad Request");
        }
    };
    answer.write(&mut stream)?;
    stream.shutdown(Shutdown::Write)?;
    // What is left unread would take the answer down with it: some is read, for a moment.
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    io::copy(&mut stream.take(1 << 16), &mut io::sink()).map(|_| ())
}

/// Reads on; whether there was anything.
fn more(stream: &mut TcpStream, request: &mut Vec<u8>, until: Instant) -> io::Result<bool> {
    let left = until.saturating_duration_since(Instant::now());
    stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
    let mut part = [0; 4096];
    let read = stream.read(&mut part)?;
    request.extend_from_slice(&part[..read]);
    Ok(read > 0)
}

/// What is answered to the bytes of a request; nothing as long as it is not whole.
fn answer<'a>(request: &[u8], site: &'a Site) -> Option<Answer<'a>> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(request) {
        Ok(httparse::Status::Partial) if request.len() < MOST_BYTES => return None,
        Ok(httparse::Status::Complete(length)) if length <= MOST_BYTES => {}
        Ok(_) | Err(httparse::Error::TooManyHeaders) => {
            return Some(Answer::fault("431 Request Header Fields Too Large"));
        }
        Err(_) => return Some(Answer::fault("400 Bad Request")),
    }
    let head = match parsed.method {
        Some("GET") => false,
        Some("HEAD") => true,
        _ => return Some(Answer::fault("405 Method Not Allowed")),
    };
    let content = |field: &httparse::Header<'_>| {
        field.name.eq_ignore_ascii_case("transfer-encoding")
            || (field.name.eq_ignore_ascii_case("content-length") && field.value != b"0")
    };
    if parsed.headers.iter().any(content) {
        return Some(Answer::fault("413 Content Too Large"));
    }
    let target = parsed.path.unwrap_or_default();
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    Some(match site.get(path) {
        Some((kind, content)) => Answer { status: "200 OK", kind, content, head },
        None => Answer { head, ..Answer::fault("404 Not Found") },
    })
}

impl Answer<'_> {
    fn fault(status: &'static str) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", content: status.as_bytes(), head: false }
    }

    fn write(&self, stream: &mut TcpStream) -> io::Result<()> {
        let Self { status, kind, content, head } = self;
        let fields = format!(
            "HTTP/1.1 {status}\r\n\
             Content-Type: {kind}\r\n\
             Content-Length: {}\r\n\
             Allow: GET, HEAD\r\n\
             Cache-Control: no-cache\r\n\
             Content-Security-Policy: {POLICY}; frame-ancestors 'none'\r\n\
             Cross-Origin-Resource-Policy: same-origin\r\n\
             Permissions-Policy: camera=(self)\r\n\
             Referrer-Policy: no-referrer\r\n\
             X-Content-Type-Options: nosniff\r\n\
             Connection: close\r\n\r\n",
            content.len()
        );
        stream.write_all(fields.as_bytes())?;
        if !head {
            stream.write_all(content)?;
        }
        stream.flush()
    }
}
