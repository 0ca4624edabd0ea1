use std::sync::Arc;

use super::*;
use crate::closers::Closers;
use crate::refusals::Refusals;
use crate::testing::{frame, greeting, id, introduction};
use crate::threads::Threads;
use crate::transport::Close;

/// What a thread that reads needs, where group 1 alone runs and knows everybody.
fn connections() -> (InboundConnections, crossbeam_channel::Receiver<Input>) {
    let (inbox_in, inbox) = crossbeam_channel::unbounded();
    let connections = InboundConnections {
        introduction: introduction("a"),
        handshake_timeout: std::time::Duration::from_secs(20),
        inbox: inbox_in,
        judge: Box::new(|claim, _| (claim.group == 1).then_some(Judgement::Known)),
        learn: Box::new(|_, _, _| ()),
        wake_dialer: HashMap::new(),
        refusals: Refusals::new(std::iter::empty()),
        closers: Closers::default(),
        threads: Threads::default(),
        counters: Arc::default(),
        slots: super::super::Slots::new(true).into(),
        many: None,
    };
    (connections, inbox)
}

struct NoStream;

impl Close for NoStream {
    fn close(&self) {}
}

/// Each number that a peer made up was kept as long as its stream stood.
#[test]
fn made_up_groups_leave_nothing_behind() {
    let (connections, inbox) = connections();
    let greeting = greeting("b", "a");
    let guest = super::super::guest(&greeting, &Address::default(), &(Arc::new(NoStream) as _), 1);
    let mut heard = Heard { groups: HashMap::new(), restarts: 0, change: None };
    let mut take = |group| {
        let mut frame =
            frame(1, elect_core::Body::Release { epoch: elect_core::Epoch::new(1), target: id("a") });
        frame.header.group = group;
        let sample = Sample { frame, is_proven: true };
        connections.on_group_frame(sample, &mut heard, &guest, &greeting, &Address::default()).is_ok()
    };
    assert!((0..10_000).all(&mut take) && take(1));
    assert_eq!(heard.groups.keys().copied().collect::<Vec<_>>(), [1]);
    let heard_in = |input| match input {
        Input::Of { group, input } if matches!(*input, Input::Heard { .. }) => Some(group),
        _ => None,
    };
    assert_eq!(inbox.try_iter().filter_map(heard_in).collect::<Vec<_>>(), [1]);
}
