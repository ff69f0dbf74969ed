// SPDX-License-Identifier: GPL-2.0
/*
 * The wire: one switch that joins all InfiniBand ports. A message is copied from the sender's
 * buffers to the receiver's inside post_send, under hca_lock; completion handlers are called later,
 * from a work item.
 */
#include <linux/slab.h>

#include "hca.h"

struct hca_member {
	struct list_head node;
	union ib_gid mgid;
	struct hca_qp *qp;
};
static LIST_HEAD(hca_members); /* under hca_lock */

int hca_attach_mcast(struct ib_qp *ibqp, union ib_gid *gid, u16 lid)
{
	struct hca_member *member = kzalloc(sizeof(*member), GFP_KERNEL), *other;

	if (!member)
		return -ENOMEM;
	member->mgid = *gid;
	member->qp = to_hqp(ibqp);
	spin_lock_irq(&hca_lock);
	list_for_each_entry(other, &hca_members, node) {
		if (other->qp == member->qp && !memcmp(&other->mgid, gid, sizeof(*gid))) {
			spin_unlock_irq(&hca_lock);
			kfree(member);
			return 0;
		}
	}
	list_add_tail(&member->node, &hca_members);
	spin_unlock_irq(&hca_lock);
	return 0;
}

/* ib_core destroys no queue pair that is still attached: nothing else need empty the list. */
int hca_detach_mcast(struct ib_qp *ibqp, union ib_gid *gid, u16 lid)
{
	struct hca_member *member, *next;

	spin_lock_irq(&hca_lock);
	list_for_each_entry_safe(member, next, &hca_members, node) {
		if (member->qp == to_hqp(ibqp) && !memcmp(&member->mgid, gid, sizeof(*gid))) {
			list_del(&member->node);
			kfree(member);
		}
	}
	spin_unlock_irq(&hca_lock);
	return 0;
}

/* Where the next byte of a scatter or gather list is. */
struct hca_cursor {
	const struct ib_sge *sge;
	int left;
	u32 offset;
};

/* Copies to or, if !to_list, from the list. False if the list is too short. */
static bool hca_copy(struct hca_cursor *at, void *buf, u32 len, bool to_list)
{
	while (len) {
		u32 part;
		void *mem;

		if (!at->left)
			return false;
		part = min(len, at->sge->length - at->offset);
		mem = ib_virt_dma_to_ptr(at->sge->addr) + at->offset;
		if (to_list)
			memcpy(mem, buf, part);
		else
			memcpy(buf, mem, part);
		buf += part;
		len -= part;
		at->offset += part;
		if (at->offset == at->sge->length) {
			at->sge++;
			at->left--;
			at->offset = 0;
		}
	}
	return true;
}

static u32 hca_sge_len(const struct ib_sge *sge, int num)
{
	u32 len = 0;

	while (num--)
		len += sge++->length;
	return len;
}

static void hca_fill(const struct hca_rwqe *rwqe, const struct hca_msg *msg, u32 grh_len)
{
	struct hca_cursor to = {.sge = rwqe->sge, .left = rwqe->num_sge};
	struct ib_grh grh = {};
	int i;

	if (msg->grh)
		grh = *msg->grh;
	hca_copy(&to, &grh, grh_len, true);
	for (i = 0; i < msg->num_sge; i++)
		hca_copy(&to, ib_virt_dma_to_ptr(msg->sge[i].addr), msg->sge[i].length, true);
}

static bool hca_pkeys_match(u16 a, u16 b)
{
	return (a & 0x7fff) && (a & 0x7fff) == (b & 0x7fff) && (a | b) & 0x8000;
}

/* Gives msg to qp. The status is what a connected sender is told; a datagram is just lost. */
enum ib_wc_status hca_receive(struct hca_qp *qp, const struct hca_msg *msg)
{
	bool ud = qp->ibqp.qp_type != IB_QPT_RC;
	u32 grh_len = ud ? sizeof(struct ib_grh) : 0;
	struct hca_rwqe *rwqe;
	struct ib_wc wc = {
		.status = IB_WC_SUCCESS,
		.opcode = IB_WC_RECV,
		.byte_len = grh_len + msg->len,
		.qp = &qp->ibqp,
		.src_qp = msg->src_qpn,
		.slid = msg->slid,
		.sl = msg->sl,
		.port_num = HCA_PORT,
		.pkey_index = ud ? qp->attr.pkey_index : 0,
	};

	if (qp->attr.qp_state < IB_QPS_RTR || qp->attr.qp_state > IB_QPS_SQE)
		return IB_WC_RETRY_EXC_ERR;
	if (ud && qp->ibqp.qp_num != 1 &&
	    (msg->qkey != qp->attr.qkey ||
	     !hca_pkeys_match(msg->pkey, hca_pkey_at(qp->attr.pkey_index))))
		return IB_WC_RETRY_EXC_ERR;
	rwqe = hca_next_rwqe(qp);
	if (!rwqe)
		return IB_WC_RNR_RETRY_EXC_ERR;
	if (hca_sge_len(rwqe->sge, rwqe->num_sge) < wc.byte_len)
		return IB_WC_REM_INV_REQ_ERR;
	hca_fill(rwqe, msg, grh_len);
	wc.wr_id = rwqe->wr_id;
	if (msg->grh && ud)
		wc.wc_flags |= IB_WC_GRH;
	if (msg->has_imm) {
		wc.wc_flags |= IB_WC_WITH_IMM;
		wc.ex.imm_data = msg->imm;
	}
	hca_pop_rwqe(qp);
	hca_push_wc(to_hcq(qp->ibqp.recv_cq), &wc);
	return IB_WC_SUCCESS;
}

static struct hca_dev *hca_by_lid(u16 lid)
{
	struct hca_dev *hca;

	list_for_each_entry(hca, &hca_list, node)
		if (!hca->ndev && hca->lid == lid && hca_port_active(hca))
			return hca;
	return NULL;
}

static enum ib_wc_status hca_unicast(u16 lid, u32 qpn, const struct hca_msg *msg)
{
	struct hca_dev *peer = hca_by_lid(lid);
	struct hca_qp *qp = peer ? hca_find_qp(peer, qpn) : NULL;

	return qp ? hca_receive(qp, msg) : IB_WC_RETRY_EXC_ERR;
}

static void hca_multicast(struct hca_qp *sender, const u8 *mgid, const struct hca_msg *msg)
{
	struct hca_member *member;

	list_for_each_entry(member, &hca_members, node)
		if (member->qp != sender && !memcmp(member->mgid.raw, mgid, 16) &&
		    hca_port_active(to_hca(member->qp->ibqp.device)))
			hca_receive(member->qp, msg);
}

/* A request to the subnet administrator is answered at once, to the QP1 it came from. */
static void hca_ask_sa(struct hca_dev *hca, const struct hca_msg *request)
{
	struct ib_sa_mad mad;
	struct hca_cursor from = {.sge = request->sge, .left = request->num_sge};
	struct ib_sge sge = {.addr = (uintptr_t)&mad, .length = sizeof(mad)};
	struct hca_msg answer = {
		.sge = &sge,
		.num_sge = 1,
		.len = sizeof(mad),
		.slid = HCA_SM_LID,
		.src_qpn = 1,
		.pkey = IB_DEFAULT_PKEY_FULL,
	};

	if (request->len != sizeof(mad) || !hca_copy(&from, &mad, sizeof(mad), false))
		return;
	if (hca->gsi && hca_sa_answer(hca, &mad))
		hca_receive(hca->gsi, &answer);
}

static void hca_make_grh(struct ib_grh *grh, struct hca_dev *hca,
			 const struct ib_global_route *route, u32 len)
{
	grh->version_tclass_flow =
		cpu_to_be32(6U << 28 | route->traffic_class << 20 | (route->flow_label & 0xfffff));
	grh->paylen = cpu_to_be16(len);
	grh->next_hdr = 0x1b; /* InfiniBand transport */
	grh->hop_limit = route->hop_limit;
	hca_port_guid_to_gid(hca->port_guid, &grh->sgid);
	grh->dgid = route->dgid;
}

static enum ib_wc_status hca_carry(struct hca_qp *qp, const struct ib_send_wr *wr)
{
	struct hca_dev *hca = to_hca(qp->ibqp.device);
	struct hca_msg msg = {
		.sge = wr->sg_list,
		.num_sge = wr->num_sge,
		.len = hca_sge_len(wr->sg_list, wr->num_sge),
		.slid = hca->lid,
		.src_qpn = qp->ibqp.qp_num,
		.pkey = hca_pkey_at(qp->attr.pkey_index),
		.has_imm = wr->opcode == IB_WR_SEND_WITH_IMM,
		.imm = wr->ex.imm_data,
	};
	const struct rdma_ah_attr *av;
	struct ib_grh grh;
	u32 qpn;

	if (qp->ibqp.qp_type == IB_QPT_RC) {
		av = &qp->attr.ah_attr;
		if (hca->ndev || !hca_port_active(hca))
			return IB_WC_RETRY_EXC_ERR;
		return hca_unicast(rdma_ah_get_dlid(av), qp->attr.dest_qp_num, &msg);
	}

	av = &to_hah(ud_wr(wr)->ah)->attr;
	qpn = ud_wr(wr)->remote_qpn;
	if (hca->ndev || !hca_port_active(hca))
		return IB_WC_SUCCESS;
	msg.sl = rdma_ah_get_sl(av);
	msg.qkey = ud_wr(wr)->remote_qkey;
	if (msg.qkey & IB_QP_SET_QKEY && qp->ibqp.qp_num != 1)
		msg.qkey = qp->attr.qkey;
	if (qp->ibqp.qp_num == 1)
		msg.pkey = hca_pkey_at(ud_wr(wr)->pkey_index);
	if (rdma_ah_get_ah_flags(av) & IB_AH_GRH) {
		hca_make_grh(&grh, hca, &av->grh, msg.len);
		msg.grh = &grh;
	}
	if (qpn == IB_MULTICAST_QPN)
		hca_multicast(qp, av->grh.dgid.raw, &msg);
	else if (rdma_ah_get_dlid(av) != HCA_SM_LID)
		hca_unicast(rdma_ah_get_dlid(av), qpn, &msg);
	else if (qp->ibqp.qp_num == 1 && qpn == 1)
		hca_ask_sa(hca, &msg);
	return IB_WC_SUCCESS;
}

/*
 * The sender's completion is queued before the message is carried: an SA's answer to a MAD must not
 * be polled before the MAD's own completion. Its status is known only afterwards, for connected
 * queue pairs, which have no such order to keep.
 */
static void hca_send_one(struct hca_qp *qp, const struct ib_send_wr *wr)
{
	bool rc = qp->ibqp.qp_type == IB_QPT_RC;
	struct ib_wc wc = {
		.wr_id = wr->wr_id,
		.status = IB_WC_SUCCESS,
		.opcode = IB_WC_SEND,
		.qp = &qp->ibqp,
		.port_num = HCA_PORT,
	};
	bool live = qp->attr.qp_state == IB_QPS_RTS;

	if (!live)
		wc.status = IB_WC_WR_FLUSH_ERR;
	else if (rc)
		wc.status = hca_carry(qp, wr);
	if (qp->sig_all || wr->send_flags & IB_SEND_SIGNALED || wc.status)
		hca_push_wc(to_hcq(qp->ibqp.send_cq), &wc);
	if (live && !rc)
		hca_carry(qp, wr);
}

int hca_post_send(struct ib_qp *ibqp, const struct ib_send_wr *wr, const struct ib_send_wr **bad_wr)
{
	struct hca_qp *qp = to_hqp(ibqp);
	unsigned long flags;
	int err = 0;

	*bad_wr = wr;
	if (ibqp->uobject)
		return -EOPNOTSUPP; /* addresses are taken for the kernel's */
	spin_lock_irqsave(&hca_lock, flags);
	for (; wr; wr = wr->next) {
		*bad_wr = wr;
		if (qp->attr.qp_state < IB_QPS_RTS || wr->num_sge > qp->cap.max_send_sge ||
		    (wr->opcode != IB_WR_SEND && wr->opcode != IB_WR_SEND_WITH_IMM)) {
			err = -EINVAL;
			break;
		}
		hca_send_one(qp, wr);
	}
	spin_unlock_irqrestore(&hca_lock, flags);
	return err;
}
