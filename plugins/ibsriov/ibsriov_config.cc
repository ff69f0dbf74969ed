#include "plugins/ibsriov/ibsriov_config.h"

#include "plugins/ibsriov/guid.h"
#include "railcni/error.h"
#include "railcni/ipoib.h"
#include "railcni/object_reader.h"
#include "railcni/vf_config.h"

namespace railcni {
namespace {

// The pkey of the configuration, and the one that ib-kubernetes puts into the Pod's arguments.
void read_pkey(ObjectReader& reader, const NetworkConfig& config, IbSriovConfig& ib) {
  const Json* pkey = reader.any("pkey");
  const bool is_given = pkey != nullptr && !(pkey->is_string() && pkey->as_string().empty());
  if (is_given) ib.pkey = parse_pkey(*pkey, reader.full_name("pkey"));
  if (config.infiniband.pkey.is_null()) return;
  const uint16_t other = parse_pkey(config.infiniband.pkey, "args.cni.pkey");
  if (ib.pkey && *ib.pkey != other) {
    throw Error(Code::kInvalidConfig, "args.cni.pkey is " + pkey_text(other) + ", yet " +
                                          reader.full_name("pkey") + " is " + pkey_text(*ib.pkey));
  }
  ib.pkey = other;
}

}  // namespace

IbSriovConfig read_ib_sriov_config(const NetworkConfig& config) {
  ObjectReader reader(config.block, config.block_name);
  reader.allow({"ippools", "matchMasterSubnet"});  // the configuration's reader has read them
  IbSriovConfig ib;
  ib.link_state = read_vf_link_state(reader);
  ib.rdma = read_rdma_config(reader, true);
  // The schema says enableIbKubernetes, its documentation and ib-sriov-cni ibKubernetesEnabled.
  const bool enabled = reader.boolean("enableIbKubernetes").value_or(false);
  ib.ib_kubernetes = reader.boolean("ibKubernetesEnabled").value_or(false) || enabled;
  ib.userspace = reader.boolean("vfioPciMode").value_or(false);
  // The device plugin's resource: Multus takes the VF from it and says which one in deviceID.
  ib.resource = reader.string("resourceName").value_or("");
  read_pkey(reader, config, ib);
  reader.finish();
  if (!config.infiniband.guid.empty()) {
    ib.guid = parse_guid(config.infiniband.guid, config.infiniband.guid_path);
  }
  ib.device = read_vf_device(config);
  return ib;
}

}  // namespace railcni
