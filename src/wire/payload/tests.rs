//! Our writer against the official verifier and reader, the official builder against our reader.

use alloc::vec;
use alloc::vec::Vec;

use flatbuffers::FlatBufferBuilder;
use proptest::collection::vec as vec_of;
use proptest::prelude::*;

use super::*;
use crate::wire::Framing;
use crate::wire::packet_parser::verified;

mod datagram_carriers;

type Fragments = Vec<(Fragment, Vec<u8>)>;

fn fragment() -> impl Strategy<Value = Fragment> {
    (any::<u64>(), any::<u64>(), 1..8_u8).prop_map(|(stream, offset, flags)| Fragment {
        stream,
        offset,
        end_of_message: flags & 1 != 0,
        end_of_stream: flags & 2 != 0,
        compressed: flags & 4 != 0,
    })
}

/// Fragments with their bytes; without bytes they have an end.
fn fragments(max: usize) -> impl Strategy<Value = Fragments> {
    let filled = (fragment(), vec_of(any::<u8>(), 0..100)).prop_map(|(fragment, data)| {
        let end_of_message = fragment.end_of_message || (data.is_empty() && !fragment.end_of_stream);
        (Fragment { end_of_message, ..fragment }, data)
    });
    vec_of(filled, 0..max)
}

fn control() -> impl Strategy<Value = Control> {
    prop_oneof![
        Just(Control::Ping),
        any::<[u64; 2]>()
            .prop_map(|[bidirectional, unidirectional]| Control::Shutdown { bidirectional, unidirectional }),
        any::<[u64; 2]>().prop_map(|[received, limit]| Control::SessionCredit { received, limit }),
        (1..=u64::MAX, any::<[u64; 2]>(), any::<bool>())
            .prop_map(|(stream, [received, limit], done)| Control::Credit { stream, received, limit, done }),
        (any::<bool>(), any::<u64>())
            .prop_map(|(unidirectional, limit)| Control::StreamCredit { unidirectional, limit }),
        any::<[u64; 3]>().prop_map(|[stream, code, final_offset]| Control::Reset { stream, code, final_offset }),
        any::<[u64; 2]>().prop_map(|[stream, code]| Control::Stop { stream, code }),
    ]
}

/// Writes what fits into `buf`, which is not clean to begin with; how many of each, and the payload.
fn write(size: usize, controls: &[Control], fragments: &[(Fragment, Vec<u8>)]) -> Option<(usize, usize, Vec<u8>)> {
    let mut buf = vec![0xEE; size];
    let mut writer = PayloadWriter::new(&mut buf)?;
    let written_controls = controls.iter().take_while(|control| writer.control(control)).count();
    let mut written_fragments = 0;
    for (fragment, data) in fragments {
        match writer.fragment_space() {
            Some(space) if space.len() >= data.len() => space[..data.len()].copy_from_slice(data),
            _ => break,
        }
        writer.commit_fragment(fragment, data.len());
        written_fragments += 1;
    }
    assert_eq!(writer.is_empty(), written_controls + written_fragments == 0);
    let len = writer.finish();
    buf.truncate(len);
    Some((written_controls, written_fragments, buf))
}

fn read(payload: &[u8]) -> Result<(Vec<Control>, Fragments), PayloadError> {
    let view = PayloadView::parse(payload, Framing::Stream)?;
    let fragments = view.fragments().map(|(fragment, data)| (fragment, data.to_vec())).collect();
    Ok((view.controls().collect(), fragments))
}

/// Everything that a payload can have, without regard to any rule, in the official encoding.
#[derive(Default)]
struct Raw<'a> {
    fragments: Option<&'a [tables::Fragment]>,
    data: Option<&'a [u8]>,
    acks: Option<&'a [tables::AckRange]>,
    ack_delay: u32,
    controls: Option<&'a [tables::Control]>,
    datagrams: Option<&'a [u8]>,
    close: Option<tables::Close>,
    close_reason: Option<&'a [u8]>,
    padding: Option<&'a [u8]>,
    ecn: Option<tables::EcnCounts>,
}

impl Raw<'_> {
    fn build(&self) -> Vec<u8> {
        let mut builder = FlatBufferBuilder::new();
        let args = tables::PayloadArgs {
            fragments: self.fragments.map(|items| builder.create_vector(items)),
            data: self.data.map(|items| builder.create_vector(items)),
            acks: self.acks.map(|items| builder.create_vector(items)),
            ack_delay: self.ack_delay,
            controls: self.controls.map(|items| builder.create_vector(items)),
            datagrams: self.datagrams.map(|items| builder.create_vector(items)),
            close: self.close.as_ref(),
            close_reason: self.close_reason.map(|items| builder.create_vector(items)),
            padding: self.padding.map(|items| builder.create_vector(items)),
            ecn: self.ecn.as_ref(),
        };
        let root = tables::Payload::create(&mut builder, &args);
        builder.finish_minimal(root);
        builder.finished_data().to_vec()
    }

    /// What a session makes of it on a stream carrier.
    fn outcome(&self) -> Result<(), PayloadError> {
        self.outcome_on(Framing::Stream)
    }

    fn outcome_on(&self, framing: Framing) -> Result<(), PayloadError> {
        PayloadView::parse(&self.build(), framing).map(drop)
    }
}

fn raw_control(code: u8, stream: u64, flags: u8) -> tables::Control {
    tables::Control::new(stream, 1, 2, tables::ControlCode(code), tables::ControlFlags::from_bits_retain(flags), 0, 0)
}

/// R-8.1-3, R-8.1-6, R-8.6-3, R-8.7-1, R-8.7-2.
#[test]
fn every_control_code_and_flag_byte_is_answered() {
    for code in 0..=u8::MAX {
        for flags in 0..=u8::MAX {
            let control = raw_control(code, 1, flags);
            let on_datagrams = match (code, flags) {
                (8.., _) => Err(PayloadError::UnknownControl),
                (_, 0) | (1, 1) => Ok(()),
                _ => Err(PayloadError::Malformed),
            };
            let on_streams = match (code, flags) {
                (6 | 7, 0) => Err(PayloadError::Forbidden),
                _ => on_datagrams,
            };
            let raw = Raw { controls: Some(&[control]), ..Raw::default() };
            assert_eq!(raw.outcome_on(Framing::Stream), on_streams, "code {code}, flags {flags}");
            assert_eq!(raw.outcome_on(Framing::Datagram), on_datagrams, "code {code}, flags {flags}");
        }
    }
    let on_the_session = Raw { controls: Some(&[raw_control(1, 0, 1)]), ..Raw::default() }.outcome();
    assert_eq!(on_the_session, Err(PayloadError::Malformed), "a session is never done");
    let third_direction = Raw { controls: Some(&[raw_control(2, 2, 0)]), ..Raw::default() }.outcome();
    assert_eq!(third_direction, Err(PayloadError::Malformed));
}

/// R-8.1-3, R-8.1-4.
#[test]
fn every_fragment_flag_is_known_or_refused() {
    for bits in 0..=u16::MAX {
        let flags = tables::FragmentFlags::from_bits_retain(bits);
        for length in [0_u16, 1] {
            let fragments = [tables::Fragment::new(4, 0, length, flags, 0)];
            let data = vec![7; usize::from(length)];
            let outcome = Raw { fragments: Some(&fragments), data: Some(&data), ..Raw::default() }.outcome();
            let expected = bits < 8 && (length > 0 || bits & 3 != 0);
            assert_eq!(outcome.is_ok(), expected, "flags {bits:#x}, length {length}");
        }
    }
}

/// R-8.1-3.
#[test]
fn reserved_bits_are_refused_one_by_one() {
    for bit in 0..32 {
        let flags = tables::FragmentFlags::EndOfMessage;
        let fragment = tables::Fragment::new(4, 0, 0, flags, 1 << bit);
        assert_eq!(Raw { fragments: Some(&[fragment]), ..Raw::default() }.outcome(), Err(PayloadError::Malformed));
    }
    // In a Control and a Close the reserved fields are the last bytes.
    for (start, len) in [(26, 32), (9, 16)] {
        for bit in start * 8..len * 8 {
            let outcome = if len == 32 {
                let mut control = raw_control(0, 0, 0);
                control.0[bit / 8] |= 1 << (bit % 8);
                Raw { controls: Some(&[control]), ..Raw::default() }.outcome()
            } else {
                let mut close = tables::Close::default();
                close.0[bit / 8] |= 1 << (bit % 8);
                Raw { close: Some(close), ..Raw::default() }.outcome()
            };
            assert_eq!(outcome, Err(PayloadError::Malformed), "bit {bit} of {len} bytes");
        }
    }
}

/// R-8.1-2.
#[test]
fn the_lengths_of_fragments_add_up_to_the_data() {
    let fragment = |length| tables::Fragment::new(4, 0, length, tables::FragmentFlags::EndOfMessage, 0);
    for (lengths, data_len, fits) in [
        (&[][..], 0, true),
        (&[], 1, false),
        (&[3], 2, false),
        (&[3], 3, true),
        (&[3], 4, false),
        (&[3, 0, 2], 5, true),
        (&[u16::MAX, u16::MAX], 4, false),
    ] {
        let fragments: Vec<_> = lengths.iter().map(|length| fragment(*length)).collect();
        let data = vec![0; data_len];
        let raw = Raw { fragments: Some(&fragments), data: Some(&data), ..Raw::default() };
        assert_eq!(raw.outcome().is_ok(), fits, "{lengths:?} in {data_len} bytes");
    }
}

/// R-8.1-6, R-8.1-7.
#[test]
fn what_is_for_datagram_carriers_is_forbidden_and_empty_is_absent() {
    let acks = [tables::AckRange::new(0, 0)];
    assert_eq!(Raw { acks: Some(&acks), ..Raw::default() }.outcome(), Err(PayloadError::Forbidden));
    assert_eq!(Raw { datagrams: Some(&[0, 0]), ..Raw::default() }.outcome(), Err(PayloadError::Forbidden));
    let ecn = Some(tables::EcnCounts::default());
    assert_eq!(Raw { ecn, ..Raw::default() }.outcome(), Err(PayloadError::Forbidden));
    let empty = Raw {
        fragments: Some(&[]),
        data: Some(&[]),
        acks: Some(&[]),
        ack_delay: 7,
        controls: Some(&[]),
        datagrams: Some(&[]),
        close: None,
        close_reason: Some(&[]),
        padding: Some(&[1, 2, 3]),
        ecn: None,
    };
    assert_eq!(empty.outcome(), Ok(()));
}

/// R-3.3-5, R-8.1-3, R-8.1-5.
#[test]
fn a_close_has_a_known_source_and_at_most_256_bytes_of_text() {
    let close = |source| Some(tables::Close::new(3, tables::CloseSource(source), 0, 0, 0));
    for source in 0..=u8::MAX {
        assert_eq!(Raw { close: close(source), ..Raw::default() }.outcome().is_ok(), source < 2, "source {source}");
    }
    for (len, fits) in [(0, true), (255, true), (256, true), (257, false)] {
        let reason = vec![b'x'; len];
        let with_text = Raw { close: close(0), close_reason: Some(&reason), ..Raw::default() };
        assert_eq!(with_text.outcome().is_ok(), fits, "{len} bytes");
        assert_eq!(Raw { close_reason: Some(&reason), ..Raw::default() }.outcome().is_ok(), len == 0);
    }
    let not_text = Raw { close: close(0), close_reason: Some(&[0xC3, 0x28]), ..Raw::default() };
    assert_eq!(not_text.outcome(), Err(PayloadError::Malformed));
}

/// R-8.1-1.
#[test]
fn a_fault_at_the_end_refuses_all_that_comes_before_it() {
    let good = tables::Fragment::new(4, 0, 1, tables::FragmentFlags::empty(), 0);
    let bad = tables::Fragment::new(4, 1, 1, tables::FragmentFlags::empty(), 1);
    let raw = Raw { fragments: Some(&[good, good, bad]), data: Some(&[1, 2, 3]), ..Raw::default() };
    assert_eq!(raw.outcome(), Err(PayloadError::Malformed));
    let raw = Raw { controls: Some(&[raw_control(0, 0, 0), raw_control(0, 0, 2)]), ..Raw::default() };
    assert_eq!(raw.outcome(), Err(PayloadError::Malformed));
}

#[test]
fn a_close_reads_as_it_was_written() {
    for source in [CloseSource::Protocol, CloseSource::Application] {
        for reason in ["", "x", "länger", &"r".repeat(MAX_CLOSE_REASON)] {
            let close = Close { source, code: 0x0102_0304_0506_0708, reason };
            let needed = 56 + reason.len();
            assert_eq!(write_close(&mut vec![0xEE; needed - 1], &close, [], 0), None);
            let mut buf = vec![0xEE; needed + 9];
            assert_eq!(write_close(&mut buf, &close, [], 0), Some(needed));
            let read = PayloadView::parse(&buf[..needed], Framing::Stream).unwrap().close().unwrap();
            assert_eq!((read.source, read.code, read.reason), (source, close.code, reason));
        }
    }
}

#[test]
fn controls_come_first_or_not_at_all() {
    let mut buf = [0; 400];
    let mut writer = PayloadWriter::new(&mut buf).unwrap();
    assert!(writer.control(&Control::Ping));
    writer.fragment_space().unwrap()[0] = 7;
    let end = Fragment { stream: 4, offset: 0, end_of_message: true, end_of_stream: false, compressed: false };
    writer.commit_fragment(&end, 1);
    assert!(!writer.control(&Control::Ping));
    let len = writer.finish();
    assert_eq!(read(&buf[..len]), Ok((vec![Control::Ping], vec![(end, vec![7])])));
}

#[test]
fn the_space_offered_is_all_that_fits() {
    let end = Fragment { stream: 4, offset: 9, end_of_message: true, end_of_stream: true, compressed: false };
    for size in 0..400 {
        let mut buf = vec![0xEE; size];
        let Some(mut writer) = PayloadWriter::new(&mut buf) else {
            assert!(size < 36);
            continue;
        };
        let Some(space) = writer.fragment_space() else {
            // Prefix, length, one byte, padding, length and struct: one byte costs 72.
            assert!(size < 72, "{size}");
            assert_eq!(writer.finish(), 36);
            continue;
        };
        space.fill(1);
        let len = space.len();
        writer.commit_fragment(&end, len);
        assert!(writer.fragment_space().is_none());
        let total = writer.finish();
        assert!(total <= size && total + 8 > size, "{total} of {size}");
        assert_eq!(read(&buf[..total]), Ok((vec![], vec![(end, vec![1; len])])));
    }
}

#[test]
fn many_small_fragments_stay_in_order() {
    let item = |stream| Fragment { stream, offset: 0, end_of_message: true, end_of_stream: false, compressed: false };
    let fragments: Vec<_> = (0..1000_u64).map(|stream| (item(stream), vec![stream as u8; 3])).collect();
    let (_, written, payload) = write(16_384, &[], &fragments).unwrap();
    assert_eq!(written, (16_384 - 44) / 27);
    assert_eq!(read(&payload), Ok((vec![], fragments[..written].to_vec())));
}

#[test]
fn every_truncation_and_every_flipped_bit_is_survived() {
    let end = Fragment { stream: 4, offset: 9, end_of_message: true, end_of_stream: false, compressed: true };
    let credit = Control::Credit { stream: 4, received: 5, limit: 6, done: true };
    let (_, _, mut payload) = write(400, &[Control::Ping, credit], &[(end, vec![3; 20]), (end, vec![4; 7])]).unwrap();
    for len in 0..payload.len() {
        let _ = read(&payload[..len]);
    }
    for position in 0..payload.len() {
        for bit in 0..8 {
            payload[position] ^= 1 << bit;
            let _ = read(&payload);
            payload[position] ^= 1 << bit;
        }
    }
}

#[test]
fn what_was_left_in_the_buffer_does_not_travel() {
    let end = Fragment { stream: 4, offset: 9, end_of_message: true, end_of_stream: false, compressed: false };
    for len in 1..40 {
        let fragments = [(end, vec![0x11; len]), (end, vec![0x11; 5])];
        let (_, _, payload) = write(400, &[Control::Ping], &fragments).unwrap();
        assert!(!payload.contains(&0xEE), "{len} bytes: {payload:x?}");
    }
}

proptest! {
    #[test]
    fn what_we_write_verifies_and_reads_as_it_was_written(
        controls in vec_of(control(), 0..12),
        fragments in fragments(24),
        size in 0..3000_usize,
    ) {
        let Some((written_controls, written_fragments, payload)) = write(size, &controls, &fragments) else {
            prop_assert!(size < 36);
            return Ok(());
        };
        prop_assert!(payload.len() <= size);
        prop_assert!(verified::<tables::Payload<'_>>(&payload).is_ok());
        let expected = (controls[..written_controls].to_vec(), fragments[..written_fragments].to_vec());
        prop_assert_eq!(read(&payload), Ok(expected));
    }

    /// R-3.3-1.
    #[test]
    fn the_official_encoding_reads_as_ours_does(
        controls in vec_of(control(), 0..12),
        fragments in fragments(24),
        order in Just([0, 1, 2]).prop_shuffle(),
        padding in vec_of(any::<u8>(), 0..20),
    ) {
        let structs: Vec<_> = fragments.iter().map(|(item, data)| item.encode(data.len() as u16)).collect();
        let data: Vec<_> = fragments.iter().flat_map(|(_, data)| data.iter().copied()).collect();
        let raw_controls: Vec<_> = controls.iter().map(Control::encode).collect();

        // Vectors in any order, slots filled in any order.
        let mut builder = FlatBufferBuilder::new();
        let padding = builder.create_vector(&padding);
        let mut offsets = [None; 3];
        for which in order {
            offsets[which] = Some(match which {
                0 => builder.create_vector(&structs).value(),
                1 => builder.create_vector(&data).value(),
                _ => builder.create_vector(&raw_controls).value(),
            });
        }
        let slots = [tables::Payload::VT_FRAGMENTS, tables::Payload::VT_DATA, tables::Payload::VT_CONTROLS];
        let table = builder.start_table();
        for which in order {
            let offset = flatbuffers::WIPOffset::<flatbuffers::Vector<'_, u8>>::new(offsets[which].unwrap());
            builder.push_slot_always(slots[which], offset);
        }
        builder.push_slot_always(tables::Payload::VT_PADDING, padding);
        let root = builder.end_table(table);
        builder.finish_minimal(root);

        prop_assert_eq!(read(builder.finished_data()), Ok((controls, fragments)));
    }

    #[test]
    fn one_vector_under_several_names_is_read_under_each(bytes in vec_of(any::<u8>(), 1..200)) {
        // The data's vector is also the padding.
        let mut builder = FlatBufferBuilder::new();
        let shared = builder.create_vector(&bytes);
        let item = tables::Fragment::new(4, 0, bytes.len() as u16, tables::FragmentFlags::EndOfMessage, 0);
        let fragments = builder.create_vector(&[item]);
        let args = tables::PayloadArgs {
            fragments: Some(fragments),
            data: Some(shared),
            padding: Some(shared),
            ..tables::PayloadArgs::default()
        };
        let root = tables::Payload::create(&mut builder, &args);
        builder.finish_minimal(root);
        let (controls, read) = read(builder.finished_data()).unwrap();
        prop_assert_eq!((controls.len(), read.len()), (0, 1));
        prop_assert_eq!(&read[0].1, &bytes);
    }

    #[test]
    fn offsets_and_vtables_changed_at_will_are_survived(
        controls in vec_of(control(), 0..4),
        fragments in fragments(4),
        changes in vec_of((0..40_usize, prop_oneof![0..80_u16, any::<u16>()]), 1..8),
    ) {
        let (_, _, mut payload) = write(2000, &controls, &fragments).unwrap();
        for (at, value) in changes {
            if let Some(place) = payload.get_mut(at / 2 * 2..).and_then(|rest| rest.first_chunk_mut()) {
                *place = value.to_le_bytes();
            }
        }
        let _ = read(&payload);
    }

    #[test]
    fn arbitrary_bytes_are_survived(bytes in vec_of(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
    }
}
