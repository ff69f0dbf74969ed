// The files of an installation: the binary, and links to it under other names.
#ifndef RAILCNI_SRC_CLI_INSTALL_FILES_H_
#define RAILCNI_SRC_CLI_INSTALL_FILES_H_

#include <string>
#include <string_view>

#include "railcni/fd.h"

namespace railcni::cli {

// A folder that programs are put into. Whatever appears in it appears whole: it is made under a
// temporary name and renamed, so that a program that is being executed is never written to, and
// whoever starts one gets the old or the new.
class InstallFolder {
 public:
  // Opens the folder and waits for other installations into it to end, for ten seconds: throws
  // Error{kTryAgainLater} that names the process then. Temporaries that killed ones have left are
  // removed. Throws Error{kIoFailure}.
  explicit InstallFolder(const std::string& path);
  InstallFolder(const InstallFolder&) = delete;
  InstallFolder& operator=(const InstallFolder&) = delete;
  ~InstallFolder();

  enum class Entry { kNothing, kOurLink, kOtherLink, kFile, kFolder };
  // What stands at `name`; kOurLink is a link to `target`.
  Entry look_at(const std::string& name, std::string_view target) const;

  // Copies the file of `source` to `name`, mode 0755, and syncs it to disk.
  void put_copy(const Fd& source, const std::string& name);
  // Makes `name` a symbolic link to `target`.
  void put_link(const std::string& target, const std::string& name);
  // Syncs the names to disk.
  void sync();

 private:
  // "folder/name", for messages.
  std::string full(const std::string& name) const;
  bool try_lock();
  std::string holder() const;
  void remove_leftovers();
  // Runs `make`, which makes the temporary, and renames that to `name`; removes it on failure.
  template <typename Make>
  void put(const std::string& name, Make make);

  std::string path_;
  Fd folder_;
  Fd lock_;  // of the lock file; none where the file system has no locks
};

}  // namespace railcni::cli

#endif  // RAILCNI_SRC_CLI_INSTALL_FILES_H_
