//! The figures of a run as a picture: what the process held over the swaps, and how long batches took. Plain
//! SVG; not a library for plots.

use std::fmt::Write as _;

use super::{Curve, Held, Report};

const WIDTH: f64 = 760.0;
const PANEL: f64 = 150.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 40.0;
const COLOURS: [&str; 3] = ["#1b6ca8", "#c8502d", "#7a7a7a"];

/// A field of the picture with its own scales.
struct Panel {
    top: f64,
    x: [f64; 2],
    y: [f64; 2],
}

impl Panel {
    fn at(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let share = |value: f64, [low, high]: [f64; 2]| (value - low) / (high - low);
        [LEFT + share(x, self.x) * (WIDTH - LEFT - RIGHT), self.top + PANEL - share(y, self.y).clamp(0.0, 1.0) * PANEL]
    }

    fn line(&self, out: &mut String, points: impl Iterator<Item = [f64; 2]>, colour: &str) {
        let points: Vec<String> = points.map(|point| self.at(point)).map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            out,
            r#"<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{}"/>"#,
            points.join(" ")
        );
    }

    fn frame(&self, out: &mut String, title: &str, x_marks: &[(f64, String)], y_marks: &[(f64, String)]) {
        let _ = writeln!(out, r#"<text x="{LEFT}" y="{:.0}" font-weight="bold">{title}</text>"#, self.top - 8.0);
        for (value, text) in y_marks {
            let [_, y] = self.at([self.x[0], *value]);
            let (end, text_end) = (WIDTH - RIGHT, LEFT - 6.0);
            let _ = writeln!(out, r##"<path d="M{LEFT} {y:.1}H{end}" stroke="#ddd"/>"##);
            let _ = writeln!(out, r#"<text x="{text_end}" y="{:.1}" text-anchor="end">{text}</text>"#, y + 4.0);
        }
        for (value, text) in x_marks {
            let [x, y] = self.at([*value, self.y[0]]);
            let _ = writeln!(out, r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle">{text}</text>"#, y + 16.0);
        }
    }
}

/// The picture.
pub(super) fn svg(report: &Report) -> String {
    let tops = [40.0, 250.0, 460.0];
    let height = tops[2] + PANEL + 40.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    held(&mut out, tops[0], &report.held, report.summary.swaps);
    let [clock_still, clock_swapping, still, swapping, first] = &report.batches[..] else { return out + "</svg>\n" };
    let title = "batches of 64, µs, waiting for a core left out";
    latency(&mut out, tops[1], title, &[still, swapping, first]);
    latency(&mut out, tops[2], "the same by the clock, on the shared machine", &[clock_still, clock_swapping]);
    out + "</svg>\n"
}

fn held(out: &mut String, top: f64, held: &[Held], swaps: usize) {
    let most = held.iter().map(|held| held.resident_mib).fold(0.0, f64::max) * 1.2;
    let panel = Panel { top, x: [0.0, swaps as f64], y: [0.0, most] };
    let marks = |most: f64, count: i32| (0..=count).map(move |at| most * f64::from(at) / f64::from(count));
    let x_marks: Vec<(f64, String)> = marks(swaps as f64, 5).map(|value| (value, format!("{value:.0}"))).collect();
    let y_marks: Vec<(f64, String)> = marks(most, 4).map(|value| (value, format!("{value:.0}"))).collect();
    panel.frame(out, "over the swaps: resident MiB; open files and threads, same scale", &x_marks, &y_marks);
    let over = |of: fn(&Held) -> f64| held.iter().map(move |held| [held.swaps as f64, of(held)]);
    panel.line(out, over(|held| held.resident_mib), COLOURS[0]);
    panel.line(out, over(|held| held.files as f64), COLOURS[1]);
    panel.line(out, over(|held| held.threads as f64), COLOURS[2]);
    legend(out, top, &["resident MiB", "open files", "threads"]);
}

fn latency(out: &mut String, top: f64, title: &str, curves: &[&Curve]) {
    // Each further nine of the share is as wide as the one before.
    let nines = |share: f64| -(1.0 - share).log10();
    let most = curves.iter().flat_map(|curve| &curve.points).map(|point| point[1]).fold(100.0, f64::max);
    let decades = most.log10().ceil();
    let panel = Panel { top, x: [nines(0.5), 4.0], y: [1.0, decades.max(2.0)] };
    let x_marks = [0.5, 0.9, 0.99, 0.999, 0.9999].map(|share| (nines(share), format!("{} %", 100.0 * share)));
    let y_marks: Vec<(f64, String)> =
        (1..=decades as i32).map(|decade| (f64::from(decade), format!("{}", 10f64.powi(decade)))).collect();
    panel.frame(out, title, &x_marks, &y_marks);
    for (curve, colour) in curves.iter().zip(COLOURS) {
        let points = curve.points.iter().map(|&[share, us]| [nines(share), us.max(10.0).log10()]);
        panel.line(out, points, colour);
    }
    let short = |curve: &&Curve| curve.name.split(", ").next().unwrap_or_default();
    legend(out, top, &curves.iter().map(short).collect::<Vec<_>>());
}

fn legend(out: &mut String, top: f64, names: &[&str]) {
    for (number, (name, colour)) in names.iter().zip(COLOURS).enumerate() {
        let (x, y) = (LEFT + 12.0, top + 16.0 + 16.0 * number as f64);
        let _ = writeln!(out, r#"<text x="{x}" y="{y}" fill="{colour}">{name}</text>"#);
    }
}
