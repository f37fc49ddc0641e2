// SPDX-License-Identifier: GPL-2.0

#include <linux/skb_array.h>

__rust_helper int rust_helper_skb_array_peek_len(struct skb_array *a)
{
	return skb_array_peek_len(a);
}
