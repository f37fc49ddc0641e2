// SPDX-License-Identifier: GPL-2.0
//! vhost-net without a guest: a virtio driver whose rings lie in this program's
//! memory.

use std::fs::File;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::sync::Arc;

use vhost::net::VhostNet;
use vhost::vhost_kern::net::Net;
use vhost::{VhostBackend, VhostUserMemoryRegionInfo, VringConfigData};
use vm_memory::{
    Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion, MmapRegion,
};
use vmm_sys_util::eventfd::EventFd;

use super::tap::Tap;
use super::{leaks, wait};

type Memory = Arc<GuestMemoryMmap<()>>;

/// Descriptors of a ring; each one has a buffer.
pub const RING_SIZE: u16 = 256;
/// More than the longest frame, in whole pages.
const BUFFER_SIZE: u64 = 18 * 4096;

/// Where the parts of a ring lie, behind its start.
const AVAILABLE: u64 = 0x1000;
const USED: u64 = 0x2000;
const BUFFERS: u64 = 0x4000;
const RING_SPAN: u64 = BUFFERS + RING_SIZE as u64 * BUFFER_SIZE;

/// Behind the start of the ring of available descriptors, or of used ones.
const INDEX: u64 = 2;
const ENTRIES: u64 = 4;

const NEXT: u16 = 1;
const DEVICE_WRITES: u16 = 2;

const VERSION_1: u64 = 1 << 32;
/// vhost takes the header, because the tap has none.
pub const OWN_HEADER: u64 = 1 << 27;

const RECEIVE: usize = 0;
const TRANSMIT: usize = 1;

/// `struct virtio_net_hdr_v1`.
pub const HEADER_SIZE: usize = 12;

/// Gives its queue back before it is closed: see [`leaks::are_looked_for`].
pub struct Vhost {
    pub receive: Ring,
    pub transmit: Ring,
    net: Net<Memory>,
    detaches: bool,
}

impl Drop for Vhost {
    fn drop(&mut self) {
        if self.detaches {
            self.detach();
        }
    }
}

impl Vhost {
    pub fn new(features: u64) -> Vhost {
        let range = (GuestAddress(0), 2 * RING_SPAN as usize);
        let memory: Memory = Arc::new(GuestMemoryMmap::from_ranges(&[range]).expect("memory"));
        let net = Net::new(memory.clone()).expect("/dev/vhost-net");
        net.set_owner().expect("VHOST_SET_OWNER");
        net.set_features(VERSION_1 | features)
            .expect("VHOST_SET_FEATURES");
        let regions: Vec<_> = memory.iter().map(info).collect();
        net.set_mem_table(&regions).expect("VHOST_SET_MEM_TABLE");
        Vhost {
            receive: Ring::new(&net, &memory, RECEIVE),
            transmit: Ring::new(&net, &memory, TRANSMIT),
            net,
            detaches: true,
        }
    }

    pub fn attach(&self, tap: &Tap) {
        let file = tap.as_fd().try_clone_to_owned().expect("a descriptor");
        self.set_backend(Some(&File::from(file)));
    }

    /// Waits until vhost is done with what it has.
    pub fn detach(&self) {
        self.set_backend(None);
    }

    /// Closes it with its queue, if it may.
    pub fn close(mut self) {
        self.detaches = leaks::are_looked_for();
    }

    fn set_backend(&self, file: Option<&File>) {
        for ring in [RECEIVE, TRANSMIT] {
            self.net
                .set_backend(ring, file)
                .expect("VHOST_NET_SET_BACKEND");
        }
    }

    /// Hands packets over, each with its header, as many as a ring has room for.
    pub fn send(&mut self, packets: &[Vec<u8>]) {
        self.post(packets);
        self.wait_sent(packets.len());
    }

    /// Does not wait for them.
    pub fn post(&mut self, packets: &[Vec<u8>]) {
        for packet in packets {
            self.transmit.put(packet, &[packet.len()]);
        }
        self.transmit.publish();
    }

    pub fn wait_sent(&mut self, count: usize) {
        for _ in 0..count {
            self.transmit.wait_used();
        }
    }

    /// Offers a buffer of `length` bytes for each of `count` packets.
    pub fn offer(&mut self, count: u16, length: usize) {
        for _ in 0..count {
            self.receive.offer(&[length]);
        }
        self.receive.publish();
    }

    /// The next packet, with its header.
    pub fn receive(&mut self) -> Vec<u8> {
        let used = self.receive.wait_used();
        self.receive.get(&used)
    }

    pub fn receive_now(&mut self) -> Option<Vec<u8>> {
        let used = self.receive.used()?;
        Some(self.receive.get(&used))
    }
}

fn info(region: &impl MappedRegion) -> VhostUserMemoryRegionInfo {
    VhostUserMemoryRegionInfo {
        guest_phys_addr: region.start_addr().0,
        memory_size: region.len(),
        userspace_addr: region.address(),
        mmap_offset: 0,
        mmap_handle: -1,
    }
}

/// A region with the address at which it is mapped.
trait MappedRegion: GuestMemoryRegion {
    fn address(&self) -> u64;
}

impl MappedRegion for vm_memory::GuestRegionMmap<()> {
    fn address(&self) -> u64 {
        let region: &MmapRegion<()> = self;
        region.as_ptr() as u64
    }
}

/// A split virtqueue, and the driver's state of it.
pub struct Ring {
    memory: Memory,
    start: u64,
    /// How many chains were made available, and how many came back used.
    available: u16,
    used: u16,
    free: Vec<u16>,
    /// What vhost has, by the first descriptor.
    chains: Vec<Option<Chain>>,
    kick: EventFd,
    call: EventFd,
}

/// Descriptors that hold one packet, each with how much of its buffer is used.
type Chain = Vec<(u16, usize)>;

/// What vhost is done with, and how many bytes it wrote there.
pub struct Used {
    chain: Chain,
    length: usize,
}

impl Ring {
    fn new(net: &Net<Memory>, memory: &Memory, index: usize) -> Ring {
        let ring = Ring {
            memory: memory.clone(),
            start: index as u64 * RING_SPAN,
            available: 0,
            used: 0,
            free: (0..RING_SIZE).rev().collect(),
            chains: vec![None; usize::from(RING_SIZE)],
            kick: EventFd::new(0).expect("an event"),
            call: EventFd::new(0).expect("an event"),
        };
        let addresses = VringConfigData {
            queue_max_size: RING_SIZE,
            queue_size: RING_SIZE,
            flags: 0,
            desc_table_addr: ring.start,
            used_ring_addr: ring.start + USED,
            avail_ring_addr: ring.start + AVAILABLE,
            log_addr: None,
        };
        net.set_vring_num(index, RING_SIZE)
            .expect("VHOST_SET_VRING_NUM");
        net.set_vring_addr(index, &addresses)
            .expect("VHOST_SET_VRING_ADDR");
        net.set_vring_base(index, 0).expect("VHOST_SET_VRING_BASE");
        net.set_vring_kick(index, &ring.kick)
            .expect("VHOST_SET_VRING_KICK");
        net.set_vring_call(index, &ring.call)
            .expect("VHOST_SET_VRING_CALL");
        ring
    }

    fn buffer(&self, descriptor: u16) -> u64 {
        self.start + BUFFERS + u64::from(descriptor) * BUFFER_SIZE
    }

    fn write<T: vm_memory::ByteValued>(&self, offset: u64, value: T) {
        self.memory
            .write_obj(value, GuestAddress(self.start + offset))
            .expect("a place in the ring");
    }

    fn read<T: vm_memory::ByteValued>(&self, offset: u64) -> T {
        self.memory
            .read_obj(GuestAddress(self.start + offset))
            .expect("a place in the ring")
    }

    /// How many descriptors vhost does not have.
    pub fn room(&self) -> usize {
        self.free.len()
    }

    /// Makes as many descriptors available, for one packet.
    fn add(&mut self, lengths: &[usize], flags: u16) -> u16 {
        assert!(lengths.len() <= self.room(), "full");
        let chain: Chain = self
            .free
            .drain(self.room() - lengths.len()..)
            .zip(lengths.iter().copied())
            .collect();
        for (place, &(descriptor, length)) in chain.iter().enumerate() {
            assert!(length as u64 <= BUFFER_SIZE);
            let next = chain.get(place + 1).map(|(next, _)| *next);
            let at = u64::from(descriptor) * 16;
            self.write(at, self.buffer(descriptor));
            self.write(at + 8, length as u32);
            self.write(at + 12, flags | if next.is_some() { NEXT } else { 0 });
            self.write(at + 14, next.unwrap_or(0));
        }
        let first = chain[0].0;
        let place = u64::from(self.available % RING_SIZE);
        self.write(AVAILABLE + ENTRIES + place * 2, first);
        self.available = self.available.wrapping_add(1);
        self.chains[usize::from(first)] = Some(chain);
        first
    }

    /// Hands a packet over, in parts of these lengths. Returns the first part's
    /// descriptor.
    pub fn put(&mut self, packet: &[u8], lengths: &[usize]) -> u16 {
        let first = self.add(lengths, 0);
        let mut rest = packet;
        let chain = self.chains[usize::from(first)].as_ref().expect("a chain");
        for &(descriptor, length) in chain {
            let (part, behind) = rest.split_at(length);
            self.overwrite(descriptor, part);
            rest = behind;
        }
        assert!(rest.is_empty());
        first
    }

    /// Writes to a descriptor's buffer, whoever has it.
    pub fn overwrite(&self, descriptor: u16, bytes: &[u8]) {
        self.memory
            .write_slice(bytes, GuestAddress(self.buffer(descriptor)))
            .expect("a buffer");
    }

    pub fn offer(&mut self, lengths: &[usize]) {
        self.add(lengths, DEVICE_WRITES);
    }

    /// Lets vhost see what was made available.
    pub fn publish(&self) {
        let at = GuestAddress(self.start + AVAILABLE + INDEX);
        self.memory
            .store(self.available, at, Ordering::SeqCst)
            .expect("the ring's index");
        self.kick.write(1).expect("a kick");
    }

    fn used_index(&self) -> u16 {
        let at = GuestAddress(self.start + USED + INDEX);
        self.memory
            .load(at, Ordering::SeqCst)
            .expect("the ring's index")
    }

    /// Sleeps until vhost is done with all that it has, for as long as that takes.
    pub fn sleep_until_all_used(&self) {
        while self.used_index() != self.available {
            self.call.read().expect("a call");
        }
    }

    /// What vhost gives back next. It does so once.
    pub fn used(&mut self) -> Option<Used> {
        if self.used_index() == self.used {
            return None;
        }
        let at = USED + ENTRIES + u64::from(self.used % RING_SIZE) * 8;
        self.used = self.used.wrapping_add(1);
        let first: u32 = self.read(at);
        let length: u32 = self.read(at + 4);
        let chain = self.chains[first as usize].take();
        let chain = chain.expect("descriptors that vhost has");
        self.free
            .extend(chain.iter().map(|(descriptor, _)| descriptor));
        Some(Used {
            chain,
            length: length as usize,
        })
    }

    fn wait_used(&mut self) -> Used {
        let mut found = None;
        wait::until("vhost to use a buffer", || {
            found = self.used();
            found.is_some()
        });
        found.expect("a used buffer")
    }

    /// The packet in what was not made available again.
    pub fn get(&self, used: &Used) -> Vec<u8> {
        let mut packet = vec![0; used.length];
        let mut rest = &mut packet[..];
        for &(descriptor, length) in &used.chain {
            let (part, behind) = rest.split_at_mut(length.min(rest.len()));
            self.memory
                .read_slice(part, GuestAddress(self.buffer(descriptor)))
                .expect("a buffer");
            rest = behind;
        }
        assert!(rest.is_empty());
        packet
    }
}
