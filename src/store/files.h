// Folders and files under the store: names, making, and clearing away what older boots left.
#ifndef RAILCNI_SRC_STORE_FILES_H_
#define RAILCNI_SRC_STORE_FILES_H_

#include <cstddef>
#include <string>
#include <vector>

namespace railcni {

// Throws Error{kInvalidConfig} when `folder`, or one above it, is a link, is neither
// root's nor the process' own, or can be written by others (of those above it, a sticky one may be,
// such as /tmp). What is in such a folder nobody else can have put there, nor exchange later, so
// that it can be used by its path. What does not exist yet is in order.
void require_own_folder(const std::string& folder);
// The same for a file in such a folder: regular, with this one name. Throws Error{kStoreDamaged}.
void require_own_file(const std::string& path);

// Makes `folder` with mode 0700 and its missing parents with 0755. Throws Error{kIoFailure}, and
// what require_own_folder() throws.
void make_folder(const std::string& folder);

// The first 8 hex digits of the kernel's boot ID; "noboot" where there is no /proc, such as in a
// chroot.
std::string boot_name();

// Whether `folder` is on a filesystem in memory (tmpfs, ramfs), which does not outlive its boot;
// false when there is no such folder.
bool is_in_memory(const std::string& folder);

// Removes the state files (and their lock files) of other boots from `folder`: the Pods they speak
// of died with their boot. Failures are left for the next time.
void remove_other_boots(const std::string& folder, const std::string& boot);

// Asks the kernel to keep what lies between two bytes of a file in memory (tmpfs) in huge pages,
// whatever its settings for all processes are (MADV_COLLAPSE, Linux 6.1): a process that reads here
// and there in it has cheaper page faults then. It takes up to 5 ms for each 2 MB. `from` and `to`
// are multiples of kHugePage. Where the kernel cannot or will not, all stays as it is.
void use_huge_pages(int fd, size_t from, size_t to);
constexpr size_t kHugePage = size_t{2} << 20;  // x86-64's, and arm64's with pages of 4 KB

// The names of a folder's entries, in order, without those that begin with a dot; none when there
// is no such folder.
std::vector<std::string> entries_of(const std::string& folder);

// Makes a new file's name in its folder durable.
void sync_folder(const std::string& folder);

}  // namespace railcni

#endif  // RAILCNI_SRC_STORE_FILES_H_
