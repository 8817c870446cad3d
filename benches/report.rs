//! What was measured, as the tables of `docs/PERFORMANCE.md`.

use crate::load::Outcome;

/// The measurements of one row: ours, the ceiling's and the peer's in turns.
pub struct Row {
    /// What was done.
    pub name: String,
    /// What the design promises, as a share of the ceiling.
    pub promised: f64,
    /// Ours.
    pub ours: Vec<Outcome>,
    /// The ceiling's.
    pub ceiling: Vec<Outcome>,
    /// The peer's.
    pub peer: Vec<Outcome>,
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The median, and how far the others lie apart.
pub fn spread(values: impl Iterator<Item = f64>, digits: usize, unit: &str) -> String {
    let values = sorted(values);
    let Some((first, last)) = values.first().zip(values.last()) else {
        return "—".into();
    };
    let middle = values[values.len() / 2];
    format!("{middle:.digits$}{unit} ({first:.digits$}–{last:.digits$})")
}

/// The median.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let values = sorted(values);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

impl Row {
    /// Its line of the table.
    pub fn line(&self) -> String {
        let rate = |outcomes: &[Outcome]| {
            if outcomes.is_empty() {
                "—".to_owned()
            } else {
                format!("{:.0}", median(outcomes.iter().map(Outcome::rate)))
            }
        };
        let pairs = |others: &[Outcome]| -> Vec<f64> {
            self.ours
                .iter()
                .zip(others)
                .map(|(ours, other)| ours.rate() / other.rate())
                .collect()
        };
        let (ceiling, peer) = (pairs(&self.ceiling), pairs(&self.peer));
        let share = spread(ceiling.iter().map(|ratio| ratio * 100.0), 0, " %");
        let held = if self.promised == 0.0 || ceiling.is_empty() {
            "—".to_owned()
        } else if median(ceiling.into_iter()) >= self.promised {
            format!("≥ {:.0} %", self.promised * 100.0)
        } else {
            format!("**≥ {:.0} %: missed**", self.promised * 100.0)
        };
        let times = spread(peer.into_iter(), 1, "×");
        let cost = |outcomes: &[Outcome]| {
            if outcomes.is_empty() {
                return "—".to_owned();
            }
            let micros = outcomes
                .iter()
                .map(|outcome| outcome.server / outcome.rate() * 1e6);
            format!("{:.1}", median(micros))
        };
        let busy = |outcomes: &[Outcome], part: fn(&Outcome) -> f64| {
            format!("{:.0} %", median(outcomes.iter().map(part)) * 100.0)
        };
        format!(
            "| {} | {} | {} | {share} | {held} | {} | {times} | {:.2} / {:.2} ms | {} / {} µs | {} / {} |",
            self.name,
            rate(&self.ours),
            rate(&self.ceiling),
            rate(&self.peer),
            median(self.ours.iter().map(|outcome| outcome.percentile(0.5))),
            median(self.ours.iter().map(|outcome| outcome.percentile(0.99))),
            cost(&self.ours),
            cost(&self.ceiling),
            busy(&self.ours, |outcome| outcome.server),
            busy(&self.ours, |outcome| outcome.generator),
        )
    }
}

/// The head of the table.
pub const HEAD: &str = "| row | Tessera, per second | ceiling, per second | of the ceiling (least–most) | promised | oidc-provider, per second | Tessera against it | Tessera's p50 / p99 | processor time a request, Tessera / ceiling | server's core / load's core |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |";
