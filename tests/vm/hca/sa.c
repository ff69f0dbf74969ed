// SPDX-License-Identifier: GPL-2.0
/*
 * The subnet administrator: what ib_ipoib and ib_cm must hear before they talk to anyone. The
 * records' layouts are those of the InfiniBand specification, volume 1, chapter 15.
 */
#include <linux/jhash.h>
#include <rdma/ib_sa.h>

#include "hca.h"

#define SA_STATUS_NO_RECORDS 0x0300
#define SA_EXACTLY(value) (IB_SA_EQ << 6 | (value))
#define SA_PACKET_LIFE 18 /* 4.096 us * 2^18, about a second */
#define SA_IPOIB_QKEY 0x0b1b
#define SA_FIRST_MLID 0xc000
#define SA_MLIDS 0x3eff

struct sa_path_record {
	__be64 service_id;
	u8 dgid[16];
	u8 sgid[16];
	__be16 dlid;
	__be16 slid;
	__be32 raw_flow_hop;
	u8 traffic_class;
	u8 reversible_numb_path;
	__be16 pkey;
	__be16 qos_class_sl;
	u8 mtu;
	u8 rate;
	u8 packet_life;
	u8 preference;
	u8 reserved[6];
} __packed;

struct sa_mcmember_record {
	u8 mgid[16];
	u8 port_gid[16];
	__be32 qkey;
	__be16 mlid;
	u8 mtu;
	u8 traffic_class;
	__be16 pkey;
	u8 rate;
	u8 packet_life;
	__be32 sl_flow_hop;
	u8 scope_join_state;
	u8 proxy_join;
	u8 reserved[2];
} __packed;

static u16 sa_class_port_info(struct hca_dev *hca, struct ib_sa_mad *mad)
{
	struct ib_class_port_info *info = (struct ib_class_port_info *)mad->data;

	memset(info, 0, sizeof(*info));
	info->base_version = IB_MGMT_BASE_VERSION;
	info->class_version = IB_SA_CLASS_VERSION;
	info->cap_mask2_resp_time = cpu_to_be32(IB_SA_CAP_MASK2_SENDONLY_FULL_MEM_SUPPORT
							<< IB_CLASS_PORT_INFO_RESP_TIME_FIELD_SIZE |
						18);
	return IB_MGMT_MAD_STATUS_SUCCESS;
}

static u16 sa_path(struct hca_dev *hca, struct ib_sa_mad *mad)
{
	struct sa_path_record *rec = (struct sa_path_record *)mad->data;
	struct hca_dev *peer;
	union ib_gid gid;

	list_for_each_entry(peer, &hca_list, node) {
		hca_port_guid_to_gid(peer->port_guid, &gid);
		if (!peer->ndev && hca_port_active(peer) && !memcmp(gid.raw, rec->dgid, 16)) {
			rec->dlid = cpu_to_be16(peer->lid);
			rec->slid = cpu_to_be16(hca->lid);
			rec->reversible_numb_path = 0x81;
			rec->mtu = SA_EXACTLY(IB_MTU_4096);
			rec->rate = SA_EXACTLY(IB_RATE_200_GBPS);
			rec->packet_life = SA_EXACTLY(SA_PACKET_LIFE);
			mad->sa_hdr.attr_offset = cpu_to_be16(sizeof(*rec) / 8);
			return IB_MGMT_MAD_STATUS_SUCCESS;
		}
	}
	return SA_STATUS_NO_RECORDS;
}

/*
 * Every group exists, with OpenSM's defaults: an MTU of 2048 though the ports have 4096. Packets
 * are delivered by MGID, so two groups may share an MLID.
 */
static u16 sa_mcmember(struct hca_dev *hca, struct ib_sa_mad *mad)
{
	struct sa_mcmember_record *rec = (struct sa_mcmember_record *)mad->data;

	if (!rec->qkey)
		rec->qkey = cpu_to_be32(SA_IPOIB_QKEY);
	rec->mlid = cpu_to_be16(SA_FIRST_MLID + jhash(rec->mgid, 16, 0) % SA_MLIDS);
	rec->mtu = SA_EXACTLY(IB_MTU_2048);
	rec->rate = SA_EXACTLY(IB_RATE_10_GBPS);
	rec->packet_life = SA_EXACTLY(SA_PACKET_LIFE);
	mad->sa_hdr.attr_offset = cpu_to_be16(ALIGN(sizeof(*rec), 8) / 8);
	return IB_MGMT_MAD_STATUS_SUCCESS;
}

bool hca_sa_answer(struct hca_dev *hca, struct ib_sa_mad *mad)
{
	struct ib_mad_hdr *hdr = &mad->mad_hdr;
	u16 attr = be16_to_cpu(hdr->attr_id);
	u8 method = hdr->method;
	u16 status = IB_MGMT_MAD_STATUS_UNSUPPORTED_METHOD_ATTRIB;

	if (hdr->mgmt_class != IB_MGMT_CLASS_SUBN_ADM || method & IB_MGMT_METHOD_RESP)
		return false;
	if (attr == IB_SA_ATTR_CLASS_PORTINFO && method == IB_MGMT_METHOD_GET)
		status = sa_class_port_info(hca, mad);
	else if (attr == IB_SA_ATTR_PATH_REC && method == IB_MGMT_METHOD_GET)
		status = sa_path(hca, mad);
	else if (attr == IB_SA_ATTR_MC_MEMBER_REC &&
		 (method == IB_MGMT_METHOD_SET || method == IB_SA_METHOD_DELETE))
		status = sa_mcmember(hca, mad);
	hdr->method = method == IB_MGMT_METHOD_SET ? IB_MGMT_METHOD_GET_RESP
						   : method | IB_MGMT_METHOD_RESP;
	hdr->status = cpu_to_be16(status);
	mad->rmpp_hdr.rmpp_rtime_flags = 0; /* one segment: RMPP is not active */
	return true;
}
