//! The patterns of `KEYS`, `SCAN` and `CONFIG GET`.

/// Whether `key` matches a pattern of `*`, `?`, `[a-z]`, `[^a]` and `\x`. Takes pattern × key steps at most.
pub(super) fn matches(pattern: &[u8], key: &[u8]) -> bool {
    let (mut at, mut rest) = (0, key);
    // Where to go on when what follows the last star does not match.
    let mut star: Option<(usize, &[u8])> = None;
    loop {
        let step = match (pattern.get(at), rest.split_first()) {
            (Some(b'*'), _) => {
                star = Some((at + 1, rest));
                at += 1;
                continue;
            }
            (None, None) => return true,
            (Some(_), Some((&byte, _))) => match_one(pattern, at, byte),
            _ => None,
        };
        match (step, star) {
            (Some(next), _) => {
                at = next;
                rest = &rest[1..];
            }
            (None, Some((after, from))) if !from.is_empty() => {
                star = Some((after, &from[1..]));
                at = after;
                rest = &from[1..];
            }
            (None, _) => return false,
        }
    }
}

/// Where the pattern goes on if its element at `at` matches `byte`.
fn match_one(pattern: &[u8], at: usize, byte: u8) -> Option<usize> {
    match pattern[at] {
        b'?' => Some(at + 1),
        b'\\' if at + 1 < pattern.len() => (pattern[at + 1] == byte).then_some(at + 2),
        b'[' => {
            let end = at + 1 + pattern[at + 1..].iter().position(|&byte| byte == b']')?;
            let (negated, set) = match &pattern[at + 1..end] {
                [b'^', set @ ..] => (true, set),
                set => (false, set),
            };
            let mut set = set;
            let mut found = false;
            while let [first, rest @ ..] = set {
                if let [b'-', last, rest @ ..] = rest {
                    found |= (*first.min(last)..=*first.max(last)).contains(&byte);
                    set = rest;
                } else {
                    found |= *first == byte;
                    set = rest;
                }
            }
            (found != negated).then_some(end + 1)
        }
        literal => (literal == byte).then_some(at + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let table = [
            ("*", "", true),
            ("*", "anything", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("a*b*c", "axbxbxc", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[a-c", "ha", false),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            ("", "", true),
            ("", "a", false),
        ];
        for (pattern, key, expected) in table {
            assert_eq!(matches(pattern.as_bytes(), key.as_bytes()), expected, "{pattern} {key}");
        }
        let long = "a".repeat(4_000);
        assert!(!matches(format!("{}b", "a*".repeat(30)).as_bytes(), long.as_bytes()), "and it ends soon");
    }
}
