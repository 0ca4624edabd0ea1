//! Who may do what: clients with the clients' password, where there is one, and operators with theirs.

use bytes::Bytes;

use super::reply::Reply;
use crate::config::NodeFile;

/// What a connection may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    /// Authenticate.
    #[default]
    Nothing,
    /// Read and write.
    Data,
    /// Hand over, pause, ask why.
    Operator,
}

impl Access {
    /// That of a connection that has not authenticated.
    pub(super) fn without_password(file: &NodeFile) -> Self {
        match (&file.password, &file.operator_password) {
            (Some(_), _) => Self::Nothing,
            (None, Some(_)) => Self::Data,
            (None, None) => Self::Operator,
        }
    }

    /// That of whoever shows this password, as anybody or under a name: `default` or `operator`.
    pub(super) fn with_password(
        file: &NodeFile,
        user: Option<&[u8]>,
        password: &[u8],
    ) -> Result<Self, Reply> {
        if file.password.is_none() && file.operator_password.is_none() {
            return Err(Reply::error("ERR AUTH called without any password configured for this server"));
        }
        let of_clients = if file.operator_password.is_some() { Self::Data } else { Self::Operator };
        let known = [
            (&b"default"[..], &file.password, of_clients),
            (b"operator", &file.operator_password, Self::Operator),
        ];
        let found = known.into_iter().filter(|(name, secret, _)| {
            user.is_none_or(|user| user == *name)
                && secret.as_ref().is_some_and(|secret| secret.equals(password))
        });
        let wrong = "WRONGPASS invalid username-password pair or user is disabled.";
        found.map(|(.., access)| access).next_back().ok_or_else(|| Reply::error(wrong))
    }

    /// Whether it covers a command. `name` is in upper case.
    pub(super) fn admit(self, name: &str) -> Result<(), Reply> {
        match name {
            "AUTH" | "HELLO" | "QUIT" => Ok(()),
            _ if self == Self::Nothing => Err(Reply::error("NOAUTH Authentication required.")),
            "ELECT" | "FAILOVER" if self < Self::Operator => Err(Reply::error(format!(
                "NOPERM {name} needs the operator's password: AUTH operator <password>"
            ))),
            _ => Ok(()),
        }
    }
}

/// `AUTH [user] password`.
pub(super) fn auth(file: &NodeFile, arguments: &[Bytes]) -> Result<Access, Reply> {
    match arguments {
        [password] => Access::with_password(file, None, password),
        [user, password] => Access::with_password(file, Some(user), password),
        _ => Err(super::write::wrong_number("AUTH")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::example;

    /// The file, the user, the password, and what they give.
    type Row<'a> = (&'a NodeFile, Option<&'a str>, &'a str, Result<Access, &'a str>);

    fn file(passwords: &str) -> NodeFile {
        example(passwords).file
    }

    fn code(result: Result<Access, Reply>) -> Result<Access, String> {
        result.map_err(|reply| match reply {
            Reply::Error(text) => text.split(' ').next().unwrap_or_default().to_owned(),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn passwords_give_access() {
        let both = file("password = \"c\"\noperator_password = \"o\"\n");
        let clients = file("password = \"c\"\n");
        let operators = file("operator_password = \"o\"\n");
        let open = file("");
        let first = [&both, &clients, &operators, &open].map(Access::without_password);
        assert_eq!(first, [Access::Nothing, Access::Nothing, Access::Data, Access::Operator]);
        let table: [Row<'_>; 11] = [
            (&both, None, "c", Ok(Access::Data)),
            (&both, None, "o", Ok(Access::Operator)),
            (&both, Some("operator"), "o", Ok(Access::Operator)),
            (&both, Some("operator"), "c", Err("WRONGPASS")),
            (&both, Some("default"), "o", Err("WRONGPASS")),
            (&both, Some("root"), "o", Err("WRONGPASS")),
            (&both, None, "", Err("WRONGPASS")),
            (&both, None, "cc", Err("WRONGPASS")),
            (&clients, None, "c", Ok(Access::Operator)),
            (&operators, None, "o", Ok(Access::Operator)),
            (&open, None, "x", Err("ERR")),
        ];
        for (file, user, password, expected) in table {
            let got = Access::with_password(file, user.map(str::as_bytes), password.as_bytes());
            assert_eq!(code(got), expected.map_err(str::to_owned), "{user:?} {password}");
        }
    }

    #[test]
    fn commands_need_access() {
        let table = [
            (Access::Nothing, "GET", Some("NOAUTH")),
            (Access::Nothing, "SET", Some("NOAUTH")),
            (Access::Nothing, "ELECT", Some("NOAUTH")),
            (Access::Nothing, "AUTH", None),
            (Access::Nothing, "HELLO", None),
            (Access::Data, "SET", None),
            (Access::Data, "ELECT", Some("NOPERM")),
            (Access::Data, "FAILOVER", Some("NOPERM")),
            (Access::Operator, "ELECT", None),
        ];
        for (access, name, expected) in table {
            let refused = code(access.admit(name).map(|()| access)).err();
            assert_eq!(refused.as_deref(), expected, "{access:?} {name}");
        }
    }
}
