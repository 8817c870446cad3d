//! A plot as SVG: latencies over the number of tenants, both on logarithmic scales, in colours that stand on light and dark paper.

use std::fmt::Write as _;

/// A curve.
pub struct Line {
    /// What it shows.
    pub name: String,
    /// Its points: tenants, milliseconds.
    pub points: Vec<(f64, f64)>,
}

const COLOURS: [&str; 6] = [
    "#2a78b8", "#c2641a", "#3d8f4f", "#7fb2dd", "#e3a36f", "#8cc79a",
];
/// Where the axes begin and end.
const LEFT: f64 = 60.0;
const RIGHT: f64 = 500.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 320.0;

struct Scale {
    from: f64,
    to: f64,
}

impl Scale {
    /// Whole powers of ten around the values.
    fn around(values: impl Iterator<Item = f64> + Clone) -> Self {
        let from = values.clone().fold(f64::INFINITY, f64::min).log10().floor();
        let to = values.fold(f64::NEG_INFINITY, f64::max).log10().ceil();
        Self {
            from,
            to: to.max(from + 1.0),
        }
    }

    fn share(&self, value: f64) -> f64 {
        (value.log10() - self.from) / (self.to - self.from)
    }

    fn marks(&self) -> impl Iterator<Item = f64> {
        #[expect(clippy::cast_possible_truncation, reason = "a few powers of ten")]
        let powers = (self.from as i32)..=(self.to as i32);
        powers.map(|power| 10_f64.powi(power))
    }
}

/// Draws the curves.
pub fn draw(lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let across = Scale::around(points().map(|point| point.0));
    let up = Scale::around(points().map(|point| point.1));
    let x = |value: f64| LEFT + across.share(value) * (RIGHT - LEFT);
    let y = |value: f64| BOTTOM - up.share(value) * (BOTTOM - TOP);
    let mut svg = String::from(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 370" font-family="system-ui, sans-serif" font-size="13" fill="#777">"##,
    );
    for mark in across.marks() {
        let _ = write!(
            svg,
            r##"<path d="M{0:.1} {TOP}V{BOTTOM}" stroke="#8884"/><text x="{0:.1}" y="340" text-anchor="middle">{mark}</text>"##,
            x(mark)
        );
    }
    for mark in up.marks() {
        let _ = write!(
            svg,
            r##"<path d="M{LEFT} {0:.1}H{RIGHT}" stroke="#8884"/><text x="52" y="{1:.1}" text-anchor="end">{mark}</text>"##,
            y(mark),
            y(mark) + 4.0
        );
    }
    let _ = write!(
        svg,
        r#"<text x="{RIGHT}" y="362" text-anchor="end">tenants</text><text x="{LEFT}" y="12">p99 in milliseconds, caches warm</text>"#
    );
    for (number, line) in lines.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let path: Vec<String> = line
            .points
            .iter()
            .map(|(tenants, latency)| format!("{:.1} {:.1}", x(*tenants), y(*latency)))
            .collect();
        let _ = write!(
            svg,
            r#"<path d="M{}" fill="none" stroke="{colour}" stroke-width="2"/>"#,
            path.join("L")
        );
        #[expect(clippy::cast_precision_loss, reason = "a handful of lines")]
        let at = 40.0 + 24.0 * number as f64;
        let _ = write!(
            svg,
            r#"<path d="M520 {at}h20" stroke="{colour}" stroke-width="3"/><text x="548" y="{:.1}">{}</text>"#,
            at + 4.0,
            line.name
        );
    }
    svg + "</svg>\n"
}
