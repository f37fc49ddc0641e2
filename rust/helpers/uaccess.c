// SPDX-License-Identifier: GPL-2.0

#include <linux/uaccess.h>

__rust_helper int rust_helper_put_user_u16(u16 value, u16 __user *ptr)
{
	return put_user(value, ptr);
}

__rust_helper int rust_helper_put_user_u32(u32 value, u32 __user *ptr)
{
	return put_user(value, ptr);
}

__rust_helper int rust_helper_get_user_u16(u16 *value, const u16 __user *ptr)
{
	return get_user(*value, ptr);
}

__rust_helper int rust_helper_get_user_u32(u32 *value, const u32 __user *ptr)
{
	return get_user(*value, ptr);
}

__rust_helper unsigned long rust_helper_copy_to_user_16(void __user *to, const void *from)
{
	return copy_to_user(to, from, 16);
}

__rust_helper unsigned long rust_helper_copy_to_user_32(void __user *to, const void *from)
{
	return copy_to_user(to, from, 32);
}
