//! Where a vote file lies: what tells the file that a node has always written from a copy of it.
//!
//! The file system numbers its files and knows when each was made. Both are written into the vote file, with the boot
//! of the machine at which they were last seen. A copy (a backup that is put back, a directory that is moved to another
//! disk) has another number or another birth. Not every file system keeps its numbers over a reboot, so a difference is
//! held against a file only where they have been *seen* to outlast two in a row: once it may be chance, where numbers are
//! given in the order of look-up. The device's number is left out: it changes at
//! reboots.

use std::fs::File;
use std::io;

/// The bytes of a home in each copy of a vote file.
pub(super) const HOME_BYTES: usize = 48;

/// A boot of this machine.
pub(super) type Boot = [u8; 16];

/// What a file system says of a file: its number, and when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) inode: u64,
    /// Nanoseconds since 1970.
    pub(super) born: u128,
}

/// Where a vote file was last opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) place: Place,
    /// The boot at which it was last seen there.
    pub(super) boot: Boot,
    /// How many reboots in a row it was seen to outlast there, up to [`PROOF`]: then this file system keeps its numbers.
    pub(super) outlasted: u8,
}

/// So many reboots in a row are no chance.
pub(super) const PROOF: u8 = 2;

/// What an opened file is, next to what is written in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// The file that it says it is, or nothing that could be told.
    AtHome,
    /// Another file, but this file system has not been seen to keep its numbers.
    PerhapsMoved,
    /// A copy.
    Moved,
}

/// The machine under the file, as far as files differ by it. Tests put a machine that reboots in its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    pub(super) boot: Option<Boot>,
    pub(super) place: fn(&File) -> Option<Place>,
}

impl Machine {
    /// The machine on which this runs.
    pub(super) fn this() -> Self {
        Self { boot: boot(), place }
    }

    /// Where `file` lies now, to be written into a new one. `None` where that cannot be told.
    pub(super) fn home(&self, file: &File) -> Option<Home> {
        Some(Home { place: (self.place)(file)?, boot: self.boot?, outlasted: 0 })
    }
}

impl Home {
    /// Compares where a file was with where it is, and says what to write into it.
    pub(super) fn judge(was: Option<Self>, is: Option<Self>) -> (Judgement, Option<Self>) {
        let (Some(was), Some(is)) = (was, is) else { return (Judgement::AtHome, is.or(was)) };
        if was.place != is.place {
            let judgement = if was.outlasted >= PROOF { Judgement::Moved } else { Judgement::PerhapsMoved };
            return (judgement, Some(is));
        }
        let outlasted = PROOF.min(was.outlasted.saturating_add(u8::from(was.boot != is.boot)));
        (Judgement::AtHome, Some(Self { outlasted, ..is }))
    }

    /// A home, or the absence of one, as bytes: known, reboots outlasted, 6 of nothing, inode, birth, boot.
    pub(super) fn encode(home: Option<Self>) -> [u8; HOME_BYTES] {
        let mut bytes = [0; HOME_BYTES];
        if let Some(Self { place, boot, outlasted }) = home {
            bytes[0] = 1;
            bytes[1] = outlasted;
            bytes[8..16].copy_from_slice(&place.inode.to_le_bytes());
            bytes[16..32].copy_from_slice(&place.born.to_le_bytes());
            bytes[32..].copy_from_slice(&boot);
        }
        bytes
    }

    /// What [`encode`](Self::encode) has written. The checksum of the copy has been compared already.
    pub(super) fn decode(bytes: &[u8; HOME_BYTES]) -> Option<Self> {
        let number = |from: usize, to: usize| {
            bytes[from..to].iter().rev().fold(0_u128, |number, &byte| number << 8 | u128::from(byte))
        };
        let mut boot = Boot::default();
        boot.copy_from_slice(&bytes[32..]);
        (bytes[0] == 1).then(|| Self {
            place: Place { inode: u64::try_from(number(8, 16)).unwrap_or_default(), born: number(16, 32) },
            boot,
            outlasted: bytes[1],
        })
    }
}

/// `None` where files have no number, or the file system does not know when they were made.
#[cfg(unix)]
fn place(file: &File) -> Option<Place> {
    use std::os::unix::fs::MetadataExt;
    use std::time::UNIX_EPOCH;

    let metadata = file.metadata().ok()?;
    let born = metadata.created().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Place { inode: metadata.ino(), born: born.as_nanos() })
}

#[cfg(not(unix))]
fn place(_: &File) -> Option<Place> {
    None
}

/// The random name that Linux gives each boot.
fn boot() -> Option<Boot> {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return None;
    }
    parse_boot(&std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?)
}

fn parse_boot(text: &str) -> Option<Boot> {
    let digits: String = text.trim().chars().filter(|c| *c != '-').collect();
    let number = (digits.len() == 32).then(|| u128::from_str_radix(&digits, 16).ok())?;
    number.map(u128::to_be_bytes)
}

/// Which file a name and an open file stand for, within one boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    #[cfg(unix)]
    numbers: (u64, u64),
}

impl Identity {
    #[cfg(unix)]
    pub(super) fn of(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;

        Self { numbers: (metadata.dev(), metadata.ino()) }
    }

    /// Elsewhere a file that is open cannot be replaced: all that is compared is that there is one.
    #[cfg(not(unix))]
    pub(super) fn of(_: &std::fs::Metadata) -> Self {
        Self {}
    }

    /// Whether `path` names this very file.
    pub(super) fn is_named(self, path: &std::path::Path) -> io::Result<bool> {
        match std::fs::metadata(path) {
            Ok(named) => Ok(Self::of(&named) == self),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { inode: 77, born: 1_700_000_000_123_456_789 };

    fn home(place: Place, boot: u8, outlasted: u8) -> Home {
        Home { place, boot: [boot; 16], outlasted }
    }

    #[test]
    fn a_home_comes_back_from_its_bytes() {
        for home in [None, Some(home(PLACE, 3, 0)), Some(home(PLACE, 255, 2))] {
            assert_eq!(Home::decode(&Home::encode(home)), home);
        }
        let golden = "0102000000000000\
                      4d00000000000000\
                      15cd853dfe9c97170000000000000000\
                      09090909090909090909090909090909";
        let bytes: Vec<_> =
            Home::encode(Some(home(PLACE, 9, 2))).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(bytes.concat(), golden);
    }

    #[test]
    fn only_where_a_place_outlasted_two_reboots_is_another_one_held_against_a_file() {
        use Judgement::{AtHome, Moved, PerhapsMoved};

        let elsewhere = [Place { inode: 78, ..PLACE }, Place { born: PLACE.born + 1, ..PLACE }];
        for other in elsewhere {
            for boot in [1, 2] {
                let is = Some(home(other, boot, 0));
                for by_chance in [0, 1] {
                    assert_eq!(Home::judge(Some(home(PLACE, 1, by_chance)), is), (PerhapsMoved, is));
                }
                assert_eq!(Home::judge(Some(home(PLACE, 1, 2)), is), (Moved, is));
            }
        }
        let same = |was, boot| Home::judge(Some(was), Some(home(PLACE, boot, 0)));
        assert_eq!(same(home(PLACE, 1, 0), 1), (AtHome, Some(home(PLACE, 1, 0))));
        assert_eq!(same(home(PLACE, 1, 0), 2), (AtHome, Some(home(PLACE, 2, 1))), "it outlasted a reboot");
        assert_eq!(same(home(PLACE, 2, 1), 2), (AtHome, Some(home(PLACE, 2, 1))), "and that stays known");
        assert_eq!(same(home(PLACE, 2, 1), 3), (AtHome, Some(home(PLACE, 3, 2))), "and another one");
        assert_eq!(same(home(PLACE, 3, 2), 4), (AtHome, Some(home(PLACE, 4, 2))), "more are not counted");
        let known = Some(home(PLACE, 1, 2));
        assert_eq!(Home::judge(None, known), (AtHome, known));
        assert_eq!(Home::judge(known, None), (AtHome, known), "what cannot be told now is not forgotten");
        assert_eq!(Home::judge(None, None), (AtHome, None));
    }

    #[test]
    fn boots_have_names() {
        let boot = parse_boot("00112233-4455-6677-8899-aabbccddeeff\n").unwrap();
        assert_eq!((boot[0], boot[1], boot[15]), (0x00, 0x11, 0xff));
        assert_eq!(parse_boot(""), None);
        assert_eq!(parse_boot("00112233-4455-6677-8899-aabbccddee"), None);
        if cfg!(target_os = "linux") {
            assert!(Machine::this().boot.is_some());
        }
    }
}
