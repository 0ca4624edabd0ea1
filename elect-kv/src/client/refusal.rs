//! What clients are told whose request this node does not serve.

use elect_core::NotInOffice;
use redis_protocol::redis_keyslot;

use super::address::shown;
use super::reply::Reply;
use crate::node::fitness::STANDSTILL_DETECTIONS;
use crate::node::input::WriteFailed;
use crate::node::shared::Shared;

/// To a client whose command only the primary can serve.
pub(super) fn not_primary(shared: &Shared, key: Option<&[u8]>, reason: Option<NotInOffice>) -> Reply {
    let own = shared.settings.node();
    Reply::error(match (shared.leader(), reason) {
        (Some(leader), _) if leader.id != own && !leader.address.is_empty() => {
            format!("MOVED {} {}", key.map_or(0, redis_keyslot), shown(&leader.address))
        }
        (_, Some(reason @ NotInOffice::Draining(_))) => format!("TRYAGAIN {reason}"),
        (_, Some(NotInOffice::LeaseOver(epoch))) if shared.handle.is_leader() => {
            format!("TRYAGAIN {own} is raising its epoch above {epoch}")
        }
        (Some(leader), _) if leader.id == own => {
            format!("NOLEADER {own} won epoch {} and catches up before it serves", leader.epoch)
        }
        (Some(leader), _) => {
            format!("NOLEADER {} leads, but its client address is not known yet", leader.id)
        }
        (None, _) => match shared.handle.explain() {
            Ok(explanation) => format!("NOLEADER {}", one_line(&explanation.to_string())),
            Err(gone) => format!("NOLEADER {gone}"),
        },
    })
}

/// To a client whose write has no result.
pub(super) fn write_failed(shared: &Shared, key: &[u8], failed: WriteFailed) -> Reply {
    Reply::error(match failed {
        WriteFailed::NotAdmitted(reason) => return not_primary(shared, Some(key), reason),
        WriteFailed::Unknown(epoch) => format!(
            "UNKNOWN the outcome of this write is unknown: this node lost office in epoch {epoch} before a quorum confirmed \
             it, so it may or may not take effect; read it back from the new primary"
        ),
        WriteFailed::Stands => format!(
            "UNKNOWN the outcome of this write is unknown: no quorum confirmed it within {STANDSTILL_DETECTIONS} detection \
             times, so it may or may not take effect; read it back once writes go on"
        ),
        WriteFailed::NoQuorum => format!(
            "NOREPLICAS no quorum has confirmed a write for {} ms: this one was not taken and never takes effect. {}",
            shared.writes.stands_for().unwrap_or_default().as_millis(),
            shared.followers_text()
        ),
    })
}

/// An error line of the protocol ends at the first line break.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
