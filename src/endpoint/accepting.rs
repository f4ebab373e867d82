//! From a Hello to a session (specification, section 6.11).
#![forbid(unsafe_code)]

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::admission::Turned;
use super::route::{KnownPaths, Route};
use super::slab::Handle;
use super::{Address, Endpoint, Hosted};
use crate::config::ServerConfig;
use crate::crypto::hash::HASH_LEN;
use crate::disposition::{Discarded, Disposition};
use crate::ecn::EcnCodepoint;
use crate::link::handshake::{Packet, Screened, Unserved};
use crate::packet::validator::{MAX_HANDSHAKE_PACKET, Receiver};
use crate::role::Role;
use crate::seed::Seed;
use crate::session::Session;
use crate::wire::{HEADER_LEN, Header, PacketKind};

impl<A: Address> Endpoint<A> {
    /// A datagram that is for no session: it may be a Hello.
    pub(super) fn handle_hello(&mut self, from: Route<A>, ecn: EcnCodepoint, datagram: &mut [u8]) -> Disposition {
        let greeted = hello_in(datagram).and_then(|packet| self.greet(from, &packet));
        match greeted {
            Ok(Greeted::Again(handle)) => self.deliver(handle, from, ecn, datagram),
            Ok(Greeted::New(server, hash)) => {
                let Some(handle) = self.accept(from, &server, hash) else {
                    return Disposition::Discarded(Discarded::Busy);
                };
                let disposition = self.deliver(handle, from, ecn, datagram);
                if disposition != Disposition::Handled {
                    // A weak key share, say: nothing has come of it.
                    self.remove(handle);
                }
                disposition
            }
            Err(why) => Disposition::Discarded(why),
        }
    }

    /// Finds out what a Hello is about. What answers one that begins nothing waits to be sent then.
    fn greet(&mut self, from: Route<A>, packet: &Packet<'_>) -> Result<Greeted, Discarded> {
        let hash = Screened::hash_of(packet);
        let known = self.routes.by_hello(&hash).and_then(|place| self.sessions.handle_at(place));
        if let Some(handle) = known {
            // R-6.10-4. Of two Hellos whose hashes begin alike, which takes some making, the second is nobody's.
            let is_same = self.sessions.get(handle).is_some_and(|hosted| hosted.hello == Some(hash));
            self.stats.hellos = self.stats.hellos.saturating_add(1);
            self.stats.hellos_repeated = self.stats.hellos_repeated.saturating_add(1);
            return if is_same { Ok(Greeted::Again(handle)) } else { Err(Discarded::UnexpectedPacket) };
        }
        let hello = Screened::new(packet, hash).map_err(|_| Discarded::Malformed)?;
        self.stats.hellos = self.stats.hellos.saturating_add(1);
        let server = self.server_for(from, &hello)?;
        self.decide(&server, from, &hello)?;
        Ok(Greeted::New(server, hash))
    }

    /// Who is to answer. A Hello for what is not served gets its Refuse, and is forgotten (R-6.10-7, R-6.11-4).
    fn server_for(&mut self, from: Route<A>, hello: &Screened<'_>) -> Result<Arc<ServerConfig>, Discarded> {
        match hello.server(&self.config.servers, self.config.carrier()) {
            Ok(server) => Ok(Arc::clone(server)),
            Err(Unserved { what, answer }) => {
                self.stats.unserved = self.stats.unserved.saturating_add(1);
                self.answer(from, answer);
                Err(Discarded::Refused(what))
            }
        }
    }

    fn decide(&mut self, server: &ServerConfig, from: Route<A>, hello: &Screened<'_>) -> Result<(), Discarded> {
        let has_room = self.has_room(&server.shared.limits) && !self.is_shutting_down;
        let Self { gate, config, generator, stats, now, .. } = self;
        let decided = gate.decide(*now, config, server, hello, from.remote, has_room, generator, stats);
        decided.map_err(|Turned { answer, why }| {
            self.answer(from, answer);
            why
        })
    }

    /// Has a packet sent, if there is one, that nothing is kept for. It is smaller than the Hello that it answers (R-6.11-4).
    fn answer(&mut self, to: Route<A>, packet: Option<Vec<u8>>) {
        if let Some(packet) = packet
            && !self.answers.push(to, packet)
        {
            self.stats.answers_dropped = self.stats.answers_dropped.saturating_add(1);
        }
    }

    /// Begins a session for a Hello that the gate has let in. The Hello itself is still to be delivered.
    fn accept(&mut self, from: Route<A>, server: &Arc<ServerConfig>, hash: [u8; HASH_LEN]) -> Option<Handle> {
        let begun = self.draw_id().and_then(|id| {
            let (carrier, seed) = (self.config.carrier(), Seed::draw(&mut self.generator));
            let session = Session::respond(self.now, Arc::clone(server), carrier, seed, Some(id));
            self.begin(Hosted {
                paths: KnownPaths::new(from),
                connection_id: Some(id),
                hello: Some(hash),
                is_half_open: true,
                begun_at: Some(from.remote),
                is_announced: false,
                ..Hosted::own(session)
            })
        });
        match begun {
            Some(_) => self.stats.accepted = self.stats.accepted.saturating_add(1),
            None => self.gate.leave(Some(from.remote)),
        }
        begun
    }
}

/// What a Hello is.
enum Greeted {
    /// One that has come before.
    Again(Handle),
    /// One for this server, which may begin a handshake.
    New(Arc<ServerConfig>, [u8; HASH_LEN]),
}

/// The packet at the front of a datagram, if it can be a Hello by its header. What comes behind it is nobody's.
fn hello_in(datagram: &mut [u8]) -> Result<Packet<'_>, Discarded> {
    let raw = datagram.first_chunk::<HEADER_LEN>().ok_or(Discarded::PacketLength)?;
    let anybody = Receiver { role: Role::Responder, connection_id: 0, max_packet: MAX_HANDSHAKE_PACKET };
    let header: Header = anybody.validate_datagram(raw)?;
    if header.kind != PacketKind::Hello {
        return Err(Discarded::UnexpectedPacket);
    }
    let bytes = datagram.get_mut(..header.packet_len()).ok_or(Discarded::PacketLength)?;
    Ok(Packet { header, bytes })
}
