// SPDX-License-Identifier: GPL-2.0
//! Frames and their virtio-net headers: correct ones, in which something was
//! made wrong.

use arbitrary::{Result, Unstructured};
use macvtap_selftests::frame::{noise, raw, tagged, Packet, Protocol};
use macvtap_selftests::sys::link::{Mac, OTHER_MAC, PEER_MAC, TAP2_MAC, TAP_MAC};
use macvtap_selftests::vnet::{VnetHeader, SIZE};

use crate::program::length;

const BROADCAST: Mac = [0xff; 6];
const CVLAN: u16 = 0x8100;
const SVLAN: u16 = 0x88a8;

/// An IPv4 packet's largest, less its headers.
const LONGEST_PAYLOAD: usize = 65_535 - 60;

pub fn with_header(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let (header, frame) = frame(u)?;
    let header = altered(header, u)?;
    let mut bytes = if u.ratio(1, 8)? {
        header.swapped().to_bytes().to_vec()
    } else {
        header.to_bytes().to_vec()
    };
    // As long as the queue was told to expect it, or not.
    bytes.resize(*u.choose(&[SIZE, 12, 0, 9, 20, 24, 64])?, 0);
    bytes.extend(frame);
    Ok(bytes)
}

fn frame(u: &mut Unstructured<'_>) -> Result<(VnetHeader, Vec<u8>)> {
    const PROTOCOLS: [Protocol; 4] = [
        Protocol::Tcp4,
        Protocol::Udp4,
        Protocol::Tcp6,
        Protocol::Udp6,
    ];
    const ADDRESSES: [Mac; 5] = [PEER_MAC, TAP_MAC, TAP2_MAC, OTHER_MAC, BROADCAST];
    let destination = *u.choose(&[TAP_MAC, PEER_MAC, TAP2_MAC, OTHER_MAC, BROADCAST])?;
    let source = *u.choose(&ADDRESSES)?;
    let size = *u.choose(&[1000, 1400, 65_535, 8, 7, 1, 0])?;
    // Into some tens of thousands of pieces would take too long.
    let longest = if size < 1000 { 2000 } else { LONGEST_PAYLOAD };
    let packet = Packet {
        protocol: *u.choose(&PROTOCOLS)?,
        destination,
        source,
        ..Packet::outgoing(Protocol::Tcp4, length(u)?.min(longest))
    };
    let (header, mut frame) = match u.int_in_range(0..=7)? {
        0 => (
            VnetHeader::default(),
            raw(destination, source, 14 + length(u)?),
        ),
        1 => (VnetHeader::default(), packet.build()),
        2 | 3 => packet.build_partial(),
        _ => packet.build_gso(size),
    };
    for _ in 0..*u.choose(&[0, 0, 0, 1, 2])? {
        let tag = u.arbitrary()?;
        frame = tagged(&frame, *u.choose(&[CVLAN, SVLAN])?, tag);
    }
    // Most of what is looked at stands at the beginning.
    for _ in 0..*u.choose(&[0, 0, 0, 0, 1, 2, 3])? {
        let at = usize::from(u.int_in_range(0..=127u8)?);
        let byte = u.arbitrary()?;
        if let Some(place) = frame.get_mut(at) {
            *place = byte;
        }
    }
    match u.int_in_range(0..=7)? {
        6 => frame.truncate(length(u)?),
        7 => frame.extend(noise(length(u)?, 1)),
        _ => (),
    }
    Ok((header, frame))
}

/// With some of its fields not what the frame is like.
fn altered(mut header: VnetHeader, u: &mut Unstructured<'_>) -> Result<VnetHeader> {
    let fields: u8 = u.arbitrary()?;
    // Most headers have one wrong field or none.
    let wrong = |field: u8| fields & 0x80 != 0 && fields & (1 << field) != 0;
    if wrong(0) {
        header.flags = u.arbitrary()?;
    }
    if wrong(1) {
        header.gso_type = *u.choose(&[0, 1, 2, 3, 4, 5, 6, 0x20, 0x21, 0x41, 0x80, 0x81, 0xff])?;
    }
    if wrong(2) {
        header.hdr_len = word(u)?;
    }
    if wrong(3) {
        header.gso_size = word(u)?;
    }
    if wrong(4) {
        header.csum_start = word(u)?;
    }
    if wrong(5) {
        header.csum_offset = word(u)?;
    }
    Ok(header)
}

fn word(u: &mut Unstructured<'_>) -> Result<u16> {
    Ok(match u.int_in_range(0..=3)? {
        0 => u16::from(u.arbitrary::<u8>()?),
        1 => u16::MAX - u16::from(u.arbitrary::<u8>()?),
        2 => length(u)? as u16,
        _ => u.arbitrary()?,
    })
}
