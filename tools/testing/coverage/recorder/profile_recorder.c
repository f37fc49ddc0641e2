// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps what the counters of modules say that are built with rustc's
 * -Cinstrument-coverage and linked by profile.lds, and prints it when the
 * machine goes down. The kernel announces that a module goes after the module's
 * exit function has run, so nothing of a module's life is lost.
 */

#define pr_fmt(fmt) "profile: " fmt

#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/string.h>

#define COUNTERS_PER_LINE 16

/* LLVM's name for this. Those who refer to it are loaded after this module. */
int __llvm_profile_runtime;
EXPORT_SYMBOL_GPL(__llvm_profile_runtime);

/* The profile of one module, however often it is loaded. */
struct profile {
	struct list_head list;
	char name[MODULE_NAME_LEN];
	const u64 *live; /* in the module, while it is loaded */
	size_t count;
	u64 total[] __counted_by(count);
};

/* Modules come and go at the same time as others. */
static DEFINE_MUTEX(profiles_lock);
static LIST_HEAD(profiles);

static unsigned long symbol(struct module *mod, const char *name)
{
	const struct mod_kallsyms *table;
	unsigned int i;

	guard(rcu)();
	table = rcu_dereference(mod->kallsyms);
	for (i = 0; i < table->num_symtab; i++)
		if (!strcmp(table->strtab + table->symtab[i].st_name, name))
			return table->symtab[i].st_value;
	return 0;
}

static struct profile *find(const struct module *mod)
{
	struct profile *profile;

	list_for_each_entry(profile, &profiles, list)
		if (!strcmp(profile->name, mod->name))
			return profile;
	return NULL;
}

static void save(struct profile *profile)
{
	size_t i;

	if (!profile->live)
		return;
	for (i = 0; i < profile->count; i++)
		profile->total[i] += READ_ONCE(profile->live[i]);
	profile->live = NULL;
}

static int comes(struct module *mod)
{
	unsigned long start = symbol(mod, "__start___llvm_prf_cnts");
	unsigned long stop = symbol(mod, "__stop___llvm_prf_cnts");
	size_t count = (stop - start) / sizeof(u64);
	struct profile *profile;

	if (!start)
		return 0;
	profile = find(mod);
	if (!profile) {
		profile = kvzalloc(struct_size(profile, total, count), GFP_KERNEL);
		if (!profile)
			return -ENOMEM;
		strscpy(profile->name, mod->name);
		profile->count = count;
		list_add_tail(&profile->list, &profiles);
	}
	/* Counters of another build cannot be added. */
	if (profile->count != count)
		return -EINVAL;
	profile->live = (const u64 *)start;
	return 0;
}

static int module_changes(struct notifier_block *self, unsigned long state, void *data)
{
	struct profile *profile;

	guard(mutex)(&profiles_lock);
	if (state == MODULE_STATE_COMING)
		return notifier_from_errno(comes(data));
	if (state == MODULE_STATE_GOING) {
		profile = find(data);
		if (profile)
			save(profile);
	}
	return NOTIFY_DONE;
}

static struct notifier_block module_notifier = { .notifier_call = module_changes };

static void print(const struct profile *profile)
{
	char line[COUNTERS_PER_LINE * sizeof(" 18446744073709551615")];
	size_t at, i;
	int length;

	for (at = 0; at < profile->count; at += COUNTERS_PER_LINE) {
		length = 0;
		for (i = at; i < min(at + COUNTERS_PER_LINE, profile->count); i++)
			length += scnprintf(line + length, sizeof(line) - length, " %llu",
					    profile->total[i]);
		pr_info("%s %zu/%zu%s\n", profile->name, at, profile->count, line);
	}
}

static int machine_goes(struct notifier_block *self, unsigned long how, void *data)
{
	struct profile *profile;

	guard(mutex)(&profiles_lock);
	list_for_each_entry(profile, &profiles, list) {
		save(profile);
		print(profile);
	}
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = { .notifier_call = machine_goes };

/* There is no exit: who unloads all modules that are not used must spare this one. */
static int __init profile_recorder_init(void)
{
	int error;

	error = register_reboot_notifier(&reboot_notifier);
	if (error)
		return error;
	error = register_module_notifier(&module_notifier);
	if (error)
		unregister_reboot_notifier(&reboot_notifier);
	return error;
}
module_init(profile_recorder_init);

MODULE_DESCRIPTION("Prints how often code in instrumented modules ran");
MODULE_LICENSE("GPL");
