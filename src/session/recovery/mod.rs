//! Loss recovery and rate control on datagram carriers, in the shape of RFC 9002.
#![forbid(unsafe_code)]

mod ack_ranges;
mod ack_timing;
mod congestion_control;
mod cubic;
mod ecn;
mod loss_detection;
mod new_reno;
mod pacer;
mod path;
mod path_mtu;
mod persistent_congestion;
mod rate_controller;
mod rtt_estimator;
mod sent_packets;
mod skip_schedule;
