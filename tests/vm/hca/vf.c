// SPDX-License-Identifier: GPL-2.0
/* The PF's settings of its VFs: GUIDs and link state, as `ip link set PF vf N` knows them. */
#include <linux/if_link.h>
#include <linux/slab.h>

#include "hca.h"

/* Locally administered (bit 1 of the first byte), "rail", the PF's address, 0 or the VF + 1. */
static u64 hca_default_guid(struct pci_dev *pf, int function)
{
	return 0x027261696c000000ULL | pci_dev_id(pf) << 8 | function;
}

static struct hca_dev *hca_find(struct pci_dev *pdev)
{
	struct hca_dev *hca;

	list_for_each_entry(hca, &hca_list, node)
		if (hca->pdev == pdev)
			return hca;
	return NULL;
}

static struct hca_dev *hca_find_vf(struct hca_dev *pf, int vf)
{
	struct hca_dev *hca;

	list_for_each_entry(hca, &hca_list, node)
		if (hca->pdev->is_virtfn && pci_physfn(hca->pdev) == pf->pdev &&
		    pci_iov_vf_id(hca->pdev) == vf)
			return hca;
	return NULL;
}

void hca_assign_guids(struct hca_dev *hca)
{
	struct pci_dev *pdev = hca->pdev, *physfn = pci_physfn(pdev);
	struct hca_dev *pf;
	struct hca_vf set = {.link_state = IFLA_VF_LINK_STATE_AUTO};
	int vf;

	if (!pdev->is_virtfn) {
		set.node_guid = set.port_guid = hca_default_guid(pdev, 0);
	} else {
		vf = pci_iov_vf_id(pdev);
		pf = hca_find(physfn);
		if (pf)
			set = pf->vfs[vf];
		else
			set.node_guid = set.port_guid = hca_default_guid(physfn, vf + 1);
	}
	hca->ibdev.node_guid = cpu_to_be64(set.node_guid);
	hca->port_guid = set.port_guid;
	hca->down = set.link_state == IFLA_VF_LINK_STATE_DISABLE;
}

/* An adapter forgets its VFs' settings when SR-IOV is switched off. */
void hca_vfs_reset(struct hca_dev *pf)
{
	int i, total = pci_sriov_get_totalvfs(pf->pdev);

	for (i = 0; i < total; i++) {
		pf->vfs[i].node_guid = hca_unset_guids ? 0 : hca_default_guid(pf->pdev, i + 1);
		pf->vfs[i].port_guid = pf->vfs[i].node_guid;
		pf->vfs[i].link_state = IFLA_VF_LINK_STATE_AUTO;
	}
}

int hca_vfs_init(struct hca_dev *pf)
{
	pf->vfs = kcalloc(max(pci_sriov_get_totalvfs(pf->pdev), 1), sizeof(*pf->vfs), GFP_KERNEL);
	if (!pf->vfs)
		return -ENOMEM;
	hca_vfs_reset(pf);
	return 0;
}

static struct hca_vf *hca_vf(struct ib_device *ibdev, int vf)
{
	struct hca_dev *pf = to_hca(ibdev);

	return vf >= 0 && vf < pci_num_vf(pf->pdev) ? &pf->vfs[vf] : NULL;
}

static int hca_get_vf_config(struct ib_device *ibdev, int vf, u32 port, struct ifla_vf_info *info)
{
	struct hca_vf *set = hca_vf(ibdev, vf);

	if (!set)
		return -EINVAL;
	info->vf = vf;
	info->linkstate = set->link_state;
	return 0;
}

static int hca_set_vf_link_state(struct ib_device *ibdev, int vf, u32 port, int state)
{
	struct hca_vf *set = hca_vf(ibdev, vf);
	struct ib_event event = {.element.port_num = HCA_PORT};
	struct hca_dev *hca;
	bool down = state == IFLA_VF_LINK_STATE_DISABLE;

	if (!set || state < 0 || state >= __IFLA_VF_LINK_STATE_MAX)
		return -EINVAL;
	mutex_lock(&hca_mutex);
	set->link_state = state;
	hca = hca_find_vf(to_hca(ibdev), vf);
	/* Not `registered` yet: it reads its state when it is, and has nobody to tell. */
	if (hca && hca->down != down) {
		WRITE_ONCE(hca->down, down);
		event.device = &hca->ibdev;
		event.event = down ? IB_EVENT_PORT_ERR : IB_EVENT_PORT_ACTIVE;
		if (hca->registered)
			ib_dispatch_event(&event);
	}
	mutex_unlock(&hca_mutex);
	return 0;
}

static int hca_get_vf_guid(struct ib_device *ibdev, int vf, u32 port,
			   struct ifla_vf_guid *node_guid, struct ifla_vf_guid *port_guid)
{
	struct hca_vf *set = hca_vf(ibdev, vf);

	if (!set)
		return -EINVAL;
	mutex_lock(&hca_mutex);
	node_guid->guid = set->node_guid;
	port_guid->guid = set->port_guid;
	mutex_unlock(&hca_mutex);
	return 0;
}

static int hca_set_vf_guid(struct ib_device *ibdev, int vf, u32 port, u64 guid, int type)
{
	struct hca_vf *set = hca_vf(ibdev, vf);

	if (!set || !guid)
		return -EINVAL;
	mutex_lock(&hca_mutex);
	if (type == IFLA_VF_IB_NODE_GUID)
		set->node_guid = guid;
	else
		set->port_guid = guid;
	mutex_unlock(&hca_mutex);
	return 0;
}

const struct ib_device_ops hca_pf_ops = {
	.get_vf_config = hca_get_vf_config,
	.set_vf_link_state = hca_set_vf_link_state,
	.get_vf_guid = hca_get_vf_guid,
	.set_vf_guid = hca_set_vf_guid,
};
