//! The time axis below a chart.

use std::fmt::Write as _;
use std::time::Duration;

use super::window::{LEFT, Window};
use crate::format::milliseconds;

pub(super) fn axis(out: &mut String, window: Window, top: f64, floor: f64) {
    let step = tick_step(window.to.saturating_sub(window.from));
    let mut at = first_tick(window, step);
    out.push_str("<g class=\"axis\">");
    while at <= window.to {
        let x = window.x(at);
        let sign = if at < window.zero { "\u{2212}" } else { "" };
        let _ = write!(out, "<path d=\"M{x:.1} {top:.1}V{:.1}\"/>", floor + 5.0);
        let value = milliseconds(at.abs_diff(window.zero));
        let _ = write!(out, "<text x=\"{x:.1}\" y=\"{:.1}\">{sign}{value}</text>", floor + 19.0);
        at += step;
    }
    let _ =
        write!(out, "<text class=\"unit\" x=\"{:.0}\" y=\"{:.1}\">ms</text></g>", LEFT - 18.0, floor + 19.0);
}

/// The first moment in `window` that lies a whole number of steps from its zero.
fn first_tick(window: Window, step: Duration) -> Duration {
    let steps = |span: Duration| u32::try_from(span.as_nanos() / step.as_nanos()).unwrap_or(u32::MAX);
    let before = window.zero.saturating_sub(window.from);
    let first = window.zero.saturating_sub(step.saturating_mul(steps(before)));
    let skipped = window.from.saturating_sub(first);
    let whole = step.saturating_mul(steps(skipped));
    first + if whole < skipped { whole + step } else { whole }
}

/// The distance of ticks: 1, 2 or 5 times a power of ten, for at most twelve ticks.
fn tick_step(length: Duration) -> Duration {
    let mut power = Duration::from_millis(1);
    loop {
        for factor in [1, 2, 5] {
            if length <= power * factor * 12 {
                return power * factor;
            }
        }
        power *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::tests::ms;

    #[test]
    fn ticks_are_round_and_at_most_a_dozen() {
        for (length, step) in [(1, 1), (12, 1), (13, 2), (600, 50), (601, 100), (3600, 500), (25_000, 5000)] {
            assert_eq!(tick_step(ms(length)), ms(step), "for {length} ms");
        }
    }

    #[test]
    fn first_tick_lies_in_the_window_and_on_the_grid() {
        for (from, zero, first) in
            [(0, 0, 0), (880, 1000, 900), (900, 1000, 900), (1000, 1000, 1000), (1001, 0, 1100)]
        {
            let window = Window { from: ms(from), to: ms(2000), zero: ms(zero) };
            assert_eq!(first_tick(window, ms(100)), ms(first), "from {from} with zero at {zero}");
        }
    }
}
