//! A real browser for tests: Chromium driven through chromedriver, and a server for the pages. Not for
//! expectations. Plain HTTP by hand on both sides; it is little, and needs no library.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::workspace;

/// How long a page may take to get where a test waits for it; a loaded machine is slow.
const PATIENCE: Duration = Duration::from_secs(30);
/// Key under which WebDriver returns elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// What `cargo browser` built.
///
/// # Panics
/// If it did not.
#[must_use]
pub fn site() -> PathBuf {
    let site = workspace().join("target/browser/site");
    assert!(site.join("default.kit").is_file(), "no pages in {}: type `cargo browser` first", site.display());
    site
}

/// A server for the site, and for files that a test adds. Stops when it is dropped, or before.
#[derive(Debug)]
pub struct Server {
    port: u16,
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    running: Arc<Mutex<bool>>,
}

impl Server {
    /// Starts on a free port of this machine.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let files = Arc::new(Mutex::new(BTreeMap::new()));
        let running = Arc::new(Mutex::new(true));
        let (site, added, is_running) = (site(), Arc::clone(&files), Arc::clone(&running));
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if !*is_running.lock().unwrap_or_else(PoisonError::into_inner) {
                    return;
                }
                let (site, added) = (site.clone(), Arc::clone(&added));
                thread::spawn(move || answer(&connection, &site, &added));
            }
        });
        Server { port, files, running }
    }

    /// The address of a file.
    #[must_use]
    pub fn url(&self, file: &str) -> String {
        format!("http://127.0.0.1:{}/{file}", self.port)
    }

    /// Serves these bytes under that name from now on.
    pub fn put(&self, file: &str, bytes: impl Into<Vec<u8>>) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(file.to_owned(), bytes.into());
    }

    /// Refuses every connection from now on.
    pub fn stop(&self) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = false;
        // Wakes the listener, which then ends and gives the port back.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// One request, one answer.
fn answer(connection: &TcpStream, site: &Path, added: &Mutex<BTreeMap<String, Vec<u8>>>) {
    let mut request = String::new();
    if BufReader::new(connection).read_line(&mut request).is_err() {
        return;
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    let added = added.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
    let file = (!path.contains("..")).then(|| fs::read(site.join(path)).ok()).flatten();
    let kind = match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("wasm") => "application/wasm",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    };
    let (status, body) = added.or(file).map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-cache\r\n\
         X-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src 'none'; script-src 'self' \
         'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut connection = connection;
    // The browser may have gone away; nobody to tell.
    let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(&body));
}

/// A window of headless Chromium. Closed when dropped.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

impl Browser {
    /// Starts one.
    ///
    /// # Panics
    /// If there is no Chromium, or it does not start.
    #[must_use]
    pub fn start() -> Browser {
        let name = std::env::var_os("CHROMEDRIVER").unwrap_or_else(|| "chromedriver".into());
        let driver = Command::new(name).arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut driver = driver.expect("no chromedriver: install the packages chromium and chromium-driver");
        let mut lines = BufReader::new(driver.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
        let port = lines.find_map(|line| line.strip_suffix('.')?.split_once("successfully on port ")?.1.parse().ok());
        let port = port.expect("chromedriver names its port");
        // It must not wait for somebody to read what else it says.
        thread::spawn(move || lines.for_each(drop));

        let mut options = json!({
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en",
                "--window-size=1200,900", "--hide-scrollbars"],
        });
        if let Some(binary) = std::env::var_os("CHROMIUM") {
            options["binary"] = json!(binary.to_string_lossy());
        }
        let mut browser = Browser { driver, port, session: String::new() };
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "script": 300_000, "pageLoad": 60_000 },
        } } });
        let session = browser.request("POST", "/session", &capabilities);
        session["sessionId"].as_str().expect("a session").clone_into(&mut browser.session);
        browser
    }

    fn request(&self, method: &str, path: &str, body: &Value) -> Value {
        let done = self.try_request(method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        assert!(done["value"].get("error").is_none(), "{method} {path}: {done:#}");
        done["value"].clone()
    }

    fn try_request(&self, method: &str, path: &str, body: &Value) -> io::Result<Value> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port))?;
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n", self.port);
        let _ = write!(request, "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        connection.write_all(request.as_bytes())?;
        let mut reader = BufReader::new(connection);
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 || line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        serde_json::from_slice(&body).map_err(io::Error::other)
    }

    fn session(&self, method: &str, path: &str, body: &Value) -> Value {
        self.request(method, &format!("/session/{}{path}", self.session), body)
    }

    /// Opens an address.
    pub fn open(&self, url: &str) {
        self.session("POST", "/url", &json!({ "url": url }));
    }

    /// Loads the page again.
    pub fn reload(&self) {
        self.session("POST", "/refresh", &json!({}));
    }

    /// Runs the body of an async function in the page and returns what it returns.
    ///
    /// # Panics
    /// If it throws.
    pub fn run(&self, script: &str, args: &Value) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1], args = arguments[0];\n\
             (async () => {{ {script} }})().then((value) => done({{ value }}), (error) => done({{ error: `${{error.code ?? error.name}}: ${{error.message}}\\n${{error.stack}}` }}));"
        );
        let mut result = self.session("POST", "/execute/async", &json!({ "script": script, "args": [args] }));
        if let Some(error) = result["error"].as_str() {
            panic!("the page threw {error}");
        }
        result["value"].take()
    }

    /// Waits until an expression of the page is true.
    ///
    /// # Panics
    /// If it does not become so.
    pub fn wait(&self, expression: &str) {
        let started = Instant::now();
        let script = format!("try {{ return Boolean({expression}) }} catch {{ return false }}");
        while self.session("POST", "/execute/sync", &json!({ "script": script, "args": [] })) != json!(true) {
            if started.elapsed() > PATIENCE {
                let text = self.run("return document.body.innerText", &json!({}));
                panic!("never true: {expression}\nthe page says:\n{}", text.as_str().unwrap_or_default());
            }
            thread::sleep(Duration::from_millis(30));
        }
    }

    fn element(&self, selector: &str) -> String {
        let found = self.session("POST", "/element", &json!({ "using": "css selector", "value": selector }));
        found[ELEMENT].as_str().expect("an element").to_owned()
    }

    /// Types into an element as a person does, key by key; into a file box, the path of a file.
    pub fn type_into(&self, selector: &str, text: &str) {
        let path = format!("/element/{}/value", self.element(selector));
        self.session("POST", &path, &json!({ "text": text }));
    }

    /// Clicks on an element.
    pub fn click(&self, selector: &str) {
        self.session("POST", &format!("/element/{}/click", self.element(selector)), &json!({}));
    }

    /// What an element says.
    #[must_use]
    pub fn text(&self, selector: &str) -> String {
        let text = self.run("return document.querySelector(args).innerText", &json!(selector));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Sets the size of the window, as of a phone or a desk.
    pub fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        let command = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": size });
        self.session("POST", "/goog/cdp/execute", &command);
    }

    /// What pages the person asks for: `dark` or `light`.
    pub fn prefer(&self, scheme: &str) {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.session("POST", "/goog/cdp/execute", &json!({ "cmd": "Emulation.setEmulatedMedia", "params": media }));
    }

    /// Writes a picture of the window to the folder that `TAMIS_SCREENSHOTS` names, if it names one.
    pub fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("TAMIS_SCREENSHOTS") else { return };
        let command = json!({ "cmd": "Page.captureScreenshot", "params": { "captureBeyondViewport": true } });
        let picture = self.session("POST", "/goog/cdp/execute", &command);
        let bytes = from_base64(picture["data"].as_str().unwrap_or_default());
        let path = Path::new(&folder).join(format!("{name}.png"));
        fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Errors and warnings of the page since the last call, breaches of its security policy among them.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let entries = self.session("POST", "/se/log", &json!({ "type": "browser" }));
        let grave = |entry: &&Value| entry["level"] == "SEVERE" || entry["level"] == "WARNING";
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries.iter().filter(grave).map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Closing the session ends Chromium; without it, it would outlive its driver.
        let _ = self.try_request("DELETE", &format!("/session/{}", self.session), &json!({}));
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes as text that JSON can hold.
#[must_use]
pub fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let padded = [three[0], *three.get(1).unwrap_or(&0), *three.get(2).unwrap_or(&0)];
        let bits = u32::from_be_bytes([0, padded[0], padded[1], padded[2]]);
        for index in 0..4 {
            let six = bits >> (18 - 6 * index) & 63;
            text.push(if index <= three.len() { BASE64[six as usize].into() } else { '=' });
        }
    }
    text
}

/// The inverse of [`to_base64`]; what is no digit is skipped.
#[must_use]
pub fn from_base64(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for six in text.bytes().filter_map(|byte| BASE64.iter().position(|&digit| digit == byte)) {
        bits = bits << 6 | u32::try_from(six).unwrap_or_default();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 255) as u8);
        }
    }
    bytes
}
