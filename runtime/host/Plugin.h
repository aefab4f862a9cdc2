//===- Plugin.h - opening plugins -----------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_PLUGIN_H
#define TPRT_HOST_PLUGIN_H

#include "Abi.h"
#include "tprt/device.h"
#include "tprt/transport.h"

#include <string>

namespace tprt {

/// Opens libtprt-NAME.so, which lies in a folder that TPRT_PLUGIN_PATH names
/// (several are separated by colons) or beside this library, and stays open. An
/// Error of one line says what to install.
const tprt_transport &openTransport(const std::string &name);

/// The same for the plugin of a backend.
const tprt_device_plugin &openDevice(const std::string &backend);

} // namespace tprt

#endif // TPRT_HOST_PLUGIN_H
