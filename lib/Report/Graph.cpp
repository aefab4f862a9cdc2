//===- Graph.cpp - one layer as a graph -----------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Report/Graph.h"
#include "LocalProgram.h"
#include "llvm/ADT/StringExtras.h"
#include <map>
#include <set>

using namespace mlir;
using namespace mlir::tp;

/// More cannot be read.
static constexpr size_t kMostNodes = 300;

namespace {

/// Collectives and what belongs to them become parts of edges; ops without
/// operands and parameters, words in nodes.
class GraphCollector : public OpObserver {
public:
  GraphCollector(LocalProgram &program, Report &report, int64_t layer)
      : program(program), report(report), layer(layer) {}

  void visit(Operation *) override {}

  void finish() override {
    graph.phase = program.phase();
    chooseLayer();
    graph.layer = layer;
    size_t collective = 0;
    for (const ReportCollective &known : report.collectives)
      if (known.phase != graph.phase)
        ++collective;
    for (Operation &op : program.function.getBody().front()) {
      if (isa<CollectiveOpInterface>(op))
        collectives[&op] = collective++;
      if (op.hasTrait<OpTrait::IsTerminator>())
        break;
      if (isInside(&op) && !isPassed(&op))
        addNode(&op);
    }
    addEdges();
    report.graphs.push_back(std::move(graph));
  }

private:
  /// A layer with neighbours on both sides, if there is one.
  void chooseLayer() {
    if (layer >= 0)
      return;
    int64_t last = -1;
    for (Operation &op : program.function.getBody().front())
      if (auto number = layerOf(program.names.of(&op)))
        last = std::max(last, *number);
    layer = last > 1 ? 1 : std::min<int64_t>(last, 0);
  }

  bool isInside(Operation *op) const {
    return layer < 0 || layerOf(program.names.of(op)) == layer;
  }

  /// What is drawn as a part of edges.
  bool isPassed(Operation *op) const {
    return isa<CollectiveOpInterface, WaitOp>(op) || op->getNumOperands() == 0;
  }

  void addNode(Operation *op) {
    if (graph.nodes.size() >= kMostNodes) {
      ++graph.leftOut;
      return;
    }
    ReportNode node;
    node.name = op->getName().getStringRef().str();
    node.module = program.names.of(op).str();
    if (op->getNumResults())
      node.type = textOf(op->getResult(0).getType());
    node.location = textOf(op->getLoc());
    if (op->getNumResults() && tensorOf(op->getResult(0).getType())) {
      node.result = program.describeValue(op->getResult(0));
      node.result->name = node.name + " of " +
                          (node.module.empty() ? graph.phase : node.module);
    }
    for (Value operand : op->getOperands())
      if (Value parameter = program.names.parameterOf(operand))
        node.parameters.push_back(
            program.names.argumentName(cast<BlockArgument>(parameter)).str());
    numbers[op] = graph.nodes.size();
    graph.nodes.push_back(std::move(node));
  }

  /// A node for what is outside: the module that gives or takes a value.
  size_t outside(StringRef module, bool gives) {
    std::string name =
        (gives ? "from " : "to ") + (module.empty() ? "outside" : module.str());
    auto [it, inserted] = outsideNumbers.try_emplace(name, graph.nodes.size());
    if (inserted) {
      ReportNode node;
      node.name = name;
      node.isOutside = true;
      graph.nodes.push_back(std::move(node));
    }
    return it->second;
  }

  /// The value before the collectives that it went through.
  Value passBack(Value value, std::vector<size_t> &passed) const {
    while (Operation *op = value.getDefiningOp()) {
      if (!isa<CollectiveOpInterface, WaitOp>(op))
        break;
      if (auto it = collectives.find(op); it != collectives.end())
        passed.push_back(it->second);
      value = op->getOperand(cast<OpResult>(value).getResultNumber());
    }
    std::reverse(passed.begin(), passed.end());
    return value;
  }

  void addEdges() {
    for (Operation &op : program.function.getBody().front()) {
      bool isEnd = op.hasTrait<OpTrait::IsTerminator>();
      if (!isEnd && isPassed(&op))
        continue;
      auto to = numbers.find(&op);
      for (Value operand : op.getOperands())
        addEdge(operand,
                to == numbers.end() ? std::nullopt : std::optional(to->second),
                isEnd ? "the caller" : program.names.of(&op));
    }
  }

  void addEdge(Value operand, std::optional<size_t> to, StringRef user) {
    if (!tensorOf(operand.getType()) || program.names.parameterOf(operand))
      return;
    ReportEdge edge;
    Value source = passBack(operand, edge.collectives);
    Operation *producer = source.getDefiningOp();
    if (producer && producer->getNumOperands() == 0)
      return;
    auto from = producer ? numbers.find(producer) : numbers.end();
    if (from == numbers.end() && !to)
      return;
    edge.from = from != numbers.end() ? from->second
                                      : outside(sourceName(source), true);
    edge.to = to ? *to : outside(user, false);
    edge.type = textOf(source.getType());
    edge.placement = describe(program.placementOf(operand), program.mesh);
    std::string key = std::to_string(edge.from) + " " +
                      std::to_string(edge.to) + " " +
                      std::to_string(edge.collectives.size());
    if (seen.insert(key).second)
      graph.edges.push_back(std::move(edge));
  }

  std::string sourceName(Value value) {
    if (auto argument = dyn_cast<BlockArgument>(value))
      return program.names.argumentName(argument).str();
    return program.names.of(value).str();
  }

  LocalProgram &program;
  Report &report;
  int64_t layer;
  ReportGraph graph;
  DenseMap<Operation *, size_t> numbers, collectives;
  std::map<std::string, size_t> outsideNumbers;
  std::set<std::string> seen;
};

} // namespace

std::unique_ptr<OpObserver>
tp::makeGraphCollector(LocalProgram &program, Report &report, int64_t layer) {
  return std::make_unique<GraphCollector>(program, report, layer);
}

//===----------------------------------------------------------------------===//
// Graphviz
//===----------------------------------------------------------------------===//

/// In quotes, with "\n" for a new line.
static std::string quoted(StringRef text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      result += '\\';
    if (c == '\n')
      result += "\\n";
    else
      result += c;
  }
  return result + "\"";
}

static void printGraph(const Report &report, const ReportGraph &graph,
                       StringRef prefix, llvm::raw_ostream &os) {
  for (auto [i, node] : llvm::enumerate(graph.nodes)) {
    std::string label = node.name;
    if (!node.module.empty())
      label += "\n" + node.module;
    if (!node.type.empty())
      label += "\n" + node.type;
    os << "    " << prefix << i << " [label=" << quoted(label)
       << (node.isOutside ? ", style=dashed" : "") << "];\n";
  }
  for (const ReportEdge &edge : graph.edges) {
    os << "    " << prefix << edge.from << " -> " << prefix << edge.to;
    std::string label;
    for (size_t number : edge.collectives) {
      const ReportCollective &collective = report.collectives[number];
      label += (label.empty() ? "" : "\n") + collective.kind + " " +
               llvm::join(collective.axes, ",") + "\n" +
               formatBytes(collective.bytesSent) + ", " +
               formatTime(collective.microseconds);
    }
    if (!label.empty())
      os << " [label=" << quoted(label)
         << ", style=bold, penwidth=3, color=\"#b35900\", "
            "fontcolor=\"#b35900\"]";
    os << ";\n";
  }
}

void tp::printDot(const Report &report, llvm::raw_ostream &os) {
  os << "digraph program {\n  node [shape=box, fontname=\"sans-serif\"];\n"
     << "  edge [fontname=\"sans-serif\"];\n";
  for (auto [i, graph] : llvm::enumerate(report.graphs)) {
    std::string title = graph.phase;
    if (graph.layer >= 0)
      title += ", layer " + std::to_string(graph.layer);
    if (graph.leftOut)
      title += ", without " + std::to_string(graph.leftOut) + " ops";
    os << "  subgraph cluster_" << i << " {\n    label=" << quoted(title)
       << ";\n";
    printGraph(report, graph, "n" + std::to_string(i) + "_", os);
    os << "  }\n";
  }
  os << "}\n";
}
