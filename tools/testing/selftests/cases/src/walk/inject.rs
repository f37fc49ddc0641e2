// SPDX-License-Identifier: GPL-2.0
//! Frames that come in from the peer.

use super::frames;
use super::random::{happens, weighted};
use super::world::World;
use crate::frame;
use crate::sys::link::{Mac, PEER_MAC};
use crate::vnet::VnetHeader;

/// Some frames that are all the same.
pub fn plain(world: &mut World, destination: Mac, frames: usize) -> String {
    some(world, destination, 100, frames)
}

/// The same, of this length.
pub fn some(world: &mut World, destination: Mac, length: usize, frames: usize) -> String {
    let bytes = frame::raw(destination, PEER_MAC, length);
    let results: Vec<_> = (0..frames)
        .map(|_| world.wire().peer.try_send(VnetHeader::default(), &bytes))
        .collect();
    format!(" with {:?}", summary(&results))
}

pub fn inject(world: &mut World) -> String {
    let destination = frames::destination(&mut world.rng);
    let mut sent = frames::good(&mut world.rng, PEER_MAC, destination);
    if happens(&mut world.rng, 5) {
        // Like that of some other station on the segment.
        sent.bytes[6..12].copy_from_slice(&super::world::MACS[0]);
    }
    let count = weighted(&mut world.rng, &[(6, 1), (2, 2), (1, 5), (1, 30)]);
    let results: Vec<_> = (0..count)
        .map(|_| world.wire().peer.try_send(sent.header, &sent.bytes))
        .collect();
    world.segmented |= sent.segmented;
    format!(
        "inject {} of {} to {:02x}: {:?}",
        sent.kind,
        sent.bytes.len(),
        destination[5],
        summary(&results)
    )
}

/// Results, each with how often it came in a row.
fn summary(results: &[nix::Result<usize>]) -> Vec<(usize, nix::Result<usize>)> {
    results
        .chunk_by(|one, next| one == next)
        .map(|same| (same.len(), same[0]))
        .collect()
}
