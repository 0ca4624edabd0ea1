//! Certificates for development, made by the command that the documents name.

use std::process::Command;

#[test]
fn certificates_for_development_are_one_command() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_elect-kv"));
    command.args(["dev-certs", "--cluster", "shop"]).arg(directory.path()).args(["a", "b"]);
    let output = command.output().expect("the program starts");
    assert!(
        String::from_utf8_lossy(&output.stdout)
            .starts_with("certificates for development of cluster shop are in ")
    );
    for file in ["ca.pem", "a.pem", "a.key", "b.pem", "b.key"] {
        assert!(directory.path().join(file).exists(), "{file}");
    }
}
