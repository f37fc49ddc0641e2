// SPDX-License-Identifier: GPL-2.0

#include <linux/poll.h>
#include <linux/wait.h>

__rust_helper void rust_helper_init_waitqueue_head(wait_queue_head_t *wq)
{
	init_waitqueue_head(wq);
}

__rust_helper bool rust_helper_wq_has_sleeper(wait_queue_head_t *wq)
{
	return wq_has_sleeper(wq);
}

__rust_helper void rust_helper_wake_up_interruptible_poll(wait_queue_head_t *wq,
							  unsigned int events)
{
	wake_up_interruptible_poll(wq, (__force __poll_t)events);
}
