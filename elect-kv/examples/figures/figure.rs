//! One figure, what it is measured by, and what it should be.

use serde_json::{Value, json};

use super::machine::load;

/// What a figure counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    PerSecond,
    Milliseconds,
    Mebibytes,
    Kibibytes,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    RatioAtLeast(f64),
    RatioAtMost(f64),
    AtMost(f64),
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: Unit,
    /// What it is measured by: its name, and how much that is.
    pub(crate) beside: Option<(&'static str, f64)>,
    pub(crate) target: Option<Target>,
    /// The load of the machine when it was measured.
    load: String,
}

impl Figure {
    pub(crate) fn new(what: impl Into<String>, value: f64, unit: Unit) -> Self {
        Self { what: what.into(), value, unit, beside: None, target: None, load: load() }
    }

    pub(crate) fn beside(self, name: &'static str, value: f64) -> Self {
        Self { beside: Some((name, value)), ..self }
    }

    pub(crate) fn should(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    pub(crate) fn ratio(&self) -> Option<f64> {
        self.beside.map(|(_, other)| self.value / other)
    }

    /// Whether it is what it should be; `None` where nothing says what it should be.
    pub(crate) fn is_met(&self) -> Option<bool> {
        let ratio = self.ratio().unwrap_or(f64::NAN);
        Some(match self.target? {
            Target::RatioAtLeast(least) => ratio >= least,
            Target::RatioAtMost(most) => ratio <= most,
            Target::AtMost(most) => self.value <= most,
        })
    }

    /// Its cells in the table, in order.
    pub(crate) fn cells(&self) -> [String; 6] {
        let verdict = |met| if met { "met" } else { "missed" };
        let target = self.target.map(|target| match target {
            Target::RatioAtLeast(least) => format!("≥ {least} ×"),
            Target::RatioAtMost(most) => format!("≤ {most} ×"),
            Target::AtMost(most) => format!("≤ {}", self.unit.text(most)),
        });
        [
            self.what.clone(),
            self.unit.text(self.value),
            self.beside.map_or_else(String::new, |(name, value)| format!("{} {name}", self.unit.text(value))),
            self.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2} ×")),
            target
                .zip(self.is_met())
                .map_or_else(String::new, |(text, met)| format!("{text}: {}", verdict(met))),
            self.load.clone(),
        ]
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "what": self.what, "value": self.value, "unit": self.unit.name(),
            "beside": self.beside.map(|(name, _)| name), "beside_value": self.beside.map(|(_, value)| value),
            "ratio": self.ratio(), "met": self.is_met(), "load": self.load,
        })
    }
}

impl Unit {
    const fn name(self) -> &'static str {
        match self {
            Self::PerSecond => "/s",
            Self::Milliseconds => "ms",
            Self::Mebibytes => "MiB",
            Self::Kibibytes => "KiB",
        }
    }

    fn text(self, value: f64) -> String {
        let number = match self {
            Self::Milliseconds => format!("{value:.2}"),
            Self::Kibibytes => format!("{value:.1}"),
            Self::PerSecond | Self::Mebibytes => grouped(&format!("{value:.0}")),
        };
        format!("{number} {}", self.name())
    }
}

/// Digits in groups of three.
fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
