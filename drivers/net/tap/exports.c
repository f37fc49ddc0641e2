// SPDX-License-Identifier: GPL-2.0
/*
 * The symbols of if_tap.h are defined in ffi.rs; exporting them takes a C
 * object, which also gives them their C prototypes.
 */

#include <linux/export.h>
#include <linux/if_tap.h>

EXPORT_SYMBOL_GPL(tap_create_cdev);
EXPORT_SYMBOL_GPL(tap_del_queues);
EXPORT_SYMBOL_GPL(tap_destroy_cdev);
EXPORT_SYMBOL_GPL(tap_free_minor);
EXPORT_SYMBOL_GPL(tap_get_minor);
EXPORT_SYMBOL_GPL(tap_get_ptr_ring);
EXPORT_SYMBOL_GPL(tap_get_socket);
EXPORT_SYMBOL_GPL(tap_handle_frame);
EXPORT_SYMBOL_GPL(tap_queue_resize);
