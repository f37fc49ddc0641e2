#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# libvirt, which makes and deletes the links of its domains and opens their nodes: its
# interfaces of type "direct" in each mode, with one queue and several, whose packets
# QEMU moves or vhost-net. For the latter it wants KVM.
#
#   namespace "mt-peer"  |  this namespace                             |  guest
#              mt-peer0 <-> mt-lower <- mt-tap <- /dev/tapN <- libvirt <- QEMU
#
# The daemons take long to start: all cases, which are calls of this file, have the
# same ones.

. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../console.sh"
. "$(dirname "$0")/../pxe.sh"
set -o pipefail

CASE_SECONDS=600
kernel=$(dirname "$0")/../../guest/vmlinux
log=/var/log/libvirt/qemu/mt.log
mac=52:54:00:12:34:56

set_up() {
	modprobe vhost_net
	load_kvm
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	# It tells who may use KVM.
	(exec -a systemd-udevd udevadm --daemon)
	udevadm trigger --subsystem-match=misc --settle
	virtlogd --daemon
	libvirtd --daemon
	virsh --quiet version >/dev/null
}

tear_down() {
	local status=$?

	set +e
	pkill -x libvirtd
	pkill -x virtlogd
	pkill -x systemd-udevd
	umount /sys/fs/cgroup
	exit "$status"
}

# interface MODE DRIVER: on mt-lower, with these attributes of the driver.
interface() {
	cat <<-XML
		<interface type='direct'>
			<mac address='$mac'/>
			<source dev='mt-lower' mode='$1'/>
			<target dev='mt-tap'/>
			<model type='virtio'/>
			<driver $2/>
		</interface>
	XML
}

# domain TYPE OS DEVICES [CPU]: the definition of one, "mt", in $work/domain.xml.
domain() {
	cat >"$work/domain.xml" <<-XML
		<domain type='$1'>
			<name>mt</name>
			<memory unit='MiB'>128</memory>
			<vcpu>1</vcpu>
			<os><type arch='x86_64' machine='pc'>hvm</type>$2</os>
			<features><acpi/></features>
			${4:-}
			<devices>
				<controller type='usb' model='none'/>
				$3
				<memballoon model='none'/>
			</devices>
		</domain>
	XML
}

start_domain() {
	virsh --quiet define "$work/domain.xml"
	rm -f "$log"
	ln -s "$log" "$work/qemu.log"
	virsh --quiet start mt
	qemu=$(cat /run/libvirt/qemu/mt.pid)
}

# assert_link MODE QUEUES: as libvirt should have made it.
assert_link() {
	local node

	# ip says it shorter.
	contains "$(ip -d link show mt-tap)" "macvtap mode ${1/passthrough/passthru} "
	contains "$(ip -d link show mt-tap)" "mt-tap@mt-lower: <BROADCAST,MULTICAST,UP,LOWER_UP>"
	same "address" "$(cat /sys/class/net/mt-tap/address)" "$mac"
	node=$(node_of mt-tap)
	same "queues" "$(find "/proc/$qemu/fd" -lname "$node" | wc -l)" "$2"
	contains "$(virsh domiflist mt)" "mt-tap"
}

# assert_traffic: both ways, as the link and libvirt count it.
assert_traffic() {
	local stats counter

	contains "$(in_peer ping -c 3 -W 5 "$1")" " 3 received"
	stats=$(virsh domifstat mt mt-tap)
	for counter in rx_packets tx_packets; do
		[ "$(sed -n "s/^mt-tap $counter //p" <<<"$stats")" -gt 0 ] || fail "$stats"
	done
}

clean_up_domain() {
	local status=$?

	set +e
	virsh --quiet destroy mt 2>/dev/null
	virsh --quiet undefine mt 2>/dev/null
	(exit "$status")
	clean_up_pxe
}

# runs TYPE MODE DRIVER QUEUES: a domain with such an interface does, from its
# definition to its end.
runs() {
	domain "$1" "<boot dev='network'/>" "$(interface "$2" "$3")"
	start_domain
	assert_link "$2" "$4"
	wait_for_guest
	assert_traffic "$(guest_address)"
}

ends() {
	virsh --quiet destroy mt
	nothing_left
	virsh --quiet undefine mt
}

prepare() {
	trap clean_up_domain EXIT
	mkdir "$work"
	new_peer
	serve mt-peer0
}

test_bridge() {
	prepare
	runs qemu bridge "name='qemu'" 1
	ends
}

test_vepa() {
	prepare
	runs qemu vepa "name='qemu'" 1
	ends
}

test_private() {
	prepare
	runs qemu private "name='qemu' queues='4'" 4
	ends
}

# The device has the guest's address meanwhile, and gets its own back.
test_passthru() {
	local own

	prepare
	own=$(cat /sys/class/net/mt-lower/address)
	runs qemu passthrough "name='qemu'" 1
	same "address of the device" "$(cat /sys/class/net/mt-lower/address)" "$mac"
	ends
	same "address of the device" "$(cat /sys/class/net/mt-lower/address)" "$own"
}

run_on_vhost() {
	prepare
	runs kvm bridge "name='vhost' queues='$1'" "$1"
	same "threads of vhost" "$(cat "/proc/$qemu/task"/*/comm | grep -c '^vhost-')" "$1"
	ends
}

test_vhost() {
	run_on_vhost 1
}

test_vhost_with_queues() {
	run_on_vhost 4
}

# A network that hands out devices to put links on.
test_network() {
	prepare
	virsh --quiet net-create /dev/stdin <<-'XML'
		<network>
			<name>mt-net</name>
			<forward mode='bridge'><interface dev='mt-lower'/></forward>
		</network>
	XML
	domain qemu "<boot dev='network'/>" "
		<interface type='network'>
			<mac address='$mac'/>
			<source network='mt-net'/>
			<target dev='mt-tap'/>
			<model type='virtio'/>
		</interface>"
	start_domain
	assert_link bridge 1
	wait_for_guest
	assert_traffic "$(guest_address)"
	ends
	virsh --quiet net-destroy mt-net
}

# The daemon finds the domain and its link again.
test_daemon_restarts() {
	prepare
	runs qemu bridge "name='qemu'" 1
	pkill -x libvirtd
	eventually no_daemon
	libvirtd --daemon
	contains "$(virsh domstate mt)" running
	assert_traffic "$(guest_address)"
	ends
}

no_daemon() {
	! pgrep -x libvirtd >/dev/null
}

# plug MODE DRIVER QUEUES: into a guest that runs Linux, and out again.
plug() {
	interface "$1" "$2" >"$work/interface.xml"
	virsh --quiet attach-device mt "$work/interface.xml" --live
	assert_link "$1" "$3"
	in_guest "until ip link set eth0 up 2>/dev/null; do sleep 0.1; done"
	in_guest "ip address add 192.0.2.2/24 dev eth0"
	contains "$(in_guest "ping -c 3 -s 1400 192.0.2.1")" " 3 packets received"
	assert_traffic 192.0.2.2
	virsh --quiet detach-device mt "$work/interface.xml" --live
	in_guest "while [ -e /sys/class/net/eth0 ]; do sleep 0.1; done"
	eventually absent_link mt-tap
	nothing_left
}

# In KVM on an emulated processor, Linux hangs once in a while when it measures the
# clock. It should not have to wait for random numbers.
test_hotplug() {
	prepare
	make_root ttyS0
	pack_root
	cp "$kernel" "$work/vmlinux"
	open_console
	domain qemu "<kernel>$work/vmlinux</kernel><initrd>$work/initramfs</initrd>
		<cmdline>panic=-1 oops=panic panic_on_warn=1 no_timer_check tsc=unstable</cmdline>" "
		<serial type='pipe'><source path='$work/shell'/></serial>" "
		<cpu mode='custom'><model>qemu64</model><feature policy='require' name='rdrand'/></cpu>"
	start_domain
	hear_guest up
	plug bridge "name='qemu' queues='2'" 2
	plug private "name='qemu'" 1
	virsh --quiet destroy mt
}

if [ $# = 0 ]; then
	set -e
	trap tear_down EXIT
	set_up
fi
run_cases "$@"
