// Whether this is the build with sanitizers, in which a call of railcni takes several times as
// long. Its tests look for wrong memory and undefined behaviour; where one repeats the same many
// times to meet a rare moment, that is the other build's work.
#ifndef RAILCNI_TESTS_SUPPORT_SANITIZED_H_
#define RAILCNI_TESTS_SUPPORT_SANITIZED_H_

namespace railcni::test {

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RAILCNI_SANITIZED 1
#endif
#endif

#if defined(RAILCNI_SANITIZED) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_SUPPORT_SANITIZED_H_
