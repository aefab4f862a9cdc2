//===- Plugin.cpp - opening transports ------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Plugin.h"

#include "Error.h"

#include <cstdlib>
#include <dlfcn.h>
#include <unistd.h>

using namespace tprt;

static std::string pluginFolder() {
  if (const char *path = std::getenv("TPRT_PLUGIN_PATH"))
    return path;
  Dl_info info = {};
  if (!dladdr(reinterpret_cast<void *>(&tprt_free), &info) || !info.dli_fname)
    return ".";
  std::string file = info.dli_fname;
  size_t slash = file.rfind('/');
  return slash == std::string::npos ? "." : file.substr(0, slash);
}

/// What a plugin needs, for messages.
static const char *adviceFor(const std::string &name) {
  return name == "mpi" ? "install MPI (Debian: libopenmpi-dev openmpi-bin) and "
                         "build the runtime again"
                       : "build the runtime again";
}

const tprt_transport &tprt::openTransport(const std::string &name) {
  std::string path = join(pluginFolder(), "/libtprt-", name, ".so");
  if (access(path.c_str(), R_OK) != 0)
    raise(TPRT_UNSUPPORTED, "there is no ", path, ": ", adviceFor(name));
  // MPI opens libraries of its own that look for its symbols.
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!library)
    raise(TPRT_UNSUPPORTED, dlerror(), ": ", adviceFor(name));
  auto get = reinterpret_cast<tprt_transport_get_type>(
      dlsym(library, TPRT_TRANSPORT_SYMBOL));
  const tprt_transport *transport = get ? get(TPRT_TRANSPORT_VERSION) : nullptr;
  if (!transport)
    raise(TPRT_UNSUPPORTED, path, " is not a transport of version ",
          TPRT_TRANSPORT_VERSION, ": build it with this runtime");
  return *transport;
}
