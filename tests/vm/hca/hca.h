/* SPDX-License-Identifier: GPL-2.0 */
/* The state shared by the parts of railcni_hca; main.c says what it is for. */
#ifndef RAILCNI_HCA_H
#define RAILCNI_HCA_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <rdma/ib_mad.h>
#include <rdma/ib_verbs.h>

#include "compat.h"

#define HCA_PORT 1
#define HCA_SUBNET_PREFIX 0xfe80000000000000ULL /* link-local: what OpenSM sets by default */
#define HCA_SM_LID 0xbfff			/* the last unicast LID: no function has it */
#define HCA_MAX_SGE 32				/* connected-mode IPoIB receives into 17 pages */
#define HCA_MAX_WR 16384
#define HCA_MAX_CQE 131072
#define HCA_MAX_PKEYS 32
#define HCA_GID_TBL_LEN_IB 8
#define HCA_GID_TBL_LEN_ETH 64

/* What the PF's administrator has set for a VF. The GUIDs are read when the VF is probed. */
struct hca_vf {
	u64 node_guid;
	u64 port_guid;
	int link_state; /* IFLA_VF_LINK_STATE_* */
};

struct hca_dev {
	struct ib_device ibdev; /* first: ib_alloc_device() wants it so */
	struct pci_dev *pdev;
	struct list_head node;	 /* hca_list */
	struct net_device *ndev; /* RoCE: the function's link, which outlives this */
	bool down;		 /* the VF's link state is "disable" */
	bool registered;	 /* events may be sent, under hca_mutex */
	u16 lid;
	u64 port_guid;
	struct hca_qp *gsi; /* QP1, under hca_lock */
	struct hca_vf *vfs; /* PF of an InfiniBand pair: pci_sriov_get_totalvfs() of them */
};

struct hca_cq {
	struct ib_cq ibcq;
	struct ib_wc *ring;
	u32 size, head, count;
	bool armed;
	struct work_struct notify;
};

struct hca_rwqe {
	u64 wr_id;
	int num_sge;
	struct ib_sge sge[]; /* max_recv_sge of the queue */
};

struct hca_qp {
	struct ib_qp ibqp;
	struct ib_qp_attr attr; /* as modified so far */
	struct ib_qp_cap cap;
	bool sig_all;
	void *rq; /* cap.max_recv_wr entries of rwqe_size bytes */
	size_t rwqe_size;
	u32 rq_head, rq_count;
};

struct hca_ah {
	struct ib_ah ibah;
	struct rdma_ah_attr attr;
};

struct hca_pd {
	struct ib_pd ibpd;
};

struct hca_ucontext {
	struct ib_ucontext ibuc;
};

#define to_hca(x) container_of(x, struct hca_dev, ibdev)
#define to_hcq(x) container_of(x, struct hca_cq, ibcq)
#define to_hqp(x) container_of(x, struct hca_qp, ibqp)
#define to_hah(x) container_of(x, struct hca_ah, ibah)

/*
 * One message on the fabric, while it is carried from one queue to another:
 * what the receiver's completion and GRH are made from.
 */
struct hca_msg {
	const struct ib_sge *sge; /* gather list, kernel addresses */
	int num_sge;
	u32 len;
	u16 slid;
	u32 src_qpn;
	u32 qkey;
	u16 pkey;
	u8 sl;
	bool has_imm;
	__be32 imm;
	const struct ib_grh *grh; /* or NULL */
};

/* main.c */
extern bool hca_link_eth;    /* link_layer=eth */
extern bool hca_unset_guids; /* VFs have no GUID until one is set */
extern u16 hca_pkeys[HCA_MAX_PKEYS];
extern int hca_num_pkeys;
extern struct workqueue_struct *hca_wq;

/*
 * hca_mutex guards changes of hca_list and the VF settings; hca_lock guards hca_list for those
 * who only look, all queues and the multicast table. It is taken inside hca_mutex. Neither is
 * held when a device is registered or unregistered.
 */
extern struct mutex hca_mutex;
extern spinlock_t hca_lock;
extern struct list_head hca_list;

/* device.c: makes and removes the ib_device of one function. */
struct hca_dev *hca_create(struct pci_dev *pdev, struct net_device *ndev);
void hca_destroy(struct hca_dev *hca);
void hca_port_guid_to_gid(u64 guid, union ib_gid *gid);
u16 hca_pkey_at(u16 index);
bool hca_port_active(const struct hca_dev *hca); /* InfiniBand only */

/* queues.c: completion queues, queue pairs. */
int hca_create_cq(struct ib_cq *ibcq, const struct ib_cq_init_attr *attr, hca_cq_data *data);
int hca_destroy_cq(struct ib_cq *ibcq, struct ib_udata *udata);
int hca_poll_cq(struct ib_cq *ibcq, int num, struct ib_wc *wc);
int hca_req_notify_cq(struct ib_cq *ibcq, enum ib_cq_notify_flags flags);
int hca_create_qp(struct ib_qp *ibqp, struct ib_qp_init_attr *attr, struct ib_udata *udata);
int hca_modify_qp(struct ib_qp *ibqp, struct ib_qp_attr *attr, int mask, struct ib_udata *udata);
int hca_query_qp(struct ib_qp *ibqp, struct ib_qp_attr *attr, int mask,
		 struct ib_qp_init_attr *init);
int hca_destroy_qp(struct ib_qp *ibqp, struct ib_udata *udata);
int hca_post_recv(struct ib_qp *ibqp, const struct ib_recv_wr *wr,
		  const struct ib_recv_wr **bad_wr);
void hca_queues_exit(void);

/* For fabric.c, all under hca_lock. */
struct hca_qp *hca_find_qp(struct hca_dev *hca, u32 qpn);
void hca_push_wc(struct hca_cq *cq, const struct ib_wc *wc);
struct hca_rwqe *hca_next_rwqe(struct hca_qp *qp);
void hca_pop_rwqe(struct hca_qp *qp);

/* fabric.c: carries what is sent to where it belongs. */
int hca_post_send(struct ib_qp *ibqp, const struct ib_send_wr *wr,
		  const struct ib_send_wr **bad_wr);
int hca_attach_mcast(struct ib_qp *ibqp, union ib_gid *gid, u16 lid);
int hca_detach_mcast(struct ib_qp *ibqp, union ib_gid *gid, u16 lid);
enum ib_wc_status hca_receive(struct hca_qp *qp, const struct hca_msg *msg);

/* sa.c: turns a request to the subnet administrator into its answer; false = no answer. */
bool hca_sa_answer(struct hca_dev *hca, struct ib_sa_mad *mad);

/* vf.c: what the administrator of the PF may do to its VFs. */
extern const struct ib_device_ops hca_pf_ops;
int hca_vfs_init(struct hca_dev *pf);
void hca_vfs_reset(struct hca_dev *pf);
void hca_assign_guids(struct hca_dev *hca); /* under hca_mutex */

/* ib_pci.c, eth.c: what makes devices appear and go away. */
int hca_ib_init(void);
void hca_ib_exit(void);
int hca_eth_init(void);
void hca_eth_exit(void);

#endif
