// SPDX-License-Identifier: GPL-2.0
/*
 * A module whose loading is a fault of the chosen kind. The harness's self-test
 * checks with it that a kernel's complaint fails a run; the samples of consoles
 * in fixtures/ come from it.
 */

#include <linux/bug.h>
#include <linux/delay.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/string.h>

static char *kind = "warn";
module_param(kind, charp, 0);
MODULE_PARM_DESC(kind, "one of the names in faults[]");

static void fault_warn(void)
{
	WARN(1, "a warning, as ordered\n");
}

static void fault_bug(void)
{
	BUG();
}

static void fault_oops(void)
{
	int *volatile nowhere = NULL;

	*nowhere = 1;
}

static void fault_refcount(void)
{
	refcount_t count = REFCOUNT_INIT(0);

	refcount_inc(&count);
}

static void fault_atomic(void)
{
	preempt_disable();
	schedule();
	preempt_enable();
}

static void fault_shift(void)
{
	volatile int bits = 32;

	pr_info("%d\n", 1 << bits);
}

static void fault_list(void)
{
	LIST_HEAD(head);
	struct list_head entry = { .next = &head, .prev = &head };

	list_del(&entry);
}

/* For the hung-task watchdog. */
static void fault_hang(void)
{
	set_current_state(TASK_UNINTERRUPTIBLE);
	schedule_timeout(60 * HZ);
}

/* For the detectors of lockups and of RCU stalls. */
static void fault_spin(void)
{
	preempt_disable();
	mdelay(15000);
	preempt_enable();
}

static const struct {
	const char *kind;
	void (*commit)(void);
} faults[] = {
	{ "warn", fault_warn },
	{ "bug", fault_bug },
	{ "oops", fault_oops },
	{ "refcount", fault_refcount },
	{ "atomic", fault_atomic },
	{ "shift", fault_shift },
	{ "list", fault_list },
	{ "hang", fault_hang },
	{ "spin", fault_spin },
};

static int __init fault_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		if (!strcmp(kind, faults[i].kind)) {
			faults[i].commit();
			return 0;
		}
	}
	return -EINVAL;
}
module_init(fault_init);

static void __exit fault_exit(void)
{
}
module_exit(fault_exit);

MODULE_DESCRIPTION("Faults on demand, for the test harness");
MODULE_LICENSE("GPL");
