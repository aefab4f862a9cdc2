//===- Plugin.cpp - opening plugins ---------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Plugin.h"

#include "Error.h"

#include <cstdlib>
#include <dlfcn.h>
#include <sstream>
#include <unistd.h>
#include <vector>

using namespace tprt;

/// Where plugins are looked for, in order.
static std::vector<std::string> pluginFolders() {
  std::vector<std::string> folders;
  if (const char *path = std::getenv("TPRT_PLUGIN_PATH")) {
    std::istringstream list(path);
    for (std::string folder; std::getline(list, folder, ':');)
      folders.push_back(folder);
    if (!folders.empty())
      return folders;
  }
  Dl_info info = {};
  if (!dladdr(reinterpret_cast<void *>(&tprt_free), &info) || !info.dli_fname)
    return {"."};
  std::string file = info.dli_fname;
  size_t slash = file.rfind('/');
  return {slash == std::string::npos ? "." : file.substr(0, slash)};
}

/// Opens a plugin; `advice` says what to do if it cannot be.
static void *openLibrary(const std::string &path, int scope,
                         const char *advice) {
  if (access(path.c_str(), R_OK) != 0)
    raise(TPRT_UNSUPPORTED, "there is no ", path, ": ", advice);
  void *library = dlopen(path.c_str(), RTLD_NOW | scope);
  if (!library)
    raise(TPRT_UNSUPPORTED, dlerror(), ": ", advice);
  return library;
}

static std::string pathOf(const std::string &name) {
  std::string path;
  for (const std::string &folder : pluginFolders()) {
    path = join(folder, "/libtprt-", name, ".so");
    if (access(path.c_str(), R_OK) == 0)
      break;
  }
  return path;
}

const tprt_transport &tprt::openTransport(const std::string &name) {
  const std::string path = pathOf(name);
  // MPI opens libraries of its own that look for its symbols.
  void *library = openLibrary(
      path, RTLD_GLOBAL,
      name == "mpi" ? "install MPI (Debian: libopenmpi-dev openmpi-bin) and "
                      "build the runtime again"
                    : "build the runtime again");
  auto get = reinterpret_cast<tprt_transport_get_type>(
      dlsym(library, TPRT_TRANSPORT_SYMBOL));
  const tprt_transport *transport = get ? get(TPRT_TRANSPORT_VERSION) : nullptr;
  if (!transport)
    raise(TPRT_UNSUPPORTED, path, " is not a transport of version ",
          TPRT_TRANSPORT_VERSION, ": build it with this runtime");
  return *transport;
}

const tprt_device_plugin &tprt::openDevice(const std::string &backend) {
  if (backend != "cuda")
    raise(TPRT_UNSUPPORTED, "the program is for the backend '", backend,
          "'; there are 'cpu' and 'cuda'");
  const std::string path = pathOf(backend);
  void *library = openLibrary(path, RTLD_LOCAL,
                              "a CUDA program needs CUDA: install its toolkit "
                              "and build the runtime again, or, with a runtime "
                              "that was built with it, its libraries");
  auto get = reinterpret_cast<tprt_device_get_type>(
      dlsym(library, TPRT_DEVICE_SYMBOL));
  const tprt_device_plugin *plugin = get ? get(TPRT_DEVICE_VERSION) : nullptr;
  if (!plugin)
    raise(TPRT_UNSUPPORTED, path, " is not a device plugin of version ",
          TPRT_DEVICE_VERSION, ": build it with this runtime");
  return *plugin;
}
