//===- ShardingRule.cpp - how the dims of an op relate --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Interfaces/ShardingRule.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include <limits>

#include "tp/Interfaces/ShardingEnums.cpp.inc"
#include "tp/Interfaces/ShardingInterfaces.cpp.inc"

using namespace mlir;
using namespace mlir::tp;

namespace {

/// Reads the notation of ShardingRule.h for one op.
class RuleParser {
public:
  RuleParser(Operation *op, StringRef text) : op(op), text(text) {}

  std::optional<ShardingRule> run() {
    if (!parseTensors(op->getOperandTypes(), rule.operands, operandNumbers) ||
        !consume("->"))
      return std::nullopt;
    SmallVector<unsigned> resultNumbers;
    if (!parseTensors(op->getResultTypes(), rule.results, resultNumbers))
      return std::nullopt;
    while (consume(";"))
      if (!parseClause())
        return std::nullopt;
    if (!text.trim().empty())
      return std::nullopt;
    return std::move(rule);
  }

private:
  bool consume(StringRef token) {
    text = text.ltrim();
    return text.consume_front(token);
  }

  StringRef word() {
    text = text.ltrim();
    StringRef result =
        text.take_while([](char c) { return llvm::isAlnum(c) || c == '_'; });
    text = text.drop_front(result.size());
    return result;
  }

  unsigned factor(StringRef name, int64_t size) {
    auto [it, inserted] = names.try_emplace(name, rule.factors.size());
    if (inserted)
      rule.addFactor(size);
    return it->second;
  }

  /// "([a,b],[...,c])": one bracket for each ranked tensor of `types`; trailing
  /// brackets may be missing from the op (optional operands).
  bool parseTensors(TypeRange types, SmallVector<TensorFactors> &tensors,
                    SmallVector<unsigned> &numbers) {
    tensors.resize(types.size());
    for (auto [i, type] : llvm::enumerate(types))
      if (isa<RankedTensorType>(type))
        numbers.push_back(i);
    if (!consume("("))
      return false;
    size_t next = 0;
    if (consume(")"))
      return true;
    do {
      bool present = next < numbers.size();
      unsigned number = present ? numbers[next++] : 0;
      if (!parseTensor(present ? shapeOf(types[number]) : ArrayRef<int64_t>(),
                       present, tensors, number))
        return false;
    } while (consume(","));
    return consume(")");
  }

  bool parseTensor(ArrayRef<int64_t> shape, bool present,
                   SmallVector<TensorFactors> &tensors, unsigned number) {
    if (!consume("["))
      return false;
    SmallVector<StringRef> dims;
    while (!consume("]")) {
      dims.push_back(consume("...") ? StringRef("...") : word());
      if (dims.back().empty())
        return false;
      consume(",");
    }
    if (!present)
      return true;
    int64_t rest = int64_t(shape.size()) - int64_t(dims.size()) +
                   (llvm::is_contained(dims, "...") ? 1 : 0);
    if (rest < 0 || (!llvm::is_contained(dims, "...") && rest != 0))
      return false;
    TensorFactors &tensor = tensors[number];
    for (StringRef name : dims) {
      if (name != "...") {
        tensor.push_back({factor(name, shape[tensor.size()])});
        continue;
      }
      for (int64_t i = 0; i < rest; ++i) {
        std::string numbered = "..." + std::to_string(i);
        tensor.push_back({factor(numbered, shape[tensor.size()])});
      }
    }
    return true;
  }

  bool parseClause() {
    StringRef kind = word();
    if (!consume("{"))
      return false;
    while (!consume("}")) {
      StringRef name = consume("...") ? StringRef("...") : word();
      if (name.empty() || !apply(kind, name))
        return false;
      consume(",");
    }
    return true;
  }

  /// The factors called `name`; "..." stands for all that it covers.
  SmallVector<unsigned> named(StringRef name) {
    SmallVector<unsigned> found;
    for (const auto &entry : names)
      if (entry.getKey() == name ||
          (name == "..." && entry.getKey().starts_with("...")))
        found.push_back(entry.getValue());
    return found;
  }

  bool apply(StringRef kind, StringRef name) {
    if (kind == "each" || kind == "joint" || kind == "checked") {
      unsigned number;
      if (name.getAsInteger(10, number))
        return false;
      // An optional operand that is absent cannot be partial.
      if (number < operandNumbers.size())
        (kind == "each"    ? rule.each
         : kind == "joint" ? rule.joint
                           : rule.checked)
            .push_back(operandNumbers[number]);
      return true;
    }
    // None: the factor of an absent operand.
    for (unsigned number : named(name))
      if (!applyToFactor(kind, rule.factors[number]))
        return false;
    return true;
  }

  static bool applyToFactor(StringRef kind, Factor &factor) {
    if (kind == "replicate")
      factor.kind = FactorKind::Replicate;
    else if (kind == "decompose")
      factor.kind = FactorKind::Decompose;
    else if (kind == "indexed")
      factor.indexed = true;
    else if (kind == "masked")
      factor.masked = true;
    else if (std::optional<ReduceKind> reduction = symbolizeReduceKind(kind)) {
      factor.kind = FactorKind::Reduce;
      factor.reduction = *reduction;
    } else
      return false;
    return true;
  }

  Operation *op;
  StringRef text;
  ShardingRule rule;
  llvm::StringMap<unsigned> names;
  SmallVector<unsigned> operandNumbers;
};

} // namespace

double tp::neutralOf(ReduceKind kind) {
  switch (kind) {
  case ReduceKind::Max:
    return -std::numeric_limits<double>::infinity();
  case ReduceKind::Min:
    return std::numeric_limits<double>::infinity();
  case ReduceKind::Product:
    return 1;
  case ReduceKind::And:
    return -1;
  case ReduceKind::Sum:
  case ReduceKind::Or:
    break;
  }
  return 0;
}

std::optional<ShardingRule> ShardingRule::parse(Operation *op,
                                                StringRef notation) {
  return RuleParser(op, notation).run();
}

ShardingRule ShardingRule::elementwise(Operation *op) {
  ShardingRule rule;
  rule.operands.resize(op->getNumOperands());
  rule.results.resize(op->getNumResults());
  ArrayRef<int64_t> shape = shapeOf(op->getResult(0).getType());
  TensorFactors dims;
  for (int64_t size : shape)
    dims.push_back({rule.addFactor(size)});
  for (auto [tensor, value] : llvm::zip(rule.operands, op->getOperands()))
    if (shapeOf(value.getType()).size() == shape.size())
      tensor = dims;
  for (auto [tensor, value] : llvm::zip(rule.results, op->getResults()))
    if (shapeOf(value.getType()).size() == shape.size())
      tensor = dims;
  return rule;
}

ShardingRule tp::ruleOf(Operation *op, StringRef notation) {
  return ShardingRule::parse(op, notation).value_or(ShardingRule());
}

Operation *tp::cloneWith(OpBuilder &builder, Operation *op, ValueRange operands,
                         TypeRange resultTypes) {
  OperationState state(op->getLoc(), op->getName());
  state.addOperands(operands);
  state.addTypes(resultTypes);
  state.addAttributes(op->getAttrs());
  // Placement caches speak of the op that was cloned, not of its copy.
  state.attributes.erase("tp.shardings");
  return builder.create(state);
}

SmallVector<Type> tp::splitResultTypes(Operation *op, const ShardingRule &rule,
                                       unsigned factor,
                                       ArrayRef<int64_t> sizes) {
  SmallVector<Type> types;
  for (auto [value, dims] : llvm::zip(op->getResults(), rule.results)) {
    auto tensor = dyn_cast<RankedTensorType>(value.getType());
    if (!tensor) {
      types.push_back(value.getType());
      continue;
    }
    SmallVector<int64_t> shape;
    for (auto [size, factors] : llvm::zip(tensor.getShape(), dims)) {
      if (factors.size() == 1 && factors[0] == factor)
        shape.append(sizes.begin(), sizes.end());
      else
        shape.push_back(size);
    }
    types.push_back(RankedTensorType::get(shape, tensor.getElementType()));
  }
  return types;
}

StringRef tp::moduleOf(Location location) {
  if (auto name = dyn_cast<NameLoc>(location))
    return name.getName().getValue();
  if (auto fused = dyn_cast<FusedLoc>(location))
    for (Location part : fused.getLocations())
      if (StringRef name = moduleOf(part); !name.empty())
        return name;
  if (auto call = dyn_cast<CallSiteLoc>(location))
    return moduleOf(call.getCallee());
  return {};
}
