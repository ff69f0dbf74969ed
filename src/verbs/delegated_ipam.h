// The IPAM of another plugin (ipam.type): recorded before it is called, so that whatever it gave is
// given back, whenever railcni or the plugin dies.
#ifndef RAILCNI_SRC_VERBS_DELEGATED_IPAM_H_
#define RAILCNI_SRC_VERBS_DELEGATED_IPAM_H_

#include <chrono>
#include <string>

#include "railcni/attachment.h"
#include "railcni/config.h"
#include "railcni/request.h"
#include "railcni/result.h"
#include "railcni/store.h"

namespace railcni {

// For Attachment::ipam, before the ADD of the plugin: all that its DEL needs. Throws what
// find_plugin() throws.
Json delegate_record(const Request& request, const NetworkConfig& config);

// The plugin's ADD for a recorded attachment. A route without gateway gets its family's. Throws
// what run_delegate() throws, and Error{kDecodingFailure} when there is no address in the result.
Result delegate_add(const StorePaths& paths, const Attachment& attachment);

// The plugin's DEL, with what was recorded; nothing when the attachment has no such plugin. An ADD
// of it that is still running, because the railcni that called it was killed, is waited for. It has
// `timeout` for its answer.
void delegate_del(const StorePaths& paths, const Attachment& attachment,
                  std::chrono::milliseconds timeout);

// The plugin's DEL for a request of which nothing is recorded: the record may have died with the
// last boot, what the plugin keeps need not. Nothing when the configuration has no such plugin or
// the plugin is not there.
void delegate_unrecorded_del(const Request& request);

// CHECK, STATUS and GC of the plugin `type`, as the request has them.
void delegate_forward(const Request& request, const std::string& type);

// The plugin that a configuration with a cniType takes its addresses from, read without looking at
// the rest; empty when these are railcni's own.
std::string delegate_of(const Json& config);

}  // namespace railcni

#endif  // RAILCNI_SRC_VERBS_DELEGATED_IPAM_H_
