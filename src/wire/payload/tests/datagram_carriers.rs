//! What payloads have on datagram carriers besides streams and controls.

use core::ops::RangeInclusive;

use super::*;
use crate::ecn::EcnCounts;

/// Everything that a payload can have but a close.
#[derive(Clone, Debug, Default, PartialEq)]
struct Contents {
    acks: Vec<RangeInclusive<u64>>,
    ack_delay: u32,
    ecn: Option<EcnCounts>,
    controls: Vec<Control>,
    datagrams: Vec<Vec<u8>>,
    fragments: Fragments,
}

impl Contents {
    /// Writes what fits, in order, into a buffer that is not clean; the payload, and what is in it. It is padded to `padded` bytes.
    fn write(&self, size: usize, padded: usize) -> Option<(Vec<u8>, Self)> {
        let mut written = self.clone();
        let mut buf = vec![0xEE; size];
        let mut writer = PayloadWriter::new(&mut buf)?;
        written.acks.truncate(writer.acks(self.acks.iter().cloned(), self.ack_delay, self.ecn));
        if written.acks.is_empty() {
            (written.ack_delay, written.ecn) = (0, None);
        }
        written.controls.truncate(self.controls.iter().take_while(|control| writer.control(control)).count());
        written.datagrams.truncate(self.datagrams.iter().take_while(|datagram| writer.datagram(datagram)).count());
        let fragment = |(fragment, data): &&(Fragment, Vec<u8>)| match writer.fragment_space() {
            Some(space) if space.len() >= data.len() => {
                space[..data.len()].copy_from_slice(data);
                writer.commit_fragment(fragment, data.len());
                true
            }
            _ => false,
        };
        written.fragments.truncate(self.fragments.iter().take_while(fragment).count());
        assert_eq!(writer.is_empty(), written == Self::default());
        assert_eq!(writer.is_ack_eliciting(), written.is_ack_eliciting());
        let len = writer.finish_padded(padded);
        buf.truncate(len);
        Some((buf, written))
    }

    fn read(payload: &[u8]) -> Result<Self, PayloadError> {
        let view = PayloadView::parse(payload, Framing::Datagram)?;
        let contents = Self {
            acks: view.acks().collect(),
            ack_delay: view.ack_delay(),
            ecn: view.ecn(),
            controls: view.controls().collect(),
            datagrams: view.datagrams().map(<[u8]>::to_vec).collect(),
            fragments: view.fragments().map(|(fragment, data)| (fragment, data.to_vec())).collect(),
        };
        assert_eq!(view.is_ack_eliciting(), contents.is_ack_eliciting());
        Ok(contents)
    }

    fn is_ack_eliciting(&self) -> bool {
        !(self.controls.is_empty() && self.datagrams.is_empty() && self.fragments.is_empty())
    }
}

/// Ranges from the highest down, with gaps between them.
fn ranges(max: usize) -> impl Strategy<Value = Vec<RangeInclusive<u64>>> {
    let steps = vec_of((prop_oneof![0..4_u64, 0..1_u64 << 40], prop_oneof![0..4_u64, 0..1_u64 << 40]), 0..=max);
    (prop_oneof![0..200_u64, Just((1 << 62) - 1), 0..1_u64 << 62], steps).prop_map(|(highest, steps)| {
        let mut last = Some(highest);
        let mut ranges = Vec::new();
        for (len, gap) in steps {
            let Some(end) = last else { break };
            let start = end.saturating_sub(len);
            ranges.push(start..=end);
            last = start.checked_sub(gap + 2);
        }
        ranges
    })
}

fn ecn() -> impl Strategy<Value = Option<EcnCounts>> {
    any::<Option<[u64; 3]>>().prop_map(|counts| counts.map(|[ect0, ect1, ce]| EcnCounts { ect0, ect1, ce }))
}

fn path_or_other_control() -> impl Strategy<Value = Control> {
    prop_oneof![
        3 => control(),
        1 => any::<u64>().prop_map(|data| Control::PathChallenge { data }),
        1 => any::<u64>().prop_map(|data| Control::PathResponse { data }),
    ]
}

fn contents() -> impl Strategy<Value = Contents> {
    let datagrams = vec_of(vec_of(any::<u8>(), 0..50), 0..5);
    (ranges(40), any::<u32>(), ecn(), vec_of(path_or_other_control(), 0..6), datagrams, fragments(8)).prop_map(
        |(acks, ack_delay, ecn, controls, datagrams, fragments)| {
            let (ack_delay, ecn) = if acks.is_empty() { (0, None) } else { (ack_delay, ecn) };
            Contents { acks, ack_delay, ecn, controls, datagrams, fragments }
        },
    )
}

fn acks_of(ranges: &[(u64, u64)]) -> Result<(), PayloadError> {
    let acks: Vec<_> = ranges.iter().map(|(first, last)| tables::AckRange::new(*first, *last)).collect();
    Raw { acks: Some(&acks), ..Raw::default() }.outcome_on(Framing::Datagram)
}

/// R-8.1-8.
#[test]
fn acknowledgements_come_from_the_highest_down_with_gaps_between_them() {
    const LAST: u64 = (1 << 62) - 1;
    for good in [
        &[(0, 0)][..],
        &[(0, LAST)],
        &[(LAST, LAST), (LAST - 2, LAST - 2)],
        &[(7, 9), (5, 5), (0, 3)],
        &[(2, 2), (0, 0)],
    ] {
        assert_eq!(acks_of(good), Ok(()), "{good:?}");
    }
    for bad in [
        &[(1, 0)][..],
        &[(0, LAST + 1)],
        &[(u64::MAX, u64::MAX)],
        &[(7, 9), (6, 6)],
        &[(7, 9), (7, 7)],
        &[(7, 9), (3, 8)],
        &[(5, 5), (7, 9)],
        &[(1, 1), (0, 0)],
        &[(0, 0), (0, 0)],
        &[(7, 9), (5, 4)],
        &[(7, 9), (4, 5), (0, 3)],
    ] {
        assert_eq!(acks_of(bad), Err(PayloadError::Malformed), "{bad:?}");
    }
}

/// R-8.1-8.
#[test]
fn there_are_at_most_32_ranges() {
    let ranges = |count: u64| (0..count).rev().map(|at| (at * 2, at * 2)).collect::<Vec<_>>();
    assert_eq!(acks_of(&ranges(32)), Ok(()));
    assert_eq!(acks_of(&ranges(33)), Err(PayloadError::Malformed));
    // More than any packet holds.
    assert_eq!(acks_of(&ranges(100_000)), Err(PayloadError::Malformed));

    let contents = Contents { acks: ranges(40).iter().map(|(at, _)| *at..=*at).collect(), ..Contents::default() };
    let (payload, written) = contents.write(1_200, 0).unwrap();
    assert_eq!((&written.acks[..], payload.len()), (&contents.acks[..32], 52 + 4 + 32 * 16));
}

/// R-8.1-9.
#[test]
fn delay_and_marks_come_only_with_acknowledgements() {
    let acks = [tables::AckRange::new(0, 0)];
    let ecn = Some(tables::EcnCounts::new(1, 2, 3));
    for (acks, ack_delay, ecn, fits) in [
        (Some(&acks[..]), 7, ecn, true),
        (Some(&acks), 0, None, true),
        (None, 0, None, true),
        (None, 7, None, false),
        (None, 0, ecn, false),
        (Some(&[]), 7, None, false),
        (Some(&[]), 0, ecn, false),
    ] {
        let raw = Raw { acks, ack_delay, ecn, ..Raw::default() };
        let expected = if fits { Ok(()) } else { Err(PayloadError::Malformed) };
        assert_eq!(raw.outcome_on(Framing::Datagram), expected, "{acks:?}, {ack_delay}, {ecn:?}");
    }
}

/// R-8.1-10.
#[test]
fn datagrams_use_up_their_bytes() {
    for (bytes, expected) in [
        (&[][..], Some(&[][..])),
        (&[0, 0], Some(&[&[][..]])),
        (&[1, 0, 7], Some(&[&[7]])),
        (&[1, 0, 7, 0, 0, 2, 0, 8, 9], Some(&[&[7], &[], &[8, 9]])),
        (&[0], None),
        (&[1, 0], None),
        (&[0, 1, 7], None),
        (&[1, 0, 7, 8], None),
        (&[1, 0, 7, 2, 0, 8], None),
    ] {
        let payload = Raw { datagrams: Some(bytes), ..Raw::default() }.build();
        match expected {
            Some(datagrams) => assert_eq!(Contents::read(&payload).unwrap().datagrams, datagrams),
            None => assert_eq!(Contents::read(&payload), Err(PayloadError::Malformed), "{bytes:?}"),
        }
    }
}

/// R-8.1-11.
#[test]
fn acknowledgements_padding_and_a_close_are_not_acknowledged() {
    let is_eliciting =
        |raw: &Raw<'_>| PayloadView::parse(&raw.build(), Framing::Datagram).map(|view| view.is_ack_eliciting());
    let acks = [tables::AckRange::new(0, 0)];
    let silent = Raw {
        acks: Some(&acks),
        ecn: Some(tables::EcnCounts::default()),
        close: Some(tables::Close::default()),
        close_reason: Some(b"why"),
        padding: Some(&[0; 100]),
        ..Raw::default()
    };
    assert_eq!(is_eliciting(&silent), Ok(false));
    assert_eq!(is_eliciting(&Raw::default()), Ok(false));
    let fragment = tables::Fragment::new(4, 0, 0, tables::FragmentFlags::EndOfMessage, 0);
    assert_eq!(is_eliciting(&Raw { fragments: Some(&[fragment]), ..Raw::default() }), Ok(true));
    assert_eq!(is_eliciting(&Raw { controls: Some(&[raw_control(0, 0, 0)]), ..Raw::default() }), Ok(true));
    assert_eq!(is_eliciting(&Raw { datagrams: Some(&[0, 0]), ..Raw::default() }), Ok(true));
}

#[test]
fn what_comes_too_late_is_not_written() {
    let mut buf = [0; 400];
    let mut writer = PayloadWriter::new(&mut buf).unwrap();
    assert!(writer.control(&Control::Ping));
    assert_eq!(writer.acks([3..=4], 0, None), 0);
    assert!(writer.datagram(b"one"));
    assert!(!writer.control(&Control::Ping));
    assert!(!writer.has_control_space());
    writer.fragment_space().unwrap()[0] = 7;
    let end = Fragment { stream: 4, end_of_message: true, ..Fragment::default() };
    writer.commit_fragment(&end, 1);
    assert!(!writer.datagram(b"two"));
    let len = writer.finish();
    let expected = Contents {
        controls: vec![Control::Ping],
        datagrams: vec![b"one".to_vec()],
        fragments: vec![(end, vec![7])],
        ..Contents::default()
    };
    assert_eq!(Contents::read(&buf[..len]), Ok(expected));
}

/// R-3.3-1.
#[test]
fn a_payload_is_padded_to_the_byte() {
    let acks = Contents { acks: vec![5..=9], ..Contents::default() };
    let ping = Contents { controls: vec![Control::Ping], ..acks.clone() };
    let datagram = Contents { datagrams: vec![vec![1; 9]], ..Contents::default() };
    for (contents, len) in [(Contents::default(), 36), (acks, 72), (ping, 112), (datagram, 67)] {
        for padded in 0..300 {
            let (payload, written) = contents.write(256, padded).unwrap();
            assert_eq!(payload.len(), padded.clamp(len, 256));
            assert!(!payload.contains(&0xEE), "{payload:x?}");
            assert_eq!(Contents::read(&payload).as_ref(), Ok(&written));
            assert_eq!(written, contents);
        }
    }
}

#[test]
fn a_datagram_fits_to_the_byte() {
    for len in 0..100 {
        let contents = Contents { datagrams: vec![vec![7; len]], ..Contents::default() };
        let needed = len + PayloadWriter::DATAGRAM_OVERHEAD;
        let (payload, written) = contents.write(needed, 0).unwrap();
        assert_eq!((payload.len(), written), (needed, contents.clone()));
        assert_eq!(contents.write(needed - 1, 0).unwrap().1, Contents::default());
    }
    let mut buf = vec![0; 1 << 17];
    assert!(!PayloadWriter::new(&mut buf).unwrap().datagram(&vec![0; 1 << 16]), "its length would not fit either");
}

#[test]
fn the_space_offered_beside_anything_is_all_that_fits() {
    let end = Fragment { stream: 4, end_of_message: true, ..Fragment::default() };
    for (acks, controls, datagram) in (0..64_usize).map(|at| (at as u64 % 4, at / 4 % 4, at / 16)) {
        for size in 36..500 {
            let mut buf = vec![0xEE; size];
            let mut writer = PayloadWriter::new(&mut buf).unwrap();
            let ranges = (0..acks).rev().map(|at| at * 3..=at * 3);
            writer.acks(ranges, 5, (acks == 2).then(EcnCounts::default));
            (0..controls).for_each(|_| assert!(writer.control(&Control::Ping) || size < 300));
            if datagram > 0 {
                let _ = writer.datagram(&vec![0x11; datagram * 3]);
            }
            let space = writer.fragment_space().map(|space| {
                space.fill(1);
                space.len()
            });
            if let Some(len) = space {
                writer.commit_fragment(&end, len);
                assert!(writer.fragment_space().is_none());
            }
            let total = writer.finish();
            assert!(total <= size && (space.is_none() || total + 8 > size), "{total} of {size}");
            assert!(!buf[..total].contains(&0xEE), "{:x?}", &buf[..total]);
            let read = Contents::read(&buf[..total]).unwrap();
            assert_eq!(read.fragments, space.map(|len| (end, vec![1; len])).into_iter().collect::<Vec<_>>());
        }
    }
}

#[test]
fn every_truncation_and_every_flipped_bit_is_survived() {
    let contents = Contents {
        acks: vec![20..=30, 4..=9],
        ack_delay: 77,
        ecn: Some(EcnCounts { ect0: 1, ect1: 2, ce: 3 }),
        controls: vec![Control::PathChallenge { data: 9 }],
        datagrams: vec![vec![1; 5], vec![], vec![2; 3]],
        fragments: vec![(Fragment { stream: 4, end_of_message: true, ..Fragment::default() }, vec![3; 20])],
    };
    let (mut payload, _) = contents.write(400, 0).unwrap();
    for len in 0..payload.len() {
        let _ = Contents::read(&payload[..len]);
    }
    for position in 0..payload.len() {
        for bit in 0..8 {
            payload[position] ^= 1 << bit;
            let _ = Contents::read(&payload);
            payload[position] ^= 1 << bit;
        }
    }
}

proptest! {
    #[test]
    fn what_we_write_verifies_and_reads_as_it_was_written(
        contents in contents(),
        size in 0..2000_usize,
        padded in prop_oneof![Just(0), 0..2000_usize],
    ) {
        let Some((payload, written)) = contents.write(size, padded) else {
            prop_assert!(size < 36);
            return Ok(());
        };
        prop_assert!(payload.len() <= size && payload.len() >= padded.min(size));
        prop_assert!(verified::<tables::Payload<'_>>(&payload).is_ok());
        prop_assert_eq!(Contents::read(&payload), Ok(written));
    }

    /// Streams know nothing of the wide form, so nothing of theirs may change with it.
    #[test]
    fn a_payload_that_streams_could_have_is_the_same_on_both_carriers(
        controls in vec_of(control(), 0..12),
        fragments in fragments(24),
        size in 36..3000_usize,
    ) {
        let (_, _, on_a_stream) = write(size, &controls, &fragments).unwrap();
        let (payload, written) = Contents { controls, fragments, ..Contents::default() }.write(size, 0).unwrap();
        prop_assert_eq!(&payload, &on_a_stream);
        prop_assert_eq!(read(&payload), Ok((written.controls, written.fragments)));
    }

    /// R-3.3-1.
    #[test]
    fn the_official_encoding_reads_as_ours_does(
        contents in contents(),
        order in Just([0, 1, 2, 3, 4, 5, 6, 7]).prop_shuffle(),
        padding in vec_of(any::<u8>(), 0..20),
    ) {
        let acks: Vec<_> = contents.acks.iter().take(32).cloned().collect();
        let payload = official(&Contents { acks: acks.clone(), ..contents.clone() }, &order, &padding);
        prop_assert_eq!(Contents::read(&payload), Ok(Contents { acks, ..contents }));
    }

    #[test]
    fn offsets_and_vtables_changed_at_will_are_survived(
        contents in contents(),
        changes in vec_of((0..90_usize, prop_oneof![0..120_u16, any::<u16>()]), 1..8),
    ) {
        let (mut payload, _) = contents.write(2000, 0).unwrap();
        for (at, value) in changes {
            if let Some(place) = payload.get_mut(at / 2 * 2..).and_then(|rest| rest.first_chunk_mut()) {
                *place = value.to_le_bytes();
            }
        }
        let _ = Contents::read(&payload);
    }
}

/// The contents as the official builder writes them: vectors in any order, slots filled in any order.
fn official(contents: &Contents, order: &[usize; 8], padding: &[u8]) -> Vec<u8> {
    use tables::Payload as P;

    let Contents { acks, ack_delay, ecn, controls, datagrams, fragments } = contents;
    let acks: Vec<_> = acks.iter().map(|range| tables::AckRange::new(*range.start(), *range.end())).collect();
    let controls: Vec<_> = controls.iter().map(Control::encode).collect();
    let structs: Vec<_> = fragments.iter().map(|(item, data)| item.encode(data.len() as u16)).collect();
    let data: Vec<_> = fragments.iter().flat_map(|(_, data)| data.iter().copied()).collect();
    let with_length = |datagram: &Vec<u8>| [&(datagram.len() as u16).to_le_bytes()[..], datagram].concat();
    let datagrams: Vec<_> = datagrams.iter().flat_map(with_length).collect();

    let mut builder = FlatBufferBuilder::new();
    let mut vectors = [0; 8];
    for which in *order {
        vectors[which] = match which {
            0 => builder.create_vector(&acks).value(),
            1 => builder.create_vector(&controls).value(),
            2 => builder.create_vector(&structs).value(),
            3 => builder.create_vector(&data).value(),
            4 => builder.create_vector(&datagrams).value(),
            5 => builder.create_vector(padding).value(),
            _ => 0,
        };
    }
    let slots = [P::VT_ACKS, P::VT_CONTROLS, P::VT_FRAGMENTS, P::VT_DATA, P::VT_DATAGRAMS, P::VT_PADDING];
    let table = builder.start_table();
    for which in *order {
        match (which, ecn) {
            (0..6, _) => {
                let offset = flatbuffers::WIPOffset::<flatbuffers::Vector<'_, u8>>::new(vectors[which]);
                builder.push_slot_always(slots[which], offset);
            }
            (6, _) => builder.push_slot_always(P::VT_ACK_DELAY, *ack_delay),
            (_, Some(ecn)) => builder.push_slot_always(P::VT_ECN, acks::encode_ecn(*ecn)),
            _ => {}
        }
    }
    let root = builder.end_table(table);
    builder.finish_minimal(root);
    builder.finished_data().to_vec()
}

/// R-9.1-5: as many ranges as there is room for beside the text.
#[test]
fn a_close_reads_with_its_acknowledgements() {
    let received: Vec<_> = (0..40_u64).rev().map(|at| 3 * at..=3 * at + 1).collect();
    for reason in ["", "länger", &"r".repeat(MAX_CLOSE_REASON)] {
        let close = Close { source: CloseSource::Application, code: 0x0102_0304_0506_0708, reason };
        for room in 0..1_000 {
            let mut buf = vec![0xEE; room];
            let written = write_close(&mut buf, &close, received.iter().cloned(), 77);
            let fit = room.checked_sub(68 + reason.len()).map_or(0, |rest| (rest / 16).min(32));
            let needed = if fit == 0 { 56 } else { 68 + 16 * fit } + reason.len();
            assert_eq!(written, (room >= needed).then_some(needed), "room {room}");
            let Some(len) = written else { continue };
            let view = PayloadView::parse(&buf[..len], Framing::Datagram).unwrap();
            let read = view.close().unwrap();
            assert_eq!((read.source, read.code, read.reason), (close.source, close.code, reason));
            assert!(view.acks().eq(received[..fit].iter().cloned()), "room {room}");
            assert_eq!(view.ack_delay(), if fit > 0 { 77 } else { 0 });
            assert!(!view.is_ack_eliciting() && view.controls().next().is_none() && view.ecn().is_none());
        }
    }
}
