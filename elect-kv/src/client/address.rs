//! Addresses in Redis' form: an IPv6 address stands without brackets, and the port follows the last colon.

/// Host and port of `host:port`; no port if there is none.
pub(crate) fn split(address: &str) -> (&str, &str) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    (bare.unwrap_or(host), port)
}

/// As redirects show it.
pub(crate) fn shown(address: &str) -> String {
    let (host, port) = split(address);
    format!("{host}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_not_shown() {
        let table = [
            ("10.0.0.1:7001", ("10.0.0.1", "7001"), "10.0.0.1:7001"),
            ("[::1]:7001", ("::1", "7001"), "::1:7001"),
            ("[fe80::1%eth0]:7001", ("fe80::1%eth0", "7001"), "fe80::1%eth0:7001"),
            ("kv.example:7001", ("kv.example", "7001"), "kv.example:7001"),
        ];
        for (address, parts, text) in table {
            assert_eq!((split(address), shown(address).as_str()), (parts, text));
        }
    }
}
