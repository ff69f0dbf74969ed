// SPDX-License-Identifier: GPL-2.0
/* The ib_device of one PCI function: what it says of itself, and its simple objects. */
#include <linux/etherdevice.h>
#include <linux/if_link.h>
#include <linux/netdevice.h>
#include <net/addrconf.h>

#include "hca.h"

void hca_port_guid_to_gid(u64 guid, union ib_gid *gid)
{
	gid->global.subnet_prefix = cpu_to_be64(HCA_SUBNET_PREFIX);
	gid->global.interface_id = cpu_to_be64(guid);
}

u16 hca_pkey_at(u16 index)
{
	if (index == 0)
		return IB_DEFAULT_PKEY_FULL;
	return index <= hca_num_pkeys ? hca_pkeys[index - 1] : 0;
}

bool hca_port_active(const struct hca_dev *hca)
{
	return !READ_ONCE(hca->down);
}

static int hca_query_device(struct ib_device *ibdev, struct ib_device_attr *attr,
			    struct ib_udata *udata)
{
	struct hca_dev *hca = to_hca(ibdev);

	memset(attr, 0, sizeof(*attr));
	attr->fw_ver = 1ULL << 32;
	attr->sys_image_guid = ibdev->node_guid;
	attr->vendor_id = hca->pdev->vendor;
	attr->vendor_part_id = hca->pdev->device;
	attr->hw_ver = 1;
	attr->max_mr_size = ~0ULL;
	attr->page_size_cap = PAGE_SIZE;
	attr->kernel_cap_flags = IBK_LOCAL_DMA_LKEY;
	if (hca->pdev->is_virtfn)
		attr->kernel_cap_flags |= IBK_VIRTUAL_FUNCTION;
	attr->max_qp = 65536;
	attr->max_qp_wr = HCA_MAX_WR;
	attr->max_send_sge = HCA_MAX_SGE;
	attr->max_recv_sge = HCA_MAX_SGE;
	attr->max_sge_rd = 1;
	attr->max_cq = 65536;
	attr->max_cqe = HCA_MAX_CQE;
	attr->max_mr = 65536;
	attr->max_pd = 65536;
	attr->max_qp_rd_atom = 1;
	attr->max_qp_init_rd_atom = 1;
	attr->max_mcast_grp = 8192;
	attr->max_mcast_qp_attach = 64;
	attr->max_total_mcast_qp_attach = 65536;
	attr->max_ah = 65536;
	attr->max_pkeys = 1 + hca_num_pkeys;
	attr->local_ca_ack_delay = 15;
	return 0;
}

static bool hca_netdev_up(struct hca_dev *hca)
{
	return netif_running(hca->ndev) && netif_carrier_ok(hca->ndev);
}

static int hca_query_port(struct ib_device *ibdev, u32 port, struct ib_port_attr *attr)
{
	struct hca_dev *hca = to_hca(ibdev);
	bool up = hca->ndev ? hca_netdev_up(hca) : hca_port_active(hca);

	attr->state = up ? IB_PORT_ACTIVE : IB_PORT_DOWN;
	attr->phys_state = up ? IB_PORT_PHYS_STATE_LINK_UP : IB_PORT_PHYS_STATE_POLLING;
	attr->max_msg_sz = 1U << 30;
	attr->max_vl_num = 1;
	attr->active_width = IB_WIDTH_4X;
	attr->max_mtu = IB_MTU_4096;
	if (hca->ndev) {
		attr->active_mtu = IB_MTU_1024;
		attr->active_speed = IB_SPEED_EDR;
		attr->gid_tbl_len = HCA_GID_TBL_LEN_ETH;
		attr->pkey_tbl_len = 1;
		attr->ip_gids = 1;
		return 0;
	}
	attr->active_mtu = IB_MTU_4096;
	attr->active_speed = IB_SPEED_HDR;
	attr->gid_tbl_len = HCA_GID_TBL_LEN_IB;
	attr->pkey_tbl_len = 1 + hca_num_pkeys;
	attr->port_cap_flags = IB_PORT_SYS_IMAGE_GUID_SUP | IB_PORT_CM_SUP;
	attr->subnet_prefix = HCA_SUBNET_PREFIX;
	attr->lid = hca->lid;
	attr->sm_lid = HCA_SM_LID;
	attr->subnet_timeout = 18;
	return 0;
}

/* IB_PORT_CM_SUP and the like: ib_cm fails on a port that refuses them. */
static int hca_modify_port(struct ib_device *ibdev, u32 port, int mask,
			   struct ib_port_modify *modify)
{
	return 0;
}

static int hca_port_immutable(struct ib_device *ibdev, u32 port, struct ib_port_immutable *imm)
{
	struct ib_port_attr attr = {};

	imm->core_cap_flags =
		to_hca(ibdev)->ndev ? RDMA_CORE_PORT_IBA_ROCE_UDP_ENCAP : RDMA_CORE_PORT_IBA_IB;
	imm->max_mad_size = IB_MGMT_MAD_SIZE;
	hca_query_port(ibdev, port, &attr);
	imm->gid_tbl_len = attr.gid_tbl_len;
	imm->pkey_tbl_len = attr.pkey_tbl_len;
	return 0;
}

static enum rdma_link_layer hca_link_layer(struct ib_device *ibdev, u32 port)
{
	return to_hca(ibdev)->ndev ? IB_LINK_LAYER_ETHERNET : IB_LINK_LAYER_INFINIBAND;
}

static int hca_query_pkey(struct ib_device *ibdev, u32 port, u16 index, u16 *pkey)
{
	*pkey = hca_pkey_at(index);
	return 0;
}

static int hca_query_gid(struct ib_device *ibdev, u32 port, int index, union ib_gid *gid)
{
	memset(gid, 0, sizeof(*gid));
	if (index == 0)
		hca_port_guid_to_gid(to_hca(ibdev)->port_guid, gid);
	return 0;
}

/* ib_core keeps a RoCE port's GID table only for drivers that want to hear of it. */
static int hca_add_gid(const struct ib_gid_attr *attr, void **context)
{
	return 0;
}

static int hca_del_gid(const struct ib_gid_attr *attr, void **context)
{
	return 0;
}

static void hca_fw_str(struct ib_device *ibdev, char *str)
{
	strscpy(str, "1.0.0", IB_FW_VERSION_NAME_MAX);
}

static int hca_alloc_ucontext(struct ib_ucontext *uctx, struct ib_udata *udata)
{
	return 0;
}

static void hca_dealloc_ucontext(struct ib_ucontext *uctx)
{
}

/* Nothing is mapped into user space, so there is nothing to take away. ib_core moves a device to
 * another network namespace only if the driver has this. */
static void hca_disassociate_ucontext(struct ib_ucontext *uctx)
{
}

static int hca_alloc_pd(struct ib_pd *pd, struct ib_udata *udata)
{
	return 0;
}

static int hca_dealloc_pd(struct ib_pd *pd, struct ib_udata *udata)
{
	return 0;
}

static struct ib_mr *hca_alloc_mr(void)
{
	struct ib_mr *mr = kzalloc(sizeof(*mr), GFP_KERNEL);

	return mr ? mr : ERR_PTR(-ENOMEM);
}

static struct ib_mr *hca_get_dma_mr(struct ib_pd *pd, int access)
{
	return hca_alloc_mr();
}

/* Nothing ever reads or writes through a user's memory region, so none is pinned. */
static struct ib_mr *hca_reg_user_mr(struct ib_pd *pd, u64 start, u64 len, u64 virt, int access,
				     HCA_DMAH_ARGUMENT struct ib_udata *udata)
{
	return hca_alloc_mr();
}

static int hca_dereg_mr(struct ib_mr *mr, struct ib_udata *udata)
{
	kfree(mr);
	return 0;
}

static int hca_create_ah(struct ib_ah *ah, struct rdma_ah_init_attr *init, struct ib_udata *udata)
{
	to_hah(ah)->attr = *init->ah_attr;
	return 0;
}

static int hca_query_ah(struct ib_ah *ah, struct rdma_ah_attr *attr)
{
	*attr = to_hah(ah)->attr;
	return 0;
}

static int hca_destroy_ah(struct ib_ah *ah, u32 flags)
{
	return 0;
}

static const struct ib_device_ops hca_ops = {
	.owner = THIS_MODULE,
	/* Of no kernel driver that Debian builds; libibverbs' provider of that name needs nothing
	 * of the kernel but the common commands, so ibv_devinfo works. */
	.driver_id = RDMA_DRIVER_SIW,
	.uverbs_abi_ver = 1,

	.query_device = hca_query_device,
	.query_port = hca_query_port,
	.modify_port = hca_modify_port,
	.get_port_immutable = hca_port_immutable,
	.get_link_layer = hca_link_layer,
	.get_dev_fw_str = hca_fw_str,
	.query_pkey = hca_query_pkey,
	.query_gid = hca_query_gid,
	.alloc_ucontext = hca_alloc_ucontext,
	.dealloc_ucontext = hca_dealloc_ucontext,
	.disassociate_ucontext = hca_disassociate_ucontext,
	.alloc_pd = hca_alloc_pd,
	.dealloc_pd = hca_dealloc_pd,
	.get_dma_mr = hca_get_dma_mr,
	.reg_user_mr = hca_reg_user_mr,
	.dereg_mr = hca_dereg_mr,
	.create_ah = hca_create_ah,
	.create_user_ah = hca_create_ah,
	.query_ah = hca_query_ah,
	.destroy_ah = hca_destroy_ah,
	.create_cq = hca_create_cq,
	.destroy_cq = hca_destroy_cq,
	.poll_cq = hca_poll_cq,
	.req_notify_cq = hca_req_notify_cq,
	.create_qp = hca_create_qp,
	.modify_qp = hca_modify_qp,
	.query_qp = hca_query_qp,
	.destroy_qp = hca_destroy_qp,
	.post_send = hca_post_send,
	.post_recv = hca_post_recv,
	.attach_mcast = hca_attach_mcast,
	.detach_mcast = hca_detach_mcast,

	INIT_RDMA_OBJ_SIZE(ib_ah, hca_ah, ibah),
	INIT_RDMA_OBJ_SIZE(ib_cq, hca_cq, ibcq),
	INIT_RDMA_OBJ_SIZE(ib_pd, hca_pd, ibpd),
	INIT_RDMA_OBJ_SIZE(ib_qp, hca_qp, ibqp),
	INIT_RDMA_OBJ_SIZE(ib_ucontext, hca_ucontext, ibuc),
};

static const struct ib_device_ops hca_eth_ops = {
	.add_gid = hca_add_gid,
	.del_gid = hca_del_gid,
};

/*
 * The GUIDs and LID a function is made with follow from its PCI address: they are the same after
 * each rebind, and a VF's GUIDs are what its PF says. Under
 * hca_mutex.
 */
static int hca_identify(struct hca_dev *hca, struct net_device *ndev)
{
	struct pci_dev *pdev = hca->pdev;
	u16 devid = pci_dev_id(pdev);

	if (ndev) {
		addrconf_addr_eui48((u8 *)&hca->ibdev.node_guid, ndev->dev_addr);
		return 0;
	}
	if (devid == 0 || devid >= HCA_SM_LID) {
		dev_err(&pdev->dev, "railcni_hca: no LID for this PCI address\n");
		return -EINVAL;
	}
	hca->lid = devid;
	hca_assign_guids(hca);
	return pdev->is_virtfn ? 0 : hca_vfs_init(hca);
}

static void hca_unlist(struct hca_dev *hca)
{
	mutex_lock(&hca_mutex);
	spin_lock_irq(&hca_lock);
	list_del(&hca->node);
	spin_unlock_irq(&hca_lock);
	mutex_unlock(&hca_mutex);
}

/*
 * Registers a device for pdev: RoCE if ndev is given, else InfiniBand. The caller holds neither
 * the RTNL nor hca_mutex; clients are attached before this returns.
 */
struct hca_dev *hca_create(struct pci_dev *pdev, struct net_device *ndev)
{
	struct hca_dev *hca = ib_alloc_device(hca_dev, ibdev);
	struct ib_device *ibdev;
	int err;

	if (!hca)
		return ERR_PTR(-ENOMEM);
	ibdev = &hca->ibdev;
	hca->pdev = pdev;
	hca->ndev = ndev;
	ibdev->node_type = RDMA_NODE_IB_CA;
	ibdev->phys_port_cnt = HCA_PORT;
	ibdev->num_comp_vectors = 1;
	ibdev->dev.parent = &pdev->dev;
	snprintf(ibdev->node_desc, sizeof(ibdev->node_desc), "railcni_hca %s", pci_name(pdev));
	ib_set_device_ops(ibdev, &hca_ops);
	if (ndev)
		ib_set_device_ops(ibdev, &hca_eth_ops);
	else if (!pdev->is_virtfn)
		ib_set_device_ops(ibdev, &hca_pf_ops);
	if (ndev) {
		err = ib_device_set_netdev(ibdev, ndev, HCA_PORT);
		if (err)
			goto fail;
	}

	/* Listed before it is registered: IPoIB joins its groups as soon as it is attached. */
	mutex_lock(&hca_mutex);
	err = hca_identify(hca, ndev);
	if (!err) {
		spin_lock_irq(&hca_lock);
		list_add_tail(&hca->node, &hca_list);
		spin_unlock_irq(&hca_lock);
	}
	mutex_unlock(&hca_mutex);
	if (err)
		goto fail;
	err = ib_register_device(ibdev, "hca_%d", NULL);
	if (!err) {
		mutex_lock(&hca_mutex);
		hca->registered = true;
		mutex_unlock(&hca_mutex);
		return hca;
	}

	hca_unlist(hca);
fail:
	kfree(hca->vfs);
	ib_dealloc_device(ibdev);
	return ERR_PTR(err);
}

void hca_destroy(struct hca_dev *hca)
{
	hca_unlist(hca);
	ib_unregister_device(&hca->ibdev);
	kfree(hca->vfs);
	ib_dealloc_device(&hca->ibdev);
}
