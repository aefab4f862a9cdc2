//===- PrintJson.cpp - reports as JSON, schema 1 --------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Summary.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include <map>

using namespace mlir;
using namespace mlir::tp;

namespace {

class JsonPrinter {
public:
  JsonPrinter(const Report &report, llvm::raw_ostream &os, unsigned indent,
              bool withGraphs)
      : report(report), json(os, indent), withGraphs(withGraphs) {}

  void print();

private:
  void strings(StringRef key, ArrayRef<std::string> values) {
    json.attributeArray(key, [&] {
      for (const std::string &value : values)
        json.value(value);
    });
  }
  template <typename Numbers>
  void counts(StringRef key, const Numbers &values) {
    json.attributeArray(key, [&] {
      for (int64_t value : values)
        json.value(value);
    });
  }
  /// Times and rates have three decimals, so that reports can be compared.
  void number(StringRef key, double value) {
    json.attributeBegin(key);
    json.rawValue(
        [&](llvm::raw_ostream &os) { os << llvm::format("%.3f", value); });
    json.attributeEnd();
  }

  void printMachine();
  void printCollective(const ReportCollective &collective);
  void printTotals();
  void printRow(const SummaryRow &row, StringRef nameKey);
  void printSummary();
  void printMemory();
  void printAmounts(const ReportAmounts &amounts);
  void printPadding();
  void printTime();
  void printTensor(const ReportPlacement &row);
  void printTensors();
  void printGraphs();

  const Report &report;
  llvm::json::OStream json;
  bool withGraphs;
};

} // namespace

void JsonPrinter::printMachine() {
  const Machine &machine = report.machine;
  json.attributeObject("machine", [&] {
    json.attribute("name", machine.name);
    json.attribute("devices_per_host", machine.devicesPerHost);
    json.attribute("memory", machine.deviceMemory);
    number("matmul_tflop_per_s", machine.model.compute);
    number("memory_gb_per_s", machine.model.memory);
    json.attributeArray("links", [&] {
      for (const LinkLevel &link : machine.links)
        json.object([&] {
          json.attribute("name", link.name);
          if (link.devices)
            json.attribute("devices", link.devices);
          number("alpha_us", link.latency);
          number("all_reduce_alpha_us", link.reduceLatency);
          number("gb_per_s", link.gigabytesPerSecond);
        });
    });
  });
}

void JsonPrinter::printCollective(const ReportCollective &collective) {
  json.object([&] {
    json.attribute("kind", collective.kind);
    strings("axes", collective.axes);
    json.attribute("group_size", collective.groupSize);
    if (collective.reduction.empty())
      json.attribute("reduction", nullptr);
    else
      json.attribute("reduction", collective.reduction);
    json.attribute("dtype", dtypesOf(collective));
    counts("shape", collective.tensors.empty()
                        ? std::vector<int64_t>()
                        : collective.tensors.front().shape);
    json.attributeArray("tensors", [&] {
      for (const ReportTensor &tensor : collective.tensors)
        json.object([&] {
          json.attribute("dtype", tensor.dtype);
          counts("shape", tensor.shape);
        });
    });
    json.attribute("bytes_sent", collective.bytesSent);
    json.attribute("count", collective.count);
    if (collective.executions)
      json.attribute("executions", *collective.executions);
    json.attribute("phase", collective.phase);
    json.attribute("module", collective.module);
    json.attribute("reason", collective.reason);
    json.attribute("location", collective.location);
    json.attribute("link", collective.link);
    number("microseconds", collective.microseconds);
    number("hidden_microseconds", collective.hidden);
    json.attribute("overlapped", collective.hidden > 0);
    json.attribute("parameter", collective.parameter);
    json.attribute("from", collective.from);
    json.attribute("to", collective.to);
    json.attribute("why", collective.why);
    strings("reasons", collective.reasons());
    if (!collective.alternative) {
      json.attribute("alternative", nullptr);
      return;
    }
    json.attributeObject("alternative", [&] {
      json.attribute("what", collective.alternative->what);
      json.attribute("bytes_sent", collective.alternative->bytesSent);
      json.attribute("memory", collective.alternative->memory);
      number("microseconds", collective.alternative->microseconds);
    });
  });
}

void JsonPrinter::printTotals() {
  std::map<std::string, std::pair<int64_t, int64_t>> totals;
  int64_t bytes = 0;
  for (const ReportCollective &collective : report.collectives) {
    auto &total = totals[collective.kind];
    total.first += collective.count;
    total.second += collective.count * collective.bytesSent;
    bytes += collective.count * collective.bytesSent;
  }
  json.attributeObject("totals", [&] {
    for (auto &entry : totals)
      json.attributeObject(entry.first, [&] {
        json.attribute("count", entry.second.first);
        json.attribute("bytes_sent", entry.second.second);
      });
    json.attribute("bytes_sent", bytes);
  });
}

void JsonPrinter::printRow(const SummaryRow &row, StringRef nameKey) {
  json.object([&] {
    json.attribute("phase", row.phase);
    if (!nameKey.empty())
      json.attribute(nameKey, row.name);
    if (row.layers)
      json.attribute("modules", row.layers);
    json.attribute("collectives", row.collectives);
    json.attribute("bytes_sent", row.bytesSent);
    number("communication_microseconds", row.communication);
    number("hidden_microseconds", row.hidden);
    if (nameKey != "axes") {
      json.attribute("multiply_adds", row.multiplyAdds);
      number("compute_microseconds", row.compute);
    }
  });
}

void JsonPrinter::printSummary() {
  Summary summary = sumUp(report);
  json.attributeObject("summary", [&] {
    json.attributeArray("phases", [&] {
      for (const SummaryRow &row : summary.phases)
        printRow(row, "");
    });
    json.attributeArray("axes", [&] {
      for (const SummaryRow &row : summary.axes)
        printRow(row, "axes");
    });
    json.attributeArray("modules", [&] {
      for (const SummaryRow &row : summary.modules)
        printRow(row, "module");
    });
  });
}

void JsonPrinter::printMemory() {
  auto phase = [&](const ReportPhaseMemory &row) {
    json.attribute("phase", row.phase);
    json.attribute("inputs", row.inputs);
    json.attribute("outputs", row.outputs);
    json.attribute("arena", row.arena);
    json.attribute("live", row.live);
    json.attribute("communication", row.communication);
    json.attribute("peak_module", row.peakModule);
    json.attributeArray("alive_at_peak", [&] {
      for (const ReportLive &live : row.alive)
        json.object([&] {
          json.attribute("kind", live.kind);
          json.attribute("module", live.module);
          json.attribute("type", live.type);
          json.attribute("bytes", live.bytes);
          json.attribute("count", live.count);
        });
    });
    json.attributeArray("over_program", [&] {
      for (const ReportMemoryPoint &point : row.points)
        json.object([&] {
          json.attribute("module", point.module);
          json.attribute("bytes", point.bytes);
          json.attribute("communication", point.communication);
        });
    });
  };
  json.attributeObject("memory", [&] {
    json.attribute("parameters", report.memory.parameters);
    json.attribute("state", report.memory.state);
    json.attribute("activations_peak", report.memory.activationsPeak);
    json.attribute("peak", report.memory.peak);
    json.attributeArray("phases", [&] {
      for (const ReportPhaseMemory &row : report.memory.phases)
        json.object([&] { phase(row); });
    });
  });
}

void JsonPrinter::printAmounts(const ReportAmounts &amounts) {
  auto print = [&](StringRef name, const ReportAmount &elements,
                   const ReportAmount &bytes) {
    json.attributeObject(name, [&] {
      json.attribute("elements", elements.total);
      json.attribute("padding_elements", elements.padding);
      json.attribute("bytes", bytes.total);
      json.attribute("padding_bytes", bytes.padding);
    });
  };
  print("parameters", amounts.parameterElements, amounts.parameterBytes);
  print("state", amounts.stateElements, amounts.stateBytes);
  print("activations", amounts.activationElements, amounts.activationBytes);
  json.attributeObject("multiply_adds", [&] {
    json.attribute("total", amounts.multiplyAdds.total);
    json.attribute("padding", amounts.multiplyAdds.padding);
  });
}

void JsonPrinter::printPadding() {
  json.attributeArray("dims", [&] {
    for (const ReportPadding &row : report.padding)
      json.object([&] {
        json.attribute("phase", row.phase);
        json.attribute("module", row.module);
        json.attribute("size", row.size);
        json.attribute("padded", row.padded);
        strings("axes", row.axes);
        printAmounts(row.amounts);
      });
  });
  json.attributeObject("phases", [&] {
    for (const ReportPhase &phase : report.phases)
      json.attributeObject(phase.phase, [&] { printAmounts(phase.amounts); });
  });
}

void JsonPrinter::printTime() {
  auto speedUp = [&](double without, double time) {
    number("speed_up", time > 0 ? without / time : 1);
  };
  json.attributeArray("time", [&] {
    for (const ReportPhase &phase : report.phases)
      json.object([&] {
        json.attribute("phase", phase.phase);
        number("microseconds", phase.time.total);
        number("compute_microseconds", phase.time.compute);
        number("communication_microseconds", phase.time.communication);
        number("hidden_microseconds", phase.time.hidden);
        number("one_device_microseconds", phase.oneDevice);
        speedUp(phase.oneDevice, phase.time.total);
        json.attributeArray("axes", [&] {
          for (auto [axis, without] : llvm::zip(report.axes, phase.withoutAxis))
            json.object([&, name = axis.first, time = without] {
              json.attribute("name", name);
              number("microseconds_without", time);
              speedUp(time, phase.time.total);
            });
        });
      });
  });
}

void JsonPrinter::printTensor(const ReportPlacement &row) {
  json.attribute("kind", row.kind);
  json.attribute("name", row.name);
  json.attribute("phase", row.phase);
  json.attribute("dtype", row.dtype);
  counts("shape", row.shape);
  counts("local_shape", row.local);
  counts("padded", row.placement.pads);
  json.attributeArray("dims", [&] {
    for (const Axes &axes : row.placement.dims)
      json.array([&] {
        for (const Axis &axis : axes)
          json.object([&] {
            json.attribute("axis", axis.name);
            json.attribute("pre", axis.pre);
            json.attribute("size", axis.size);
          });
      });
  });
  json.attribute("placement", row.text);
  json.attribute("location", row.location);
}

void JsonPrinter::printTensors() {
  json.attributeArray("tensors", [&] {
    for (const ReportPlacement &row : report.tensors)
      json.object([&] { printTensor(row); });
  });
}

void JsonPrinter::printGraphs() {
  auto node = [&](const ReportNode &node) {
    json.attribute("name", node.name);
    json.attribute("module", node.module);
    json.attribute("type", node.type);
    json.attribute("location", node.location);
    json.attribute("outside", node.isOutside);
    strings("parameters", node.parameters);
    if (node.result)
      json.attributeObject("result", [&] { printTensor(*node.result); });
  };
  auto edge = [&](const ReportEdge &edge) {
    json.attribute("from", int64_t(edge.from));
    json.attribute("to", int64_t(edge.to));
    json.attribute("type", edge.type);
    json.attribute("placement", edge.placement);
    counts("collectives", edge.collectives);
  };
  json.attributeArray("graphs", [&] {
    for (const ReportGraph &graph : report.graphs)
      json.object([&] {
        json.attribute("phase", graph.phase);
        json.attribute("layer", graph.layer);
        json.attribute("left_out", int64_t(graph.leftOut));
        json.attributeArray("nodes", [&] {
          for (const ReportNode &each : graph.nodes)
            json.object([&] { node(each); });
        });
        json.attributeArray("edges", [&] {
          for (const ReportEdge &each : graph.edges)
            json.object([&] { edge(each); });
        });
      });
  });
}

void JsonPrinter::print() {
  json.object([&] {
    json.attribute("schema", 1);
    json.attributeObject("mesh", [&] {
      json.attributeArray("axes", [&] {
        for (auto &[name, size] : report.axes)
          json.object([&, axisName = name, axisSize = size] {
            json.attribute("name", axisName);
            json.attribute("size", axisSize);
          });
      });
    });
    printMachine();
    json.attributeArray("collectives", [&] {
      for (const ReportCollective &collective : report.collectives)
        printCollective(collective);
    });
    printTotals();
    printSummary();
    printTime();
    printMemory();
    json.attributeObject("padding", [&] { printPadding(); });
    printTensors();
    strings("remarks", report.remarks);
    if (withGraphs)
      printGraphs();
  });
}

void tp::printJsonData(const Report &report, llvm::raw_ostream &os,
                       unsigned indent, bool withGraphs) {
  JsonPrinter(report, os, indent, withGraphs).print();
}

void tp::printJson(const Report &report, llvm::raw_ostream &os) {
  printJsonData(report, os, /*indent=*/2, /*withGraphs=*/false);
  os << "\n";
}
