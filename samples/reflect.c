// SPDX-License-Identifier: GPL-2.0
/*
 * Sends every frame that a macvtap link gets back to its sender: the least that a
 * program does to read and write frames.
 *
 *	cc reflect.c -o reflect
 *	ip link add link eth0 name macvtap0 type macvtap mode bridge
 *	ip link set macvtap0 up
 *	./reflect /dev/tap$(cat /sys/class/net/macvtap0/ifindex)
 */

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_tun.h>

static void die(const char *what)
{
	fprintf(stderr, "reflect: %s: %s\n", what, strerror(errno));
	exit(1);
}

int main(int argc, char **argv)
{
	static unsigned char frame[65536];
	struct ethhdr *header = (struct ethhdr *)frame;
	struct ifreq request = { 0 };
	ssize_t length;
	int tap;

	if (argc != 2) {
		fprintf(stderr, "usage: reflect NODE\n");
		return 1;
	}
	tap = open(argv[1], O_RDWR);
	if (tap < 0)
		die(argv[1]);

	/* No virtio-net header: frames only. The name is the link's in any case. */
	request.ifr_flags = IFF_TAP | IFF_NO_PI;
	if (ioctl(tap, TUNSETIFF, &request))
		die("TUNSETIFF");
	/* The link only gets what is sent to its own address, and broadcasts. */
	if (ioctl(tap, SIOCGIFHWADDR, &request))
		die("SIOCGIFHWADDR");

	/* Each read() takes one frame, and each write() sends one. */
	while ((length = read(tap, frame, sizeof(frame))) >= 0) {
		memcpy(header->h_dest, header->h_source, ETH_ALEN);
		memcpy(header->h_source, request.ifr_hwaddr.sa_data, ETH_ALEN);
		if (write(tap, frame, length) < 0)
			die("write");
	}
	die("read");
}
