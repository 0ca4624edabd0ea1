//! What systemd is told, where it has started this process (`Type=notify`).

use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The way to the service manager. Sending never waits, and nobody needs to listen.
#[derive(Debug)]
pub(crate) struct ServiceManager(Option<(UnixDatagram, SocketAddr)>);

impl ServiceManager {
    /// That of this process, if there is one.
    pub(crate) fn of_process() -> Self {
        Self(std::env::var("NOTIFY_SOCKET").ok().and_then(|path| connect(&path).ok()))
    }

    /// This node votes.
    pub(crate) fn ready(&self) {
        self.send("READY=1");
    }

    /// It ends in good order.
    pub(crate) fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=hands over and ends");
    }

    fn send(&self, text: &str) {
        if let Some((socket, to)) = &self.0 {
            // A manager that takes nothing must not stop a node.
            let _ = socket.send_to_addr(text.as_bytes(), to);
        }
    }
}

fn connect(path: &str) -> io::Result<(UnixDatagram, SocketAddr)> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address(path)?))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn address(path: &str) -> io::Result<SocketAddr> {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt as _;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt as _;

    match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(path),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn address(path: &str) -> io::Result<SocketAddr> {
    SocketAddr::from_pathname(path)
}
