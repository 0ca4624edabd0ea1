//! Times and counts as text.

use std::time::Duration;

/// `span` in milliseconds, with one decimal below ten.
pub(crate) fn milliseconds(span: Duration) -> String {
    let micros = span.as_micros();
    if micros < 9_950 {
        let tenths = (micros + 50) / 100;
        return if tenths.is_multiple_of(10) {
            format!("{}", tenths / 10)
        } else {
            format!("{}.{}", tenths / 10, tenths % 10)
        };
    }
    count(usize::try_from((micros + 500) / 1000).unwrap_or(usize::MAX))
}

/// `number` with its thousands set apart.
pub(crate) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_counts_are_easy_to_read() {
        for (micros, text) in [
            (0, "0"),
            (40, "0"),
            (4_000, "4"),
            (4_260, "4.3"),
            (9_949, "9.9"),
            (9_960, "10"),
            (1_505_700, "1,506"),
        ] {
            assert_eq!(milliseconds(Duration::from_micros(micros)), text);
        }
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
    }
}
