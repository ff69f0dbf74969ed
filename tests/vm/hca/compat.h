/* SPDX-License-Identifier: GPL-2.0 */
/* What differs between the kernels that railcni_hca is built for: Linux 6.1 to 7.3. */
#ifndef RAILCNI_HCA_COMPAT_H
#define RAILCNI_HCA_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

/* The last argument of create_cq. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
typedef struct uverbs_attr_bundle hca_cq_data;
#else
typedef struct ib_udata hca_cq_data;
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
static inline void *ib_virt_dma_to_ptr(u64 address)
{
	return (void *)(uintptr_t)address;
}
#endif

/* What reg_user_mr gets before its last argument. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
#define HCA_DMAH_ARGUMENT struct ib_dmah *dmah,
#else
#define HCA_DMAH_ARGUMENT
#endif

#endif
