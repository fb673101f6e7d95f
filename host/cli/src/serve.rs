//! Metrics over HTTP, one request at a time: `GET /metrics` and nothing else. Not a web server; it is meant for an
//! address that only the collector of metrics can reach.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use tamis_host::Metrics;

/// How long a client may take to ask, and to read.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest request that is read.
const REQUEST_BYTES_MAX: usize = 8 << 10;

/// Serves the metrics on a thread of its own until the process ends; returns the address, whose port may have been 0.
pub(crate) fn metrics(address: SocketAddr, metrics: Metrics) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(address).with_context(|| format!("cannot serve metrics on {address}"))?;
    let bound = listener.local_addr()?;
    let serve = move || {
        for stream in listener.incoming().flatten() {
            // A client that hangs up or dawdles gets nothing, and the next one is served.
            let _ = answer(stream, &metrics);
        }
    };
    thread::Builder::new().name("tamis-metrics".to_owned()).spawn(serve).context("no thread")?;
    Ok(bound)
}

fn answer(mut stream: TcpStream, metrics: &Metrics) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut request = Vec::new();
    let mut bytes = [0; 1024];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") && request.len() < REQUEST_BYTES_MAX {
        match stream.read(&mut bytes)? {
            0 => break,
            read => request.extend(&bytes[..read]),
        }
    }
    let (status, body) = if request.starts_with(b"GET /metrics ") {
        ("200 OK", metrics.text())
    } else {
        ("404 Not Found", "metrics are at /metrics\n".to_owned())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}
