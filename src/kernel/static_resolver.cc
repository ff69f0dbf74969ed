// Name services for the static binary. libnl can turn host and protocol names into numbers; railcni
// never asks it to. glibc's own versions would load shared libraries (nsswitch) at run time, which
// a static binary must not do, so these answer that there is no such name.
#include <netdb.h>

extern "C" {

int getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**) { return EAI_NONAME; }

void freeaddrinfo(addrinfo*) {}

protoent* getprotobyname(const char*) { return nullptr; }

protoent* getprotobynumber(int) { return nullptr; }

}  // extern "C"
