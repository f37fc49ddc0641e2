// SPDX-License-Identifier: GPL-2.0
//! `struct virtio_net_hdr`, which stands before every frame.

pub const SIZE: usize = 10;

pub const F_NEEDS_CSUM: u8 = 1;
pub const F_DATA_VALID: u8 = 2;

pub const GSO_NONE: u8 = 0;
pub const GSO_TCPV4: u8 = 1;
pub const GSO_UDP: u8 = 3;
pub const GSO_TCPV6: u8 = 4;
pub const GSO_UDP_L4: u8 = 5;
pub const GSO_ECN: u8 = 0x80;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VnetHeader {
    pub flags: u8,
    pub gso_type: u8,
    pub hdr_len: u16,
    pub gso_size: u16,
    pub csum_start: u16,
    pub csum_offset: u16,
}

impl VnetHeader {
    /// In the machine's byte order, as every queue starts with.
    pub fn to_bytes(self) -> [u8; SIZE] {
        let mut bytes = [self.flags, self.gso_type, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes[2..4].copy_from_slice(&self.hdr_len.to_ne_bytes());
        bytes[4..6].copy_from_slice(&self.gso_size.to_ne_bytes());
        bytes[6..8].copy_from_slice(&self.csum_start.to_ne_bytes());
        bytes[8..10].copy_from_slice(&self.csum_offset.to_ne_bytes());
        bytes
    }

    /// In the other byte order.
    pub fn swapped(self) -> Self {
        VnetHeader {
            hdr_len: self.hdr_len.swap_bytes(),
            gso_size: self.gso_size.swap_bytes(),
            csum_start: self.csum_start.swap_bytes(),
            csum_offset: self.csum_offset.swap_bytes(),
            ..self
        }
    }

    pub fn from_bytes(bytes: &[u8]) -> Self {
        let word = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        VnetHeader {
            flags: bytes[0],
            gso_type: bytes[1],
            hdr_len: word(2),
            gso_size: word(4),
            csum_start: word(6),
            csum_offset: word(8),
        }
    }

    /// The header and the frame in one piece, as write() takes them.
    pub fn with(self, frame: &[u8]) -> Vec<u8> {
        [&self.to_bytes(), frame].concat()
    }
}

/// A frame with a header that asks for nothing.
pub fn plain(frame: &[u8]) -> Vec<u8> {
    VnetHeader::default().with(frame)
}
