// Files and folders whose names come from a configuration, opened so that the name can do no harm.
#ifndef RAILCNI_NAMED_FILE_H_
#define RAILCNI_NAMED_FILE_H_

#include <cstddef>
#include <optional>
#include <string>

#include "railcni/fd.h"

namespace railcni {

enum class FolderTrust {
  kAny,
  kRoots,  // every folder on the way is root's own, and nobody else can write to it
};

// Opens a folder (O_PATH) from the root on, one component after the other, following no link.
// `path` is absolute; with `make`, what is missing is made with mode 0755. Throws Error{kIoFailure}
// "PATH: why", with the component that it is about.
Fd open_folder(const std::string& path, FolderTrust trust, bool make = false);

// The content of a regular file of at most `limit` bytes. It is known to be one before it is opened
// for reading, which with a device, a FIFO or a tape can have effects or wait; no more is read than
// the size says, which for files of the kernel (/proc/kmsg) is nothing. Throws Error{kIoFailure}
// "PATH: why".
//
// By a path, links are followed (/etc/resolv.conf is one on many nodes).
std::string read_named_file(const std::string& path, size_t limit);
// In a folder, no link is followed, and `path` is its path for messages. Nothing when there is no
// file of that name.
std::optional<std::string> read_file_in(const Fd& folder, const std::string& path,
                                        const std::string& name, size_t limit, FolderTrust trust);

}  // namespace railcni

#endif  // RAILCNI_NAMED_FILE_H_
