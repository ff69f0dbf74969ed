// The start of the process, in place of glibc's: the same steps, but nobody asks CPUID.
//
// A static glibc executes CPUID some 70 times before main(), 50 of them for the sizes of the
// caches, to choose between implementations of memcpy() and the like. On bare metal that is
// nothing. In a virtual machine each is an exit to the hypervisor: 1 to 2 us, and 10 us in a nested
// one, where these 70 were two thirds of the time that a process takes to start and to end. A
// plugin that lives for a millisecond and copies a few kilobytes gains nothing from it. Without it
// glibc's selectors take their baseline (SSE2), which every x86-64 processor has.
//
// Nor is it found out where the program's file lies, which takes readlink("/proc/self/exe"): only
// dlopen() would use it. And the vDSO, which glibc would link as a library, is left alone: to look
// up its five functions, and to touch its pages, costs more than the few times that a verb asks the
// kernel for the time.
//
// Relocations are made here, glibc finds none: those of the vtables, tables and variables that only
// the command line uses (src/command_line_data.ld) wait until it asks for them,
// railcni_relocate_command_line(). They are nearly half of all, and each page that they are on is a
// page fault and a copy.
//
// __libc_start_main() is what the C runtime's _start calls. This one replaces libc.a's: it calls
// glibc's own functions, in glibc's order, and leaves out what is told above, what fills its table
// of the CPU's features, and the reading of GLIBC_TUNABLES: a runtime's environment has no say in
// how we allocate. Those functions are not an interface: meson.build takes this file for the
// version of glibc that it was written for (2.36, Debian 12), and the usual start for any other.
//
// Until relocate_first() has run nothing may be called or read through a pointer that needs
// relocation, until _dl_relocate_static_pie() no function that glibc selects (IFUNC), and until
// __libc_setup_tls() there is no stack guard: hence the hidden declarations, and the flag that
// meson.build compiles this file with.
#include <link.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdint>

// NOLINTBEGIN(bugprone-reserved-identifier,performance-no-int-to-ptr): glibc's names, and places
// in memory that are known as numbers.
#pragma GCC visibility push(hidden)
extern ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden")));
extern "C" {

// glibc 2.36, csu/libc-start.c and what it calls.
extern char** __environ;
extern void* __libc_stack_end;
extern void* _dl_random;
extern const ElfW(Ehdr) * _dl_sysinfo_dso;
extern int __libc_enable_secure;
void _dl_aux_init(ElfW(auxv_t) * auxv);
void _dl_relocate_static_pie();
void __libc_setup_tls();
void __libc_early_init(bool single_threaded);
void __libc_init_first(int argc, char** argv, char** environment);
void __libc_check_standard_fds();
int __cxa_atexit(void (*function)(void*), void* argument, void* dso);

// Of the linker, and of src/command_line_data.ld.
extern char __ehdr_start[];
extern char railcni_command_line_data_begin[], railcni_command_line_constants_end[],
    railcni_command_line_data_end[];
using Step = void (*)();
using FirstStep = void (*)(int, char**, char**);
extern FirstStep __preinit_array_start[], __preinit_array_end[];
extern FirstStep __init_array_start[], __init_array_end[];
extern Step __fini_array_start[], __fini_array_end[];

// What memcpy() and memset() go by, defined in the object that is replaced. The values are those
// that glibc has before it asks, and for the last three those that it comes to with a shared cache
// of that size: three quarters of it, and no string instructions.
long __x86_data_cache_size_half = 16L * 1024;
long __x86_data_cache_size = 32L * 1024;
long __x86_shared_cache_size_half = 512L * 1024;
long __x86_shared_cache_size = 1024L * 1024;
long __x86_shared_non_temporal_threshold = 768L * 1024;
long __x86_rep_movsb_threshold = 2048;
long __x86_rep_stosb_threshold = 2048;
long __x86_rep_movsb_stop_threshold = 768L * 1024;
int __x86_string_control = 0;

// In place of the one that reads a link: "not known".
const char* _dl_get_origin() { return reinterpret_cast<const char*>(-1); }

// In place of the one that asks the kernel for a heap, only to have malloc() ask for another: the
// memory of the thread's block (TLS), which is 3.4 KB. Without any glibc says so and ends.
void* _dl_early_allocate(size_t size) {
  alignas(64) static char block[3584];
  return size <= sizeof block ? block : nullptr;
}

}  // extern "C"
#pragma GCC visibility pop

namespace {

// DT_RELR: an even word is the place of one relocation; in an odd one each bit above the lowest is
// one of the 63 words that follow the place before.
constexpr int kPlacesOfBitmap = 63;
const ElfW(Relr) * relocations = nullptr;
size_t relocations_size = 0;

// Of the words from `place` on, a bit for each that comes before `edge`.
ElfW(Relr) words_before(std::uintptr_t place, std::uintptr_t edge) {
  const std::uintptr_t words = edge <= place ? 0 : (edge - place) / sizeof(std::uintptr_t);
  return (ElfW(Relr){1} << std::min<std::uintptr_t>(words, kPlacesOfBitmap)) - 1;
}

// Adds the address that we are at to each relocated word, of the command line's or of all others.
void relocate(bool of_command_line) {
  const auto base = reinterpret_cast<std::uintptr_t>(__ehdr_start);
  const auto begin = reinterpret_cast<std::uintptr_t>(railcni_command_line_data_begin) - base;
  const auto end = reinterpret_cast<std::uintptr_t>(railcni_command_line_data_end) - base;
  const ElfW(Relr)* const last = relocations + relocations_size / sizeof *relocations;
  std::uintptr_t next = 0;
  for (const ElfW(Relr)* word = relocations; word < last; ++word) {
    const bool is_bitmap = (*word & 1) != 0;
    if (!is_bitmap) next = *word;
    const ElfW(Relr) command_lines = words_before(next, end) & ~words_before(next, begin);
    ElfW(Relr) bits = is_bitmap ? *word >> 1 : 1;
    bits &= of_command_line ? command_lines : ~command_lines;
    for (auto* const places = reinterpret_cast<std::uintptr_t*>(base + next); bits != 0;
         bits &= bits - 1) {
      places[std::countr_zero(bits)] += base;
    }
    next += (is_bitmap ? kPlacesOfBitmap : 1) * sizeof(std::uintptr_t);
  }
}

// Takes the relocations out of glibc's sight, and makes those that every call needs.
void relocate_first() {
  for (ElfW(Dyn)* entry = _DYNAMIC; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_RELR) {
      relocations = reinterpret_cast<const ElfW(Relr)*>(__ehdr_start + entry->d_un.d_ptr);
    }
    if (entry->d_tag == DT_RELRSZ) {
      relocations_size = entry->d_un.d_val;
      entry->d_un.d_val = 0;
    }
  }
  relocate(false);
}

// Without _init() and _fini(): nothing is in their sections since there are these arrays.
void run_destructors(void*) {
  for (Step* step = __fini_array_end; step != __fini_array_start;) (*--step)();
}

void run_constructors(int argc, char** argv) {
  for (FirstStep* step = __preinit_array_start; step != __preinit_array_end; ++step) {
    (*step)(argc, argv, __environ);
  }
  for (FirstStep* step = __init_array_start; step != __init_array_end; ++step) {
    (*step)(argc, argv, __environ);
  }
}

// Of the 16 random bytes that the kernel gives (AT_RANDOM) the first eight guard the stack, less
// the lowest, so that no string can run over it, and the others mangle stored pointers. The
// compiler and glibc look for them at these places of the thread's block (x86-64 TLS ABI).
void set_guards() {
  const auto* random = static_cast<const std::uint64_t*>(_dl_random);
  const std::uint64_t stack = random[0] & ~std::uint64_t{0xff};
  const std::uint64_t pointers = random[1];
  asm volatile("movq %0, %%fs:0x28" : : "r"(stack));
  asm volatile("movq %0, %%fs:0x30" : : "r"(pointers));
}

}  // namespace

extern "C" {

// To be called once, before anything of the command line's is used. Its constants were made
// read-only (RELRO), and are again.
void railcni_relocate_command_line() {
  char* const begin = railcni_command_line_data_begin;
  const size_t size = railcni_command_line_constants_end - begin;
  if (mprotect(begin, size, PROT_READ | PROT_WRITE) != 0) abort();
  relocate(true);
  if (mprotect(begin, size, PROT_READ) != 0) abort();
}

// Takes what _start (crt1.o, x86-64) passes on; never returns. `rtld_fini` is what the kernel
// leaves in rdx: nothing for a static program.
[[noreturn]] int __libc_start_main(int (*main)(int, char**, char**), int argc, char** argv,
                                   void (*)(), void (*)(), void (*)(), void* stack_end) {
  __environ = argv + argc + 1;
  __libc_stack_end = stack_end;
  char** end = __environ;
  while (*end != nullptr) ++end;
  _dl_aux_init(reinterpret_cast<ElfW(auxv_t)*>(end + 1));
  _dl_sysinfo_dso = nullptr;  // "there is no vDSO"
  relocate_first();
  _dl_relocate_static_pie();
  __libc_setup_tls();
  set_guards();
  __libc_early_init(true);
  __libc_init_first(argc, argv, __environ);
  __cxa_atexit(run_destructors, nullptr, nullptr);
  if (__libc_enable_secure != 0) __libc_check_standard_fds();
  run_constructors(argc, argv);
  exit(main(argc, argv, __environ));
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier,performance-no-int-to-ptr)
