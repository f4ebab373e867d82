//! Sessions that are shown packets by hand, one at a time, at a time that stands still.
//!
//! Equal setups make sessions that draw the same randomness. So whatever one handshake sent is genuine in the next, up to the one thing
//! that a test changes.
#![allow(dead_code, reason = "each test uses a part of it")]

use aitcp::{CloseReason, Direction, Ending, Event, Instant, Role, Verdict};
use aitcp_testkit::forge::{Kind, split_packets};
use aitcp_testkit::{End, Recorded, Setup};

const NOW: Instant = Instant::ORIGIN;

/// One end of a session, and its owner.
pub(crate) struct Fed {
    pub(crate) end: End,
    /// Whether its owner accepts whoever is asked about, and signs whatever is to be signed, at once.
    pub(crate) is_obliging: bool,
}

impl Fed {
    pub(crate) fn new(setup: &Setup, role: Role) -> Self {
        Self { end: End::new(setup, role, NOW), is_obliging: true }
    }

    /// Shows it bytes behind those that it has not taken yet.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.end.feed(NOW, bytes);
        self.hear();
    }

    /// The packets that it has to send.
    pub(crate) fn sends(&mut self) -> Vec<Vec<u8>> {
        let bytes = self.end.transmit(NOW);
        self.hear();
        split_packets(&bytes)
    }

    /// Opens a stream and sends a message on it.
    pub(crate) fn say(&mut self, text: &[u8]) {
        let stream = self.end.session.open(Direction::Bidirectional).expect("an established session with credit");
        assert_eq!(self.end.session.send(stream, text, Ending::End), Ok(text.len()));
    }

    /// Whether it ever told its owner that the session is established.
    pub(crate) fn was_established(&self) -> bool {
        self.end.events.contains(&Event::Established)
    }

    pub(crate) fn was_confirmed(&self) -> bool {
        self.end.events.contains(&Event::Confirmed)
    }

    pub(crate) fn closed(&self) -> Option<CloseReason> {
        self.end.session.close_reason()
    }

    /// Ends the carrier and checks that everything is over, told once and last.
    pub(crate) fn finish(&mut self) -> CloseReason {
        self.end.session.handle_link_lost(NOW);
        self.hear();
        assert!(self.sends().is_empty() && self.end.session.is_drained() && self.end.session.poll_timeout().is_none());
        let reason = self.closed().expect("an ended carrier ends the session");
        let told = self.end.events.iter().filter(|event| matches!(event, Event::Closed(_))).count();
        assert_eq!((self.end.events.last(), told), (Some(&Event::Closed(reason)), 1));
        reason
    }

    fn hear(&mut self) {
        let heard = self.end.poll_events().to_vec();
        for event in heard.iter().filter(|_| self.is_obliging) {
            match event {
                Event::PeerIdentified(_) => self.end.session.decide(NOW, Verdict::Accept),
                Event::SignatureWanted => assert_eq!(self.end.sign(NOW), Ok(())),
                _ => continue,
            }
            return self.hear();
        }
    }
}

/// The packets of a session that came about, in the order in which they were sent: the handshake, and a Data packet each way.
pub(crate) struct Script(pub(crate) Vec<Recorded>);

impl Script {
    pub(crate) fn record(setup: &Setup) -> Self {
        let mut script = Self(Vec::new());
        let (mut i, mut r) = (Fed::new(setup, Role::Initiator), Fed::new(setup, Role::Responder));
        while script.carry(&mut i, &mut r, Role::Initiator) + script.carry(&mut r, &mut i, Role::Responder) > 0 {}
        assert!(i.was_established() && i.was_confirmed() && r.was_established(), "the handshake of {setup:?}");
        i.say(b"from the initiator");
        assert_eq!(script.carry(&mut i, &mut r, Role::Initiator), 1);
        script
    }

    fn carry(&mut self, sender: &mut Fed, receiver: &mut Fed, from: Role) -> usize {
        let packets = sender.sends();
        packets.iter().for_each(|packet| receiver.feed(packet));
        let count = packets.len();
        self.0.extend(packets.into_iter().map(|bytes| Recorded { from, bytes }));
        count
    }

    /// The packets of the handshake, with their places in the script.
    pub(crate) fn handshake(&self) -> impl Iterator<Item = (usize, &Recorded)> {
        self.0.iter().enumerate().filter(|(_, packet)| packet.kind() != Kind::Data)
    }

    /// The packet of this kind.
    pub(crate) fn packet(&self, kind: u8) -> &Recorded {
        self.0.iter().find(|packet| packet.kind() == kind).expect("a packet of that kind was sent")
    }

    /// A fresh session in the role of the receiver of packet `at`, which has been shown all that comes before it.
    pub(crate) fn receiver_of(&self, setup: &Setup, at: usize) -> Fed {
        let sender = self.0[at].from;
        let mut receiver = Fed::new(setup, sender.peer());
        receiver.sends();
        for packet in self.0[..at].iter().filter(|packet| packet.from == sender) {
            receiver.feed(&packet.bytes);
            receiver.sends();
        }
        assert_eq!(receiver.closed(), None, "all of that is genuine");
        receiver
    }

    /// What the sender of packet `at` sent after it.
    pub(crate) fn later_of_sender(&self, at: usize) -> impl Iterator<Item = &Recorded> {
        let sender = self.0[at].from;
        self.0[at + 1..].iter().filter(move |packet| packet.from == sender)
    }

    /// Shows `altered` in the place of packet `at` and then all that its sender sent after it, and ends the carrier.
    ///
    /// Whatever it is, it must not help to establish a session: the end that saw it never does, what is sealed is answered with silence
    /// and leaves streams as they were (R-5.3-4, R-6.2-4, R-6.3-6), and an initiator reveals nothing (R-6.2-2). Returns why the receiver
    /// ended; `what` names the case for messages.
    pub(crate) fn refuses(&self, setup: &Setup, at: usize, altered: &[u8], what: &str) -> CloseReason {
        let mut receiver = self.receiver_of(setup, at);
        let before = receiver.end.streams_digest();
        receiver.feed(altered);
        let answer = receiver.sends();
        if self.0[at].kind() == Kind::Hello {
            // The responder may answer, with the very keys and randoms of its answer to the genuine Hello.
            let mut i = Fed::new(setup, Role::Initiator);
            assert_eq!(i.sends().len(), 1);
            answer.iter().for_each(|packet| i.feed(packet));
            assert!(i.sends().is_empty(), "{what}: the initiator reveals nothing");
            let reason = i.finish();
            assert!(!i.was_established(), "{what}: the initiator established, then {reason}");
        } else {
            assert!(answer.is_empty(), "{what}: was answered");
        }
        self.later_of_sender(at).for_each(|packet| receiver.feed(&packet.bytes));
        assert!(receiver.sends().is_empty(), "{what}: what follows was answered");
        assert_eq!(receiver.end.streams_digest(), before, "{what}: streams changed");
        let reason = receiver.finish();
        assert!(!receiver.was_established(), "{what}: established, then {reason}");
        reason
    }
}

/// The name of a packet's kind, for messages of failed tests.
pub(crate) fn name(packet: &Recorded) -> &'static str {
    ["", "Hello", "Retry", "Refuse", "Accept", "KemOffer", "ResponderAuth", "KemReply", "InitiatorAuth", "Data"]
        [usize::from(packet.kind())]
}

/// Rewrites the length in a packet's header to what is there.
pub(crate) fn fix_length(packet: &mut [u8]) {
    let length = u16::try_from(packet.len() - aitcp_testkit::forge::HEADER_LEN).expect("a length that fits a header");
    packet[2..4].copy_from_slice(&length.to_le_bytes());
}
