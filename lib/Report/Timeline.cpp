//===- Timeline.cpp - the predicted run in the Chrome trace format --------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Report/Report.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include <map>

using namespace mlir;
using namespace mlir::tp;

/// A phase is a process; the device and its links are its threads.
void tp::printTimeline(const Report &report, llvm::raw_ostream &os) {
  llvm::json::OStream json(os, /*IndentSize=*/0);
  std::map<std::string, int64_t> phases;
  auto time = [&](StringRef key, double value) {
    json.attributeBegin(key);
    json.rawValue([&](llvm::raw_ostream &stream) {
      stream << llvm::format("%.3f", value);
    });
    json.attributeEnd();
  };
  auto name = [&](StringRef what, int64_t process, int64_t thread,
                  StringRef text) {
    json.object([&] {
      json.attribute("ph", "M");
      json.attribute("name", what);
      json.attribute("pid", process);
      json.attribute("tid", thread);
      json.attributeObject("args", [&] { json.attribute("name", text); });
    });
  };
  json.object([&] {
    json.attribute("displayTimeUnit", "ms");
    json.attributeArray("traceEvents", [&] {
      for (const ReportPhase &phase : report.phases) {
        int64_t process = int64_t(phases.size());
        phases[phase.phase] = process;
        name("process_name", process, 0, phase.phase + " (predicted)");
        name("thread_name", process, 0, "computing");
        name("thread_name", process, 1, "communicating");
      }
      for (const ReportEvent &event : report.events)
        json.object([&] {
          json.attribute("ph", "X");
          json.attribute("name", event.name);
          json.attribute("cat", event.isCollective ? "collective" : "compute");
          json.attribute("pid", phases[event.phase]);
          json.attribute("tid", event.isCollective ? 1 : 0);
          time("ts", event.begin);
          time("dur", event.end - event.begin);
          json.attributeObject("args", [&] {
            json.attribute("module", event.module);
            if (event.isCollective)
              json.attribute("bytes_sent", event.bytesSent);
          });
        });
    });
  });
  os << "\n";
}
