//! Writes down what the last `cargo bench -p tamis-benches` measured: `raw.csv` with every row and a
//! `README.md` with the command, the machine and tables, in the folder that is named. Overwrites.
//!
//! ```text
//! cargo run --release -p tamis-benches -- benches/record/<date>-<machine>
//! ```

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde::de::DeserializeOwned;
use tamis_benches::{DATA_VARIABLE, note, target_folder};

/// What a row is called and how much it processes; criterion's `benchmark.json`.
#[derive(serde::Deserialize)]
struct Benchmark {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
    throughput: Option<Throughput>,
}

/// Criterion's, as far as these benchmarks use it.
#[derive(serde::Deserialize)]
enum Throughput {
    Elements(u64),
    ElementsAndBytes { elements: u64, bytes: u64 },
}

/// Times in nanoseconds; criterion's `estimates.json`.
#[derive(serde::Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(serde::Deserialize)]
struct Estimate {
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(serde::Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let (Some(folder), None) = (arguments.next(), arguments.next()) else {
        note("usage: cargo run --release -p tamis-benches -- benches/record/<date>-<machine>");
        return ExitCode::from(2);
    };
    match record(Path::new(&folder)) {
        Ok(rows) => {
            note(&format!("{rows} rows in {}", folder.display()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            note(&format!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

/// A row of `raw.csv`.
struct Row {
    group: String,
    engine: String,
    name: String,
    /// Lower bound, median, upper bound.
    ns: [f64; 3],
    elements: u64,
    bytes: u64,
}

fn record(folder: &Path) -> io::Result<usize> {
    let results = target_folder().join("criterion");
    let mut files = Vec::new();
    find_benchmarks(&results, &mut files)?;
    files.sort();
    let mut rows = files.iter().map(|file| read_row(file)).collect::<io::Result<Vec<Row>>>()?;
    // What `swap.rs` measured; it does without criterion.
    let swap = fs::read_to_string(results.join("swap.csv")).unwrap_or_default();
    rows.extend(swap.lines().filter_map(swap_row));

    let mut csv = "group,engine,name,ns_low,ns,ns_high,elements,bytes\n".to_owned();
    for Row { group, engine, name, ns: [low, ns, high], elements, bytes } in &rows {
        csv += &format!("{group},{engine},{name},{low:.1},{ns:.1},{high:.1},{elements},{bytes}\n");
    }
    fs::create_dir_all(folder)?;
    fs::write(folder.join("raw.csv"), csv)?;
    fs::write(folder.join("README.md"), readme(folder, &rows))?;
    Ok(rows.len())
}

fn read_row(file: &Path) -> io::Result<Row> {
    let Benchmark { group_id: group, function_id, value_str, throughput } = read(file)?;
    let Estimate { point_estimate, confidence_interval: Interval { lower_bound, upper_bound } } =
        read::<Estimates>(&file.with_file_name("estimates.json"))?.median;
    let (elements, bytes) = match throughput {
        Some(Throughput::Elements(elements)) => (elements, 0),
        Some(Throughput::ElementsAndBytes { elements, bytes }) => (elements, bytes),
        None => (0, 0),
    };
    let (engine, name) = (function_id.unwrap_or_default(), value_str.unwrap_or_default());
    Ok(Row { group, engine, name, ns: [lower_bound, point_estimate, upper_bound], elements, bytes })
}

fn swap_row(line: &str) -> Option<Row> {
    let (name, rest) = line.split_once(',')?;
    let (engine, ns) = rest.split_once(',')?;
    let ns = ns.parse().ok()?;
    let group = "swap".to_owned();
    Some(Row { group, engine: engine.to_owned(), name: name.to_owned(), ns: [ns; 3], elements: 0, bytes: 0 })
}

/// A table of each group: what was run down, by which engine across.
fn tables(rows: &[Row]) -> String {
    let mut tables = String::new();
    for group in rows.chunk_by(|a, b| a.group == b.group) {
        let engines: BTreeSet<&str> = group.iter().map(|row| &*row.engine).collect();
        let names: BTreeSet<&str> = group.iter().map(|row| &*row.name).collect();
        let titles: Vec<&str> = engines.iter().copied().collect();
        tables += &format!("\n| {} | {} |\n|---|{}\n", group[0].group, titles.join(" | "), "--:|".repeat(titles.len()));
        for name in names {
            tables += &format!("| {name} |");
            for engine in &engines {
                let row = group.iter().find(|row| (&*row.name, &*row.engine) == (name, engine));
                tables += &format!(" {} |", row.map(cell).unwrap_or_default());
            }
            tables.push('\n');
        }
    }
    tables
}

fn cell(row: &Row) -> String {
    let ns = row.ns[1];
    let time = match ns {
        0.0..1e3 => format!("{ns:.1} ns"),
        1e3..1e6 => format!("{:.2} µs", ns / 1e3),
        _ => format!("{:.2} ms", ns / 1e6),
    };
    if row.bytes == 0 { time } else { format!("{time}, {:.0} MB/s", row.bytes as f64 / ns * 1e3) }
}

/// The newest result of every benchmark is in a folder `new`.
fn find_benchmarks(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find_benchmarks(&path, files)?;
        } else if path.ends_with("new/benchmark.json") {
            files.push(path);
        }
    }
    Ok(())
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    let text = fs::read_to_string(path)?;
    serde_json::from_str(&text).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
}

fn readme(folder: &Path, rows: &[Row]) -> String {
    let title = folder.file_name().unwrap_or_default().to_string_lossy();
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cpu = cpu.map_or("unknown", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let variable = if env::var_os(DATA_VARIABLE).is_some() { format!("{DATA_VARIABLE}=… ") } else { String::new() };
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown");
    format!(
        "# {title}\n\n\
         Medians; `raw.csv` has the confidence intervals. A ratio between rows of one group holds on other machines, a\n\
         time does not.\n\n\
         - command: `{variable}cargo bench -p tamis-benches`\n\
         - machine: {cpu}, {cores} cores, load {load} at the end\n\
         - system: {}\n- compiler: {}\n- commit: {}\n{}",
        output("uname", &["-sr"]),
        output("rustc", &["--version"]),
        output("git", &["describe", "--always", "--dirty"]),
        tables(rows),
    )
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or("unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
