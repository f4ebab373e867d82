//! How well sessions use a path: real sessions over simulated links, NewReno and CUBIC, alone and two at a time.
//!
//! ```sh
//! cargo run --release -p aitcp-testkit --example rates [SECONDS]
//! ```
//!
//! Prints a table and writes the window over time as `target/rates.svg`. All figures are of simulated time, so they are the same on
//! every machine.

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use aitcp::{Carrier, Direction, Ending, Event, Instant, Limits, RateControl, Role, Session, StreamId};
use aitcp_testkit::simulator::{Application, Incoming, Node, NodeId, Outgoing, SessionNode, Simulator};
use aitcp_testkit::{Address, Conditions, Loss, Probability, Setup};
use plotters::prelude::*;

const MTU: u16 = 1_472;
const CONTROLS: [RateControl; 2] = [RateControl::NewReno, RateControl::Cubic];
const PLOT: &str = "target/rates.svg";

/// Has always more to send, or reads all that comes.
#[derive(Debug, Default)]
struct Bulk {
    stream: Option<StreamId>,
    read: u64,
    room: Vec<u8>,
}

impl Application for Bulk {
    fn act(&mut self, _now: Instant, session: &mut Session, event: Option<Event>) {
        self.room.resize(64 << 10, 0);
        if event == Some(Event::Established) && session.role() == Role::Initiator {
            self.stream = session.open(Direction::Unidirectional).ok();
        }
        if let Some(Event::Readable(stream)) = event {
            while let Ok(received) = session.recv(stream, &mut self.room) {
                self.read += received.len as u64;
            }
        }
        if let Some(stream) = self.stream {
            while session.send(stream, &self.room, Ending::More).is_ok_and(|taken| taken == self.room.len()) {}
        }
    }
}

/// The same end of one or more sessions, between the same two hosts: they share the path.
struct Host {
    ends: Vec<SessionNode<Bulk>>,
    /// Each session has an address of its own at the responder.
    by_address: Vec<Address>,
}

impl Host {
    fn of(&mut self, incoming: Incoming) -> Option<&mut SessionNode<Bulk>> {
        let place = self.by_address.iter().position(|one| *one == incoming.to || *one == incoming.from)?;
        self.ends.get_mut(place)
    }
}

impl Node for Host {
    fn handle_datagram(&mut self, now: Instant, incoming: Incoming, bytes: &mut [u8]) {
        if let Some(end) = self.of(incoming) {
            end.handle_datagram(now, incoming, bytes);
        }
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut Vec<u8>) -> Option<Outgoing> {
        self.ends.rotate_left(1);
        self.by_address.rotate_left(1);
        self.ends.iter_mut().find_map(|end| end.poll_transmit(now, buf))
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.ends.iter_mut().for_each(|end| end.handle_timeout(now));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.ends.iter().filter_map(Node::poll_timeout).min()
    }
}

/// A path with one narrow place, and a queue of what the path holds in front of it.
#[derive(Clone, Copy)]
struct Path {
    megabits: u64,
    round_trip: Duration,
    loss: Loss,
}

impl Path {
    fn holds(&self) -> usize {
        let bytes = u128::from(self.megabits) * 125_000 * self.round_trip.as_millis() / 1_000;
        usize::try_from(bytes).unwrap_or(usize::MAX).max(20 * usize::from(MTU))
    }

    fn conditions(&self) -> Conditions {
        Conditions {
            latency: self.round_trip / 2,
            loss: self.loss,
            rate: Some(self.megabits * 1_000_000),
            queue: Some(self.holds()),
            ..Conditions::default()
        }
    }
}

struct Run {
    network: Simulator<Host>,
    sender: NodeId,
    receiver: NodeId,
}

impl Run {
    fn new(path: Path, controls: &[RateControl]) -> Self {
        let mut network = Simulator::new(1);
        let receiver = network.add_node(Host { ends: Vec::new(), by_address: Vec::new() });
        let mut sending = Host { ends: Vec::new(), by_address: Vec::new() };
        for (seed, control) in (1..).zip(controls) {
            let address = if seed == 1 { network.address(receiver) } else { network.add_address(receiver) };
            let setup = setup(seed, path);
            let now = network.now();
            let accepting = SessionNode::responder(setup.session(Role::Responder, now), Bulk::default());
            network.node_mut(receiver).ends.push(accepting);
            network.node_mut(receiver).by_address.push(address);
            let client = setup.client_config().with_rate_control(*control);
            let session = setup.connect_with(client, now);
            sending.ends.push(SessionNode::initiator(session, Bulk::default(), address));
            sending.by_address.push(address);
        }
        let sender = network.add_node(sending);
        network.set_conditions(sender, receiver, path.conditions());
        network.set_conditions(
            receiver,
            sender,
            Conditions { rate: None, queue: None, loss: Loss::None, ..path.conditions() },
        );
        Self { network, sender, receiver }
    }

    /// What has arrived, by session.
    fn delivered(&self) -> Vec<u64> {
        let host = self.network.node(self.receiver);
        let mut all: Vec<_> =
            host.by_address.iter().zip(&host.ends).map(|(at, end)| (*at, end.application.read)).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, read)| read).collect()
    }
}

fn setup(seed: u64, path: Path) -> Setup {
    let mut setup = Setup { seed, carrier: Carrier::Datagram { mtu: MTU }, ..Setup::default() };
    let window = u32::try_from(path.holds() * 4).unwrap_or(u32::MAX).max(1 << 20);
    let mut limits = Limits::default();
    (limits.session_window, limits.stream_window) = (window, window);
    (limits.send_buffer, limits.stream_send_buffer) = (window, window);
    limits.packets_in_flight = u16::MAX;
    limits.max_message = u64::MAX;
    setup.set_limits(limits);
    setup
}

/// What came of one path.
struct Outcome {
    utilisation: f64,
    /// Of the queue, on the average, in per cent of what it holds.
    queue: f64,
    lost: u64,
}

fn measure(path: Path, control: RateControl, seconds: u64, mut window: impl FnMut(f64, u64)) -> Outcome {
    let mut run = Run::new(path, &[control]);
    // The beginning is another matter than how well the path is used: thirty round trips, a second at least.
    let warm_up = (path.round_trip * 30).max(Duration::from_secs(1));
    let step = Duration::from_millis(20);
    let end = warm_up + Duration::from_secs(seconds).max(path.round_trip * 100);
    let (mut before, mut queued, mut samples) = (None, 0.0, 0.0);
    let mut at = Duration::ZERO;
    while at < end {
        run.network.run_for(step);
        at += step;
        let host = run.network.node(run.sender);
        window(at.as_secs_f64(), host.ends[0].session.stats().path.map_or(0, |path| path.window));
        if at >= warm_up {
            before.get_or_insert(run.delivered()[0]);
            let rtt = host.ends[0].session.stats().path.map_or(Duration::ZERO, |path| path.smoothed_rtt);
            queued += rtt.saturating_sub(path.round_trip).as_secs_f64()
                / (path.holds() as f64 * 8.0 / (path.megabits as f64 * 1e6));
            samples += 1.0;
        }
    }
    let bytes = run.delivered()[0] - before.unwrap_or(0);
    let capacity = path.megabits as f64 * 125_000.0 * (end - warm_up).as_secs_f64();
    let lost = run.network.node(run.sender).ends[0].session.stats().path.map_or(0, |path| path.packets_lost);
    Outcome { utilisation: bytes as f64 / capacity, queue: 100.0 * queued / samples, lost }
}

fn table(seconds: u64) -> Result<(), Box<dyn Error>> {
    println!("| Mbit/s | round trip | loss | control | of the path's payload rate | queue used | packets lost |");
    println!("|---|---|---|---|---|---|---|");
    for (megabits, millis) in [(1, 10), (1, 200), (10, 50), (100, 10), (100, 200), (1_000, 10), (1_000, 200)] {
        for loss in [0, 1] {
            let loss_of = if loss == 0 { Loss::None } else { Loss::Random(Probability::percent(loss)) };
            let path = Path { megabits, round_trip: Duration::from_millis(millis), loss: loss_of };
            for control in CONTROLS {
                let Outcome { utilisation, queue, lost } = measure(path, control, seconds, |_, _| {});
                let mut row = String::new();
                write!(
                    row,
                    "| {megabits} | {millis} ms | {loss} % | {control:?} | {:.1} % | {queue:.0} % | {lost} |",
                    utilisation * 100.0
                )?;
                println!("{row}");
                if loss == 0 && utilisation < 0.9 {
                    return Err(format!("below 90 per cent: {row}").into());
                }
            }
        }
    }
    Ok(())
}

/// Two sessions over one path, once both have found their rate.
fn share(seconds: u64) -> Result<(), Box<dyn Error>> {
    let path = Path { megabits: 20, round_trip: Duration::from_millis(40), loss: Loss::None };
    let mut run = Run::new(path, &[RateControl::Cubic, RateControl::Cubic]);
    run.network.run_for(Duration::from_secs(20));
    let before = run.delivered();
    run.network.run_for(Duration::from_secs(12 * seconds));
    let rates: Vec<u64> = run.delivered().iter().zip(before).map(|(after, before)| after - before).collect();
    let sum: u64 = rates.iter().sum();
    let share = 100.0 * rates[0] as f64 / sum as f64;
    println!("\nTwo CUBIC sessions over one path share it {share:.0} to {:.0}.", 100.0 - share);
    if (40.0..=60.0).contains(&share) { Ok(()) } else { Err("not a fair share".into()) }
}

/// The window over time of both controllers on one path.
fn plot(seconds: u64) -> Result<(), Box<dyn Error>> {
    let path = Path { megabits: 50, round_trip: Duration::from_millis(60), loss: Loss::None };
    let mut lines = Vec::new();
    for control in CONTROLS {
        let mut line = Vec::new();
        measure(path, control, seconds * 2, |at, window| line.push((at, window as f64 / 1_000.0)));
        lines.push((control, line));
    }
    let longest = lines
        .iter()
        .flat_map(|(_, line)| line)
        .fold((0.0_f64, 0.0_f64), |most, at| (most.0.max(at.0), most.1.max(at.1)));
    std::fs::create_dir_all("target")?;
    let area = SVGBackend::new(PLOT, (1_000, 500)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("Congestion window, 50 Mbit/s, 60 ms, a queue of one bandwidth-delay product", ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(35)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..longest.0, 0.0..longest.1 * 1.05)?;
    chart.configure_mesh().x_desc("seconds").y_desc("kilobytes").draw()?;
    for ((control, line), colour) in lines.into_iter().zip([&RED, &BLUE]) {
        let series = chart.draw_series(LineSeries::new(line, colour))?;
        series.label(format!("{control:?}")).legend(move |(x, y)| PathElement::new([(x, y), (x + 15, y)], colour));
    }
    chart.configure_series_labels().border_style(BLACK).draw()?;
    area.present()?;
    println!("\n{PLOT} shows the windows over time.");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let seconds: u64 = std::env::args().nth(1).map_or(Ok(5), |text| text.parse())?;
    table(seconds)?;
    share(seconds)?;
    plot(seconds)
}
