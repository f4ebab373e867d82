//! The same two agents over UDP, with a bad network in between.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::time::Duration;

use aitcp::{EndpointConfig, PathStats};
use aitcp_std::{Connection, Endpoint};
use serde::Serialize;

use super::agents::{Agents, together};
use super::bad_network::{BadNetwork, Counts};
use super::moving::move_file;
use super::step::Step;
use super::{broken, local};
use crate::exit::Failure;
use crate::output::Output;

/// The size of the file that is moved.
pub(crate) const MEBIBYTES: u64 = 8;
/// The demonstration hangs no longer than this, whatever goes wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the sender's session knows of the way to the receiver.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PathReport {
    pub(crate) packets_sent: u64,
    /// Declared lost, and sent again.
    pub(crate) packets_lost: u64,
    pub(crate) rtt_milliseconds: f64,
    pub(crate) mtu: u16,
}

/// Alice sends Bob a file through the bad network; it has to arrive as it was.
pub(crate) fn endure(agents: &Agents, output: Output) -> Result<Step, Failure> {
    let bind = |config| Endpoint::bind((Ipv4Addr::LOCALHOST, 0), config).map_err(local);
    let bob_at = bind(EndpointConfig::new().with_server(agents.server()))?;
    let alice_at = bind(EndpointConfig::new())?;
    let network = BadNetwork::start(bob_at.local_addr().map_err(local)?).map_err(local)?;
    let (alice, bob) = together(
        || alice_at.connect(network.address(), agents.client(), agents.expect_bob(), &mut ()),
        || bob_at.accept().ok_or(ErrorKind::NotConnected)?.accept(&mut ()),
    )
    .map_err(broken)?;
    for connection in [&alice, &bob] {
        connection.set_timeout(Some(PATIENCE));
    }
    let knew_each_other = alice.handshake().peer == agents.bob && bob.handshake().peer == agents.alice;
    let file = move_file(MEBIBYTES, &alice, &bob, output)?;
    let path = report(&alice);
    // A close that is lost is no failure: there is nobody to send it again once both have gone.
    let _ = together(|| alice.shutdown(), || bob.shutdown());
    let network = network.end().map_err(local)?;
    let Counts { datagrams: _, lost, doubled, reordered, corrupted } = network;
    let was_bad = [lost, doubled, reordered, corrupted].iter().all(|count| *count > 0);
    let has_noticed = path.as_ref().is_some_and(|path| path.packets_lost > 0);
    Ok(Step::Datagrams {
        ok: knew_each_other && file.is_whole(MEBIBYTES) && was_bad && has_noticed,
        file,
        network,
        path,
    })
}

fn report(connection: &Connection) -> Option<PathReport> {
    let stats = connection.inspect(aitcp::Session::stats);
    let PathStats { packets_lost, smoothed_rtt, mtu, .. } = stats.path?;
    let rtt_milliseconds = smoothed_rtt.as_secs_f64() * 1e3;
    Some(PathReport { packets_sent: stats.packets_sent, packets_lost, rtt_milliseconds, mtu })
}
