// SPDX-License-Identifier: GPL-2.0
/*
 * railcni_hca: an InfiniBand or RoCE adapter without hardware, for railcni's tests only.
 *
 * QEMU emulates an Intel NIC with SR-IOV (igb: 8086:10c9, its VFs 8086:10ca) and no RDMA adapter.
 * This module gives each such function an RDMA device, so that real PCI functions, a real ib_core
 * and a real ib_ipoib do in a virtual machine what they do in a cluster:
 *
 *   modprobe -a ib_core ib_uverbs ib_umad ib_cm ib_ipoib
 *   insmod railcni_hca.ko link_layer=ib       with igb, igbvf not loaded: it is their PCI driver
 *   insmod railcni_hca.ko link_layer=eth      beside igb and igbvf, loaded before or after
 *
 * link_layer=ib. Real: /sys/bus/pci/devices/BDF/{infiniband,infiniband_verbs,net}, sriov_numvfs,
 * bind and unbind; RDMA namespaces in shared and exclusive mode; IPoIB links, their children by
 * P_Key, datagram and connected mode, with packets passed between all functions of all PFs (one
 * fabric, one subnet); the PF's `ip link set ibX vf N {node_guid|port_guid|state}`: a GUID takes
 * effect when the VF is bound again, a state at once. A LID belongs to the PCI address and so
 * outlives rebinds.
 * link_layer=eth. Real: the RDMA device beside the Ethernet one, its association, its GID table
 * (kept by ib_core from the link's addresses), its move between network namespaces.
 *
 * Not real: there is no user data path (verbs from user space can open a device, query it and make
 * objects, not send), no RDMA read or write, no RoCE traffic. The subnet administrator is sa.c,
 * inside each device; no subnet manager, no MAD but the SA's is answered. P_Key tables are the same
 * for every function: what UFM or OpenSM would do to them is the parameter `pkeys`.
 *
 * Parameters: link_layer=ib|eth; pkeys=0x8001,0x8002,.. follows 0xffff in each port's table
 * (default 0x8001 to 0x800a); unset_guids=1 leaves VFs with GUID 0 until one is set, as some
 * adapters do.
 */
#include <linux/module.h>

#include "hca.h"

bool hca_link_eth;
bool hca_unset_guids;
u16 hca_pkeys[HCA_MAX_PKEYS] = {0x8001, 0x8002, 0x8003, 0x8004, 0x8005,
				0x8006, 0x8007, 0x8008, 0x8009, 0x800a};
int hca_num_pkeys = 10;
struct workqueue_struct *hca_wq;
DEFINE_MUTEX(hca_mutex);
DEFINE_SPINLOCK(hca_lock);
LIST_HEAD(hca_list);

static char *link_layer = "ib";
module_param(link_layer, charp, 0444);
MODULE_PARM_DESC(link_layer,
		 "ib: drive the igb functions as InfiniBand adapters; eth: RoCE beside igb");
module_param_array_named(pkeys, hca_pkeys, ushort, &hca_num_pkeys, 0444);
MODULE_PARM_DESC(pkeys, "P_Keys of each port, after 0xffff");
module_param_named(unset_guids, hca_unset_guids, bool, 0444);
MODULE_PARM_DESC(unset_guids, "VFs have GUID 0 until the PF sets one");

static int __init hca_init(void)
{
	int err;

	if (!strcmp(link_layer, "eth")) {
		hca_link_eth = true;
	} else if (strcmp(link_layer, "ib")) {
		pr_err("railcni_hca: link_layer=%s: expected ib or eth\n", link_layer);
		return -EINVAL;
	}
	/* Completion handlers run here: often under load from softirq, never in it. */
	hca_wq = alloc_workqueue("railcni_hca", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!hca_wq)
		return -ENOMEM;
	err = hca_link_eth ? hca_eth_init() : hca_ib_init();
	if (err)
		destroy_workqueue(hca_wq);
	return err;
}

static void __exit hca_exit(void)
{
	if (hca_link_eth)
		hca_eth_exit();
	else
		hca_ib_exit();
	destroy_workqueue(hca_wq);
	hca_queues_exit();
}

module_init(hca_init);
module_exit(hca_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("InfiniBand and RoCE devices without hardware, for tests");
