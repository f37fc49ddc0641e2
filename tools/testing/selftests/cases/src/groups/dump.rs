// SPDX-License-Identifier: GPL-2.0
//! Everything that the kernel tells of a link, in many states: compared between
//! the drivers attribute by attribute.

use netlink_packet_route::link::{
    InfoMacVtap, LinkAttribute, MacVlanFlags, MacVlanMacAddressMode, MacVlanMode,
};

use crate::driver::Driver;
use crate::ktap::Case;
use crate::show;
use crate::sys::link::{info, Link, Macvtap, TAP, TAP2};
use crate::sys::netns::Netns;
use crate::sys::tap::Tap;
use InfoMacVtap::{BcCutoff, BcQueueLen, Flags, MacAddr, MacAddrData, MacAddrMode, Mode};
use MacVlanMode::{Bridge, Passthrough, Private, Source, Vepa};

/// Always the same, as it is shown.
const SECOND_INDEX: u32 = 6003;

/// A link that is made with these attributes, shown, changed and shown again.
struct State {
    name: &'static str,
    mode: MacVlanMode,
    data: Vec<InfoMacVtap>,
    attributes: Vec<LinkAttribute>,
    changes: Vec<LinkAttribute>,
}

impl State {
    fn new(name: &'static str, mode: MacVlanMode) -> State {
        State {
            name,
            mode,
            data: vec![],
            attributes: vec![],
            changes: vec![],
        }
    }

    fn data(mut self, data: Vec<InfoMacVtap>) -> State {
        self.data = data;
        self
    }

    fn made_with(mut self, attributes: Vec<LinkAttribute>) -> State {
        self.attributes = attributes;
        self
    }

    fn changed_to(mut self, changes: Vec<LinkAttribute>) -> State {
        self.changes = changes;
        self
    }

    fn run(&self) {
        let lower = show::lower();
        let macvtap = Macvtap {
            mode: self.mode,
            data: self.data.clone(),
            attributes: self.attributes.clone(),
            ..show::macvtap()
        };
        let link = macvtap.create(&lower).expect("a link");
        show_now("made", &link);
        for change in &self.changes {
            link.set(change.clone()).expect("a change");
        }
        if !self.changes.is_empty() {
            show_now("changed", &link);
        }
    }
}

fn addresses(last: &[u8]) -> InfoMacVtap {
    let address = |&last: &u8| MacAddr([2, 0, 0, 0, 1, last]);
    MacAddrData(last.iter().map(address).collect())
}

fn states() -> Vec<State> {
    let flags = |bits| Flags(MacVlanFlags::from_bits_retain(bits));
    let set = || MacAddrMode(MacVlanMacAddressMode::Set);
    vec![
        State::new("private", Private).changed_to(vec![info(vec![Mode(Vepa)])]),
        State::new("vepa", Vepa).changed_to(vec![info(vec![Mode(Bridge)])]),
        State::new("bridge", Bridge).changed_to(vec![info(vec![Mode(Source)])]),
        State::new("passthru", Passthrough).changed_to(vec![info(vec![flags(1)])]),
        State::new("source", Source)
            .data(vec![set(), addresses(&[3, 1, 2])])
            .changed_to(vec![info(vec![set(), addresses(&[9, 8, 7, 3])])]),
        State::new("flags", Bridge)
            .data(vec![flags(3)])
            .changed_to(vec![info(vec![flags(2)])]),
        State::new("broadcast", Bridge)
            .data(vec![BcQueueLen(3), BcCutoff(-1)])
            .changed_to(vec![info(vec![BcQueueLen(100_000), BcCutoff(12)])]),
        State::new("queues", Bridge).made_with(vec![
            LinkAttribute::NumTxQueues(4),
            LinkAttribute::NumRxQueues(3),
        ]),
        State::new("lengths", Bridge)
            .made_with(vec![LinkAttribute::TxQueueLen(7), LinkAttribute::Mtu(1400)])
            .changed_to(vec![LinkAttribute::TxQueueLen(0), LinkAttribute::Mtu(68)]),
        State::new("offloads", Bridge)
            .made_with(vec![
                LinkAttribute::GsoMaxSize(30_000),
                LinkAttribute::GsoMaxSegs(17),
                LinkAttribute::GroMaxSize(40_000),
            ])
            .changed_to(vec![
                LinkAttribute::GsoMaxSize(65_536),
                LinkAttribute::GsoMaxSegs(65_535),
                LinkAttribute::GsoIpv4MaxSize(20_000),
                LinkAttribute::GroIpv4MaxSize(21_000),
            ]),
        State::new("names", Bridge).changed_to(vec![
            LinkAttribute::IfAlias("an alias".into()),
            LinkAttribute::Group(42),
            LinkAttribute::Address(vec![2, 0, 0, 0, 0, 0x55]),
        ]),
        State::new("protocol down", Bridge).changed_to(vec![LinkAttribute::ProtoDown(1)]),
    ]
}

pub fn cases(_: Driver) -> Vec<Case> {
    let mut cases: Vec<Case> = states()
        .into_iter()
        .map(|state| Case::new(state.name, move || state.run()))
        .collect();
    cases.extend(crate::cases![
        up_and_down,
        lower_with_other_limits,
        with_open_files,
        stacked,
        lower_in_another_namespace,
    ]);
    cases
}

fn show_now(title: &str, link: &Link) {
    show::link(title, &link.get().expect("the link"));
}

fn up_and_down() {
    let (link, lower) = show::links();
    lower.set_up(true).expect("a link that is up");
    link.set_up(true).expect("a link that is up");
    link.wait_operational();
    show_now("up", &link);
    link.set_up(false).expect("a link that is down");
    show_now("down", &link);
    show_now("lower", &lower);
}

fn lower_with_other_limits() {
    let lower = show::lower();
    for change in [
        LinkAttribute::Mtu(9000),
        LinkAttribute::GsoMaxSize(12_345),
        LinkAttribute::GsoMaxSegs(99),
    ] {
        lower.set(change).expect("a change");
    }
    let link = show::macvtap().create(&lower).expect("a link");
    show_now("made", &link);
    lower.set(LinkAttribute::Mtu(1000)).expect("a change");
    show_now("lower's MTU changed", &link);
}

/// A file's ioctls change what the link can do, and its address.
fn with_open_files() {
    let (link, _lower) = show::links();
    let taps = [Tap::open(&link), Tap::open(&link)];
    show_now("opened", &link);
    taps[0].set_offload(0).expect("TUNSETOFFLOAD");
    show_now("without offloads", &link);
    taps[1].set_offload(0x7f).expect("TUNSETOFFLOAD");
    show_now("with all offloads", &link);
    drop(taps);
    show_now("closed", &link);
}

fn stacked() {
    let (link, lower) = show::links();
    let second = Macvtap {
        name: TAP2,
        index: SECOND_INDEX,
        ..show::macvtap()
    };
    let second = second.create(&link).expect("a link on it");
    show_now("second", &second);
    show_now("first", &link);
    show_now("lower", &lower);
}

fn lower_in_another_namespace() {
    let (link, lower) = show::links();
    let there = Netns::another();
    link.set(LinkAttribute::NetNsFd(std::os::fd::AsRawFd::as_raw_fd(
        &there,
    )))
    .expect("the link to be moved");
    show_now("lower", &lower);
    there.enter();
    show_now("moved", &Link::of_name(TAP).expect("the link"));
}
