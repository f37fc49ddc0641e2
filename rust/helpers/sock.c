// SPDX-License-Identifier: GPL-2.0

#include <linux/cred.h>
#include <linux/nsproxy.h>
#include <net/sock.h>

__rust_helper void rust_helper_sock_hold(struct sock *sk)
{
	sock_hold(sk);
}

__rust_helper void rust_helper_sock_put(struct sock *sk)
{
	sock_put(sk);
}

__rust_helper bool rust_helper_sock_flag(const struct sock *sk, enum sock_flags flag)
{
	return sock_flag(sk, flag);
}

__rust_helper void rust_helper_sock_set_flag(struct sock *sk, enum sock_flags flag)
{
	sock_set_flag(sk, flag);
}

__rust_helper kuid_t rust_helper_current_fsuid(void)
{
	return current_fsuid();
}

__rust_helper struct net *rust_helper_current_net_ns(void)
{
	return current->nsproxy ? current->nsproxy->net_ns : NULL;
}
