// Go's filepath.Match over pool names (see glob_match() in ipam.h).
#ifndef RAILCNI_IPAM_GLOB_H_
#define RAILCNI_IPAM_GLOB_H_

#include <bitset>
#include <string_view>
#include <vector>

namespace railcni {

class Glob {
 public:
  // Throws Error{kInvalidConfig} when `text` is malformed.
  explicit Glob(std::string_view text);

  bool matches(std::string_view name) const;

  // True when `text` has a character that means something in a glob; a plain name has none.
  static bool is_glob(std::string_view text);

 private:
  struct Part {
    bool any_run = false;  // `*`; otherwise one character out of `chars`
    std::bitset<256> chars;
  };
  std::vector<Part> parts_;
};

}  // namespace railcni

#endif  // RAILCNI_IPAM_GLOB_H_
