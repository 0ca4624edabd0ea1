use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use std::thread;

use elect_core::{Epoch, Ignored, NodeId, Notice, StepDown, SteppedDown};

use super::*;
use crate::announcer::{Announcer, stream};
use crate::event::{Ended, NodeNotice};
use crate::observed::{DutySummary, Observed};

const BOUND: Duration = Duration::from_secs(20);

fn ignored() -> Observed {
    let notice = Notice::Ignored { from: NodeId::new("b").unwrap(), reason: Ignored::Stranger };
    Observed::Happened(NodeNotice::Elector(notice))
}

fn resumed() -> Observed {
    Observed::Happened(NodeNotice::Elector(Notice::Resumed))
}

fn lost(epoch: u64) -> Observed {
    Observed::Lost(SteppedDown { epoch: Epoch::new(epoch), reason: StepDown::LeaseOver })
}

fn elected(epoch: u64) -> Observed {
    Observed::Duty(DutySummary::Elected { epoch: Epoch::new(epoch), catch_up_from: None })
}

fn raised(to: u64, in_office: bool) -> Observed {
    Observed::Duty(DutySummary::EpochRaised { from: Epoch::new(to - 1), to: Epoch::new(to), in_office })
}

/// In a word each.
fn words(events: impl IntoIterator<Item = Observed>) -> Vec<String> {
    let word = |event| match event {
        Observed::Lost(loss) => format!("lost {}", loss.epoch),
        Observed::Duty(DutySummary::Elected { epoch, .. }) => format!("elected {epoch}"),
        Observed::Duty(DutySummary::EpochRaised { to, in_office, .. }) => {
            format!("raised {to}{}", if in_office { " in office" } else { "" })
        }
        Observed::Duty(DutySummary::Rebuilt) => "rebuilt".into(),
        Observed::Duty(_) => "duty".into(),
        Observed::Ended(_) => "ended".into(),
        Observed::Happened(NodeNotice::Missed { count }) => format!("missed {count}"),
        Observed::Happened(NodeNotice::Elector(Notice::Resumed)) => "resumed".into(),
        Observed::Happened(_) => "diagnostic".into(),
    };
    events.into_iter().map(word).collect()
}

fn thinned(events: impl IntoIterator<Item = Observed>) -> Vec<String> {
    let mut events = events.into_iter().collect();
    thin_out(&mut events);
    words(events)
}

#[test]
fn a_reader_that_is_behind_loses_diagnostics_before_anything_else_and_no_step_down() {
    let (sender, stream) = events();
    sender.send(lost(1));
    for _ in 1..EVENTS_MAX {
        sender.send(ignored());
    }
    sender.send(resumed());
    sender.send(lost(2));
    assert_eq!(words(stream.try_iter()), ["missed 4095", "lost 1", "resumed", "lost 2"]);
    for _ in 0..EVENTS_MAX {
        sender.send(ignored());
    }
    assert_eq!(stream.try_iter().count(), EVENTS_MAX, "up to there nothing is left out");
}

#[test]
fn what_is_left_is_what_is_still_true() {
    let began = || {
        Observed::Duty(DutySummary::HandoverBegan {
            target: NodeId::new("b").unwrap(),
            deadline: elect_core::Time::ZERO,
            cause: elect_core::HandoverCause::Requested,
        })
    };
    let table: [(Vec<Observed>, &[&str]); 9] = [
        (vec![elected(1), lost(1), elected(2)], &["missed 1", "lost 1", "elected 2"]),
        (vec![lost(1), elected(2), lost(2)], &["missed 2", "lost 2"]),
        (
            vec![elected(1), raised(2, true), raised(3, true)],
            &["missed 1", "elected 1", "raised 3 in office"],
        ),
        (vec![elected(1), raised(2, false)], &["missed 1", "raised 2"]),
        (vec![raised(2, true), elected(3)], &["missed 1", "elected 3"]),
        (vec![began(), lost(1), elected(2)], &["missed 1", "lost 1", "elected 2"]),
        (vec![lost(1), began(), began()], &["missed 1", "lost 1", "duty"]),
        (
            vec![Observed::Duty(DutySummary::Rebuilt), Observed::Duty(DutySummary::Rebuilt)],
            &["missed 1", "rebuilt"],
        ),
        (vec![Observed::missed(7), ignored(), Observed::Ended(Ended::Shutdown)], &["missed 8", "ended"]),
    ];
    for (events, left) in table {
        assert_eq!(thinned(events), left);
    }
    let many = thinned((0..EVENTS_MAX).map(|_| resumed()));
    assert_eq!((many.len(), &*many[0]), (1 + NOTICES_KEPT, &*format!("missed {NOTICES_KEPT}")));
}

/// However long a host does not read, and whatever happens meanwhile.
#[test]
fn memory_is_bounded() {
    let (sender, stream) = events();
    for epoch in 2..50_000 {
        for event in [elected(epoch), raised(epoch + 1, true), ignored(), resumed(), lost(epoch + 1)] {
            sender.send(event);
        }
    }
    assert!(stream.queue.lock().events.len() <= EVENTS_MAX);
    let words = words(stream.try_iter());
    assert_eq!(words.last().unwrap(), "lost 50000");
    let missed: u64 = words[0].strip_prefix("missed ").unwrap().parse().unwrap();
    assert_eq!(missed + words.len() as u64 - 1, 5 * 49_998, "each is read or counted");
}

#[test]
fn a_blocked_reader_is_woken_by_an_event_and_by_the_end() {
    let (sender, stream) = events();
    let (read, seen) = crossbeam_channel::unbounded();
    thread::spawn(move || {
        while let Some(event) = stream.recv() {
            read.send(Some(event)).unwrap();
        }
        read.send(None).unwrap();
    });
    let wait_for_sleeper = || {
        while sender.queue.lock().sleepers == 0 {
            thread::yield_now();
        }
    };
    wait_for_sleeper();
    sender.send(lost(1));
    assert_eq!(words(seen.recv_timeout(BOUND).unwrap()), ["lost 1"]);
    wait_for_sleeper();
    drop(sender);
    assert!(seen.recv_timeout(BOUND).unwrap().is_none());
}

#[test]
fn a_deadline_ends_a_wait() {
    let (sender, stream) = events::<Observed>();
    assert_eq!(stream.try_recv().unwrap_err(), NoEvent::NotYet);
    assert_eq!(stream.recv_deadline(Instant::now()).unwrap_err(), NoEvent::NotYet);
    assert_eq!(stream.recv_timeout(Duration::from_millis(1)).unwrap_err(), NoEvent::NotYet);
    drop(sender);
    assert_eq!(stream.recv_timeout(BOUND).unwrap_err(), NoEvent::Ended);
    assert_eq!(stream.recv_timeout(Duration::MAX).unwrap_err(), NoEvent::Ended);
}

struct Counting(AtomicUsize);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn any_waker_is_woken_once_for_what_it_waits_for() {
    let (sender, stream) = events();
    let counting = Arc::new(Counting(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&counting));
    let context = &mut Context::from_waker(&waker);
    let woken = || counting.0.load(Ordering::SeqCst);
    assert!(stream.poll_recv(context).is_pending());
    assert!(stream.poll_recv(context).is_pending());
    sender.send(lost(1));
    sender.send(lost(2));
    assert_eq!(woken(), 1, "nobody waited for the second");
    assert!(matches!(stream.poll_recv(context), Poll::Ready(Some(Observed::Lost(_)))));
    assert!(matches!(stream.poll_recv(context), Poll::Ready(Some(Observed::Lost(_)))));
    assert!(stream.poll_recv(context).is_pending());
    drop(sender);
    assert_eq!(woken(), 2);
    assert!(matches!(stream.poll_recv(context), Poll::Ready(None)));
}

struct Clumsy;

impl Wake for Clumsy {
    fn wake(self: Arc<Self>) {
        panic!("the host's bug");
    }
}

#[test]
fn a_waker_that_panics_stalls_nobody() {
    let (sender, stream) = events();
    let waker = Waker::from(Arc::new(Clumsy));
    assert!(stream.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    assert!(sender.send(lost(1)));
    assert_eq!(words(stream.try_iter()), ["lost 1"]);
}

#[test]
fn each_subscriber_hears_everything_and_one_that_is_gone_is_forgotten() {
    let (mut announcer, host): (Announcer, _) = stream(NodeId::new("a").unwrap(), Arc::default());
    let (first, second) = (announcer.subscribe(), announcer.subscribe());
    let tell = |announcer: &mut Announcer, epoch| {
        let loss = SteppedDown { epoch: Epoch::new(epoch), reason: StepDown::Resigned };
        announcer.tell(HostEvent::Lost(loss));
    };
    tell(&mut announcer, 1);
    drop(first);
    tell(&mut announcer, 2);
    assert_eq!(format!("{announcer:?}").matches("EventSender").count(), 2, "the host and one more");
    drop(announcer);
    assert_eq!(words(second), ["lost 1", "lost 2"]);
    assert_eq!(host.count(), 2);
}
