// SPDX-License-Identifier: GPL-2.0

#include <linux/ptr_ring.h>

__rust_helper int rust_helper_ptr_ring_init(struct ptr_ring *r, int size, gfp_t gfp)
{
	return ptr_ring_init(r, size, gfp);
}

__rust_helper void *rust_helper___ptr_ring_consume(struct ptr_ring *r)
{
	return __ptr_ring_consume(r);
}

__rust_helper int rust_helper_ptr_ring_resize_multiple_bh(struct ptr_ring **rings,
							  unsigned int nrings,
							  int size, gfp_t gfp,
							  void (*destroy)(void *))
{
	return ptr_ring_resize_multiple_bh(rings, nrings, size, gfp, destroy);
}

__rust_helper void rust_helper_ptr_ring_cleanup(struct ptr_ring *r,
						void (*destroy)(void *))
{
	ptr_ring_cleanup(r, destroy);
}
