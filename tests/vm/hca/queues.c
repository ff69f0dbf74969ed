// SPDX-License-Identifier: GPL-2.0
/* Completion queues and queue pairs, without the wire between them: that is fabric.c. */
#include <linux/slab.h>
#include <linux/xarray.h>

#include "hca.h"

#define HCA_FIRST_QPN 0x100
#define HCA_LAST_QPN 0xfffffe

/* All queue pairs but QP0 and QP1, of all devices: a number is not soon used again. */
static DEFINE_XARRAY_FLAGS(hca_qps, XA_FLAGS_ALLOC | XA_FLAGS_LOCK_IRQ);
static u32 hca_next_qpn = HCA_FIRST_QPN;

static void hca_notify(struct work_struct *work)
{
	struct ib_cq *ibcq = &container_of(work, struct hca_cq, notify)->ibcq;

	/* Handlers schedule NAPI, which must not be left pending in a task. */
	local_bh_disable();
	ibcq->comp_handler(ibcq, ibcq->cq_context);
	local_bh_enable();
}

int hca_create_cq(struct ib_cq *ibcq, const struct ib_cq_init_attr *attr,
		  hca_cq_data *data)
{
	struct hca_cq *cq = to_hcq(ibcq);

	if (!attr->cqe || attr->cqe > HCA_MAX_CQE || attr->flags)
		return -EINVAL;
	cq->size = attr->cqe;
	cq->ring = kvcalloc(cq->size, sizeof(*cq->ring), GFP_KERNEL);
	if (!cq->ring)
		return -ENOMEM;
	INIT_WORK(&cq->notify, hca_notify);
	ibcq->cqe = cq->size;
	return 0;
}

/* No queue pair uses it any more, so nothing can queue the work again. */
int hca_destroy_cq(struct ib_cq *ibcq, struct ib_udata *udata)
{
	struct hca_cq *cq = to_hcq(ibcq);

	cancel_work_sync(&cq->notify);
	kvfree(cq->ring);
	return 0;
}

int hca_poll_cq(struct ib_cq *ibcq, int num, struct ib_wc *wc)
{
	struct hca_cq *cq = to_hcq(ibcq);
	unsigned long flags;
	int i;

	spin_lock_irqsave(&hca_lock, flags);
	for (i = 0; i < num && cq->count; i++) {
		wc[i] = cq->ring[cq->head];
		cq->head = (cq->head + 1) % cq->size;
		cq->count--;
	}
	spin_unlock_irqrestore(&hca_lock, flags);
	return i;
}

int hca_req_notify_cq(struct ib_cq *ibcq, enum ib_cq_notify_flags notify)
{
	struct hca_cq *cq = to_hcq(ibcq);
	unsigned long flags;
	int missed;

	spin_lock_irqsave(&hca_lock, flags);
	cq->armed = true;
	missed = notify & IB_CQ_REPORT_MISSED_EVENTS && cq->count;
	spin_unlock_irqrestore(&hca_lock, flags);
	return missed;
}

void hca_push_wc(struct hca_cq *cq, const struct ib_wc *wc)
{
	if (cq->count == cq->size) {
		pr_warn_ratelimited("railcni_hca: a completion queue of %u overflows\n", cq->size);
		return;
	}
	cq->ring[(cq->head + cq->count) % cq->size] = *wc;
	cq->count++;
	if (cq->armed) {
		cq->armed = false;
		queue_work(hca_wq, &cq->notify);
	}
}

static void hca_purge_cq(struct ib_cq *ibcq, struct ib_qp *ibqp)
{
	struct hca_cq *cq;
	u32 i, kept = 0;

	if (!ibcq)
		return;
	cq = to_hcq(ibcq);
	for (i = 0; i < cq->count; i++) {
		struct ib_wc *wc = &cq->ring[(cq->head + i) % cq->size];

		if (wc->qp != ibqp)
			cq->ring[(cq->head + kept++) % cq->size] = *wc;
	}
	cq->count = kept;
}

static struct hca_rwqe *hca_rwqe_at(struct hca_qp *qp, u32 index)
{
	return qp->rq + (index % qp->cap.max_recv_wr) * qp->rwqe_size;
}

struct hca_rwqe *hca_next_rwqe(struct hca_qp *qp)
{
	return qp->rq_count ? hca_rwqe_at(qp, qp->rq_head) : NULL;
}

void hca_pop_rwqe(struct hca_qp *qp)
{
	qp->rq_head = (qp->rq_head + 1) % qp->cap.max_recv_wr;
	qp->rq_count--;
}

/* The receiver's owner waits for each buffer to come back: `ip link set ib0 down` for seconds. */
static void hca_flush_rq(struct hca_qp *qp)
{
	struct ib_wc wc = {
		.status = IB_WC_WR_FLUSH_ERR,
		.opcode = IB_WC_RECV,
		.qp = &qp->ibqp,
		.port_num = HCA_PORT,
	};

	while (qp->rq_count) {
		wc.wr_id = hca_next_rwqe(qp)->wr_id;
		hca_push_wc(to_hcq(qp->ibqp.recv_cq), &wc);
		hca_pop_rwqe(qp);
	}
}

static void hca_reset_qp(struct hca_qp *qp)
{
	qp->rq_count = 0;
	hca_purge_cq(qp->ibqp.send_cq, &qp->ibqp);
	hca_purge_cq(qp->ibqp.recv_cq, &qp->ibqp);
}

struct hca_qp *hca_find_qp(struct hca_dev *hca, u32 qpn)
{
	struct hca_qp *qp;

	if (qpn == 1)
		return hca->gsi;
	qp = xa_load(&hca_qps, qpn);
	return qp && qp->ibqp.device == &hca->ibdev ? qp : NULL;
}

static int hca_number_qp(struct hca_qp *qp, enum ib_qp_type type)
{
	struct hca_dev *hca = to_hca(qp->ibqp.device);
	u32 qpn;
	int err;

	switch (type) {
	case IB_QPT_SMI:
		qp->ibqp.qp_num = 0;
		return 0;
	case IB_QPT_GSI:
		spin_lock_irq(&hca_lock);
		err = hca->gsi ? -EBUSY : 0;
		if (!err)
			hca->gsi = qp;
		spin_unlock_irq(&hca_lock);
		qp->ibqp.qp_num = 1;
		return err;
	case IB_QPT_UD:
	case IB_QPT_RC:
		err = xa_alloc_cyclic_irq(&hca_qps, &qpn, qp, XA_LIMIT(HCA_FIRST_QPN, HCA_LAST_QPN),
					  &hca_next_qpn, GFP_KERNEL);
		qp->ibqp.qp_num = qpn;
		return min(err, 0);
	default:
		return -EOPNOTSUPP;
	}
}

int hca_create_qp(struct ib_qp *ibqp, struct ib_qp_init_attr *attr, struct ib_udata *udata)
{
	struct hca_qp *qp = to_hqp(ibqp);
	int err;

	if (attr->create_flags || attr->srq)
		return -EOPNOTSUPP;
	if (attr->cap.max_recv_wr > HCA_MAX_WR || attr->cap.max_send_wr > HCA_MAX_WR ||
	    attr->cap.max_recv_sge > HCA_MAX_SGE || attr->cap.max_send_sge > HCA_MAX_SGE)
		return -EINVAL;
	attr->cap.max_inline_data = 0;
	qp->cap = attr->cap;
	qp->sig_all = attr->sq_sig_type == IB_SIGNAL_ALL_WR;
	qp->attr.qp_state = IB_QPS_RESET;
	qp->rwqe_size = struct_size((struct hca_rwqe *)NULL, sge, qp->cap.max_recv_sge);
	if (qp->cap.max_recv_wr) {
		qp->rq = kvcalloc(qp->cap.max_recv_wr, qp->rwqe_size, GFP_KERNEL);
		if (!qp->rq)
			return -ENOMEM;
	}
	err = hca_number_qp(qp, attr->qp_type);
	if (err)
		kvfree(qp->rq);
	return err;
}

int hca_destroy_qp(struct ib_qp *ibqp, struct ib_udata *udata)
{
	struct hca_dev *hca = to_hca(ibqp->device);
	struct hca_qp *qp = to_hqp(ibqp);

	if (ibqp->qp_num >= HCA_FIRST_QPN)
		xa_erase_irq(&hca_qps, ibqp->qp_num);
	/* Who has found it before holds this lock until it is done with it. */
	spin_lock_irq(&hca_lock);
	if (hca->gsi == qp)
		hca->gsi = NULL;
	hca_reset_qp(qp);
	spin_unlock_irq(&hca_lock);
	kvfree(qp->rq);
	return 0;
}

static void hca_apply_attr(struct ib_qp_attr *to, const struct ib_qp_attr *from, int mask)
{
	if (mask & IB_QP_STATE)
		to->qp_state = from->qp_state;
	if (mask & IB_QP_ACCESS_FLAGS)
		to->qp_access_flags = from->qp_access_flags;
	if (mask & IB_QP_PKEY_INDEX)
		to->pkey_index = from->pkey_index;
	if (mask & IB_QP_PORT)
		to->port_num = from->port_num;
	if (mask & IB_QP_QKEY)
		to->qkey = from->qkey;
	if (mask & IB_QP_AV) {
		to->ah_attr = from->ah_attr;
		to->ah_attr.grh.sgid_attr = NULL; /* ib_core's reference, not ours */
	}
	if (mask & IB_QP_PATH_MTU)
		to->path_mtu = from->path_mtu;
	if (mask & IB_QP_TIMEOUT)
		to->timeout = from->timeout;
	if (mask & IB_QP_RETRY_CNT)
		to->retry_cnt = from->retry_cnt;
	if (mask & IB_QP_RNR_RETRY)
		to->rnr_retry = from->rnr_retry;
	if (mask & IB_QP_RQ_PSN)
		to->rq_psn = from->rq_psn;
	if (mask & IB_QP_SQ_PSN)
		to->sq_psn = from->sq_psn;
	if (mask & IB_QP_MAX_QP_RD_ATOMIC)
		to->max_rd_atomic = from->max_rd_atomic;
	if (mask & IB_QP_MAX_DEST_RD_ATOMIC)
		to->max_dest_rd_atomic = from->max_dest_rd_atomic;
	if (mask & IB_QP_MIN_RNR_TIMER)
		to->min_rnr_timer = from->min_rnr_timer;
	if (mask & IB_QP_DEST_QPN)
		to->dest_qp_num = from->dest_qp_num;
}

int hca_modify_qp(struct ib_qp *ibqp, struct ib_qp_attr *attr, int mask, struct ib_udata *udata)
{
	struct hca_qp *qp = to_hqp(ibqp);
	enum ib_qp_state now, next;
	unsigned long flags;
	int err = 0;

	if (mask & ~IB_QP_ATTR_STANDARD_BITS)
		return -EOPNOTSUPP;
	spin_lock_irqsave(&hca_lock, flags);
	now = mask & IB_QP_CUR_STATE ? attr->cur_qp_state : qp->attr.qp_state;
	next = mask & IB_QP_STATE ? attr->qp_state : now;
	if (!ib_modify_qp_is_ok(now, next, ibqp->qp_type, mask)) {
		err = -EINVAL;
		goto unlock;
	}
	hca_apply_attr(&qp->attr, attr, mask);
	if (next == IB_QPS_RESET)
		hca_reset_qp(qp);
	else if (next == IB_QPS_ERR)
		hca_flush_rq(qp);
unlock:
	spin_unlock_irqrestore(&hca_lock, flags);
	return err;
}

int hca_query_qp(struct ib_qp *ibqp, struct ib_qp_attr *attr, int mask,
		 struct ib_qp_init_attr *init)
{
	struct hca_qp *qp = to_hqp(ibqp);
	unsigned long flags;

	spin_lock_irqsave(&hca_lock, flags);
	*attr = qp->attr;
	spin_unlock_irqrestore(&hca_lock, flags);
	attr->cur_qp_state = attr->qp_state;
	attr->cap = qp->cap;
	init->qp_context = ibqp->qp_context;
	init->send_cq = ibqp->send_cq;
	init->recv_cq = ibqp->recv_cq;
	init->qp_type = ibqp->qp_type;
	init->sq_sig_type = qp->sig_all ? IB_SIGNAL_ALL_WR : IB_SIGNAL_REQ_WR;
	init->cap = qp->cap;
	return 0;
}

int hca_post_recv(struct ib_qp *ibqp, const struct ib_recv_wr *wr, const struct ib_recv_wr **bad_wr)
{
	struct hca_qp *qp = to_hqp(ibqp);
	struct hca_rwqe *rwqe;
	unsigned long flags;
	int err = 0;

	*bad_wr = wr;
	if (ibqp->uobject)
		return -EOPNOTSUPP; /* addresses are taken for the kernel's */
	spin_lock_irqsave(&hca_lock, flags);
	for (; wr && !err; wr = wr->next) {
		*bad_wr = wr;
		if (qp->attr.qp_state == IB_QPS_RESET || wr->num_sge > qp->cap.max_recv_sge) {
			err = -EINVAL;
		} else if (qp->rq_count == qp->cap.max_recv_wr) {
			err = -ENOMEM;
		} else {
			rwqe = hca_rwqe_at(qp, qp->rq_head + qp->rq_count++);
			rwqe->wr_id = wr->wr_id;
			rwqe->num_sge = wr->num_sge;
			memcpy(rwqe->sge, wr->sg_list, wr->num_sge * sizeof(*wr->sg_list));
		}
	}
	if (qp->attr.qp_state == IB_QPS_ERR)
		hca_flush_rq(qp);
	spin_unlock_irqrestore(&hca_lock, flags);
	return err;
}

void hca_queues_exit(void)
{
	WARN_ON(!xa_empty(&hca_qps));
}
