//===- SectionApplier.cpp - one plan's requests along one axis ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "SectionApplier.h"
#include "tp/Interfaces/ShardingRule.h"
#include "tp/Plan/ModuleNames.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::tp;

InFlightDiagnostic SectionApplier::emit() {
  return emitError(UnknownLoc::get(context)) << file.name << ": ";
}

LogicalResult SectionApplier::unmet(const PlanEntry &entry, const Twine &text,
                                    StringRef instead) {
  if (!file.mayWeaken)
    return emit() << "\"" << entry.pattern << "\": " << text;
  if (said.insert(entry.pattern + " " + instead.str()).second)
    emitRemark(UnknownLoc::get(context)) << file.name << ": \"" << entry.pattern
                                         << "\": " << text << "; " << instead;
  return success();
}

/// For messages: the whole model has no name of its own.
static std::string quoted(StringRef name) {
  return name.empty() ? "the model" : "\"" + name.str() + "\"";
}

/// The module that a module is in; empty for one that is in none.
static StringRef parentOf(StringRef name) {
  return name.contains('.') ? name.rsplit('.').first : StringRef();
}

static std::string fullName(StringRef module, const NamedParameter &parameter) {
  return module.empty() ? parameter.leaf.str()
                        : (module + "." + parameter.leaf).str();
}

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

LogicalResult SectionApplier::run() {
  indexPatterns();
  findAnchored();
  for (auto &[name, module] : modules) {
    const PlanEntry *chosen = nullptr;
    if (failed(choose(name, findEntries(name), chosen)) ||
        (chosen && failed(request(name, module, *chosen))))
      return failure();
  }
  if (failed(matchParameters()) || failed(matchBelow()))
    return failure();
  for (auto [entry, count] : llvm::zip(section.entries, matches))
    if (count == 0)
      return unmatched(entry);
  return success();
}

void SectionApplier::indexPatterns() {
  matches.assign(section.entries.size(), 0);
  for (auto [i, entry] : llvm::enumerate(section.entries)) {
    StringRef pattern = entry.pattern;
    if (entry.style.isStorage) { // Speaks of all modules below.
      storing.push_back(i);
      continue;
    }
    if (!hasWildcard(pattern)) {
      exact[pattern].push_back(i);
      continue;
    }
    StringRef last = pattern.rsplit('.').second;
    if (last.empty())
      last = pattern;
    wild[hasWildcard(last) ? StringRef() : last].push_back(i);
  }
}

/// The entries that name a module or a parameter, in order. A look at every
/// suffix of the name, so that many exact entries cost no more than few.
SmallVector<unsigned> SectionApplier::findEntries(StringRef name) {
  SmallVector<unsigned> found;
  StringRef suffix = name;
  while (true) {
    if (auto it = exact.find(suffix); it != exact.end())
      for (unsigned i : it->second)
        if (speaksOf(i, name))
          found.push_back(i);
    size_t dot = suffix.find('.');
    if (dot == StringRef::npos)
      break;
    suffix = suffix.drop_front(dot + 1);
  }
  for (StringRef last : {suffix, StringRef()})
    if (auto it = wild.find(last); it != wild.end())
      for (unsigned i : it->second)
        if (speaksOf(i, name))
          found.push_back(i);
  llvm::sort(found);
  found.erase(llvm::unique(found), found.end());
  return found;
}

bool SectionApplier::speaksOf(unsigned number, StringRef name) {
  StringRef pattern = section.entries[number].pattern;
  bool isFull = pattern.count('.') == name.count('.');
  return (isFull || !anchored.test(number)) && matchesModule(pattern, name);
}

/// A key that names something from the root speaks of nothing else: `output` is
/// not `layers.0.attention.output`, if there is an `output`.
void SectionApplier::findAnchored() {
  anchored.resize(section.entries.size());
  llvm::SmallBitVector found(section.entries.size());
  auto visit = [&](StringRef name) {
    for (unsigned i : findEntries(name))
      if (StringRef(section.entries[i].pattern).count('.') == name.count('.'))
        found.set(i);
  };
  for (auto &[name, module] : modules) {
    visit(name);
    for (const NamedParameter &parameter : module.parameters)
      visit(fullName(name, parameter));
    for (unsigned i : storing)
      for (StringRef above = name; !above.empty(); above = parentOf(above))
        if (StringRef(section.entries[i].pattern).count('.') ==
                above.count('.') &&
            matchesModule(section.entries[i].pattern, above))
          found.set(i);
  }
  anchored = found;
}

/// A name without wildcards is more exact than one with them.
LogicalResult SectionApplier::choose(StringRef name, ArrayRef<unsigned> found,
                                     const PlanEntry *&chosen) {
  for (unsigned i : found) {
    const PlanEntry &entry = section.entries[i];
    ++matches[i];
    bool isExact = !hasWildcard(entry.pattern);
    bool chosenExact = chosen && !hasWildcard(chosen->pattern);
    if (chosen && isExact == chosenExact &&
        chosen->style.describe() != entry.style.describe())
      return emit() << "\"" << chosen->pattern << "\" and \"" << entry.pattern
                    << "\" both match " << quoted(name)
                    << " and ask for different styles";
    if (!chosen || (isExact && !chosenExact))
      chosen = &entry;
  }
  return success();
}

/// An entry may name a parameter itself: `layers.*.mlp.experts.gate_up_proj`.
LogicalResult SectionApplier::matchParameters() {
  // What a module matched may match parameters besides, by its wildcards.
  SmallVector<unsigned> ofModules = matches;
  for (auto &[name, module] : modules) {
    for (const NamedParameter &parameter : module.parameters) {
      std::string full = fullName(name, parameter);
      const PlanEntry *chosen = nullptr;
      if (failed(choose(full, findEntries(full), chosen)))
        return failure();
      if (!chosen)
        continue;
      bool isNamed = ofModules[chosen - section.entries.data()] == 0;
      Style style = chosen->style;
      style.input = style.desiredInput = {};
      style.output = style.desiredOutput = {};
      if ((isNamed && failed(checkNamed(full, parameter, *chosen))) ||
          failed(requestParameter(name, module, parameter, *chosen, style)))
        return failure();
    }
  }
  return success();
}

/// Styles that speak of all parameters below a module.
LogicalResult SectionApplier::matchBelow() {
  for (unsigned i : storing) {
    const PlanEntry &entry = section.entries[i];
    for (auto &[name, module] : modules) {
      bool isBelow = entry.pattern.empty();
      for (StringRef above = name; !isBelow && !above.empty();
           above = parentOf(above))
        isBelow = speaksOf(i, above);
      if (!isBelow)
        continue;
      ++matches[i];
      for (const NamedParameter &parameter : module.parameters)
        if (!parameter.isAlias &&
            failed(
                requestParameter(name, module, parameter, entry, entry.style)))
          return failure();
    }
  }
  return success();
}

LogicalResult SectionApplier::unmatched(const PlanEntry &entry) {
  SmallVector<StringRef> names;
  llvm::SetVector<StringRef> parameters;
  for (auto &[name, module] : modules) {
    names.push_back(name);
    for (const NamedParameter &parameter : module.parameters)
      if (parameter.leaf != "weight" && parameter.leaf != "bias")
        parameters.insert(parameter.attribute().getName());
  }
  llvm::append_range(names, parameters);
  InFlightDiagnostic error = emit();
  error << "\"" << entry.pattern << "\" matches no module";
  if (auto nearest = nearestModule(entry.pattern, names)) {
    error << "; did you mean \"" << nearest->first << "\"?";
    if (nearest->second > 1)
      error << " (" << nearest->second << " layers have it)";
  }
  return error;
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

namespace {

/// The inputs, or outputs, of a module by name, in the order of the program.
struct BoundaryNames {
  SmallVector<StringRef> names;

  BoundaryNames(const NamedModule &module, StringRef direction) {
    for (nn::BoundaryOp op : module.boundaries)
      if (op.getDirection() == direction &&
          !llvm::is_contained(names, op.getName()))
        names.push_back(op.getName());
  }

  /// The position of a boundary: what its name says, or, of one that was given
  /// by keyword, where it stands.
  size_t positionOf(StringRef name) const {
    size_t position = 0;
    if (!name.getAsInteger(10, position))
      return position;
    return llvm::find(names, name) - names.begin();
  }

  bool hasPosition(size_t position) const {
    return llvm::any_of(
        names, [&](StringRef name) { return positionOf(name) == position; });
  }

  Layout find(const Layouts &layouts, StringRef name) const {
    for (const auto &[keyword, layout] : layouts.keyword)
      if (keyword == name)
        return layout;
    size_t position = positionOf(name);
    return position < layouts.positional.size() ? layouts.positional[position]
                                                : Layout();
  }
};

} // namespace

/// Whether the module looks a parameter up by position: the op reads the first
/// dim as an index. Of a parameter with one owner, whoever does it.
static bool isTable(StringRef name, const NamedParameter &parameter) {
  func::FuncOp function = parameter.function;
  if (function.isExternal())
    return false;
  bool isLookedUp = false, isFound = false;
  for (OpOperand &use : function.getArgument(parameter.argument).getUses()) {
    bool isIndexed = isLookup(use);
    bool isOwn = moduleAround(use.getOwner()) == name;
    if (isFound && !isOwn)
      continue;
    if (isOwn != isFound)
      isLookedUp = false; // What the others do does not matter any more.
    isFound |= isOwn;
    isLookedUp |= isIndexed;
  }
  return isLookedUp && (isFound || !parameter.isAlias);
}

/// What a style asks of a parameter.
static const Layout &layoutFor(StringRef name, const NamedParameter &parameter,
                               const Style &style) {
  return parameter.leaf == "bias"   ? style.bias
         : isTable(name, parameter) ? style.embedding
                                    : style.weight;
}

/// What an entry that names a parameter asks of inputs and outputs would be
/// lost, and so would a style that says nothing of it.
LogicalResult SectionApplier::checkNamed(StringRef full,
                                         const NamedParameter &parameter,
                                         const PlanEntry &entry) {
  const Style &style = entry.style;
  auto [module, leaf] = full.rsplit('.');
  bool asksNothing = !layoutFor(module, parameter, style) &&
                     (style.asksOfParameters() || !style.input.empty() ||
                      !style.desiredInput.empty() || !style.output.empty() ||
                      !style.desiredOutput.empty());
  if (asksNothing)
    return unmet(entry,
                 style.name + " asks nothing of a parameter such as \"" + full +
                     "\"; name the module " + quoted(module),
                 "nothing is asked of it");
  // An output that is gathered is more than what a sharded weight implies.
  bool isGathered =
      !style.isLazy &&
      llvm::is_contained(style.desiredOutput.positional, Layout::replicate());
  bool isGiven = style.input.isGiven || style.desiredInput.isGiven ||
                 style.output.isGiven || style.desiredOutput.isGiven;
  if (isGathered || isGiven)
    return unmet(entry,
                 style.name +
                     " speaks of inputs or outputs, which the parameter "
                     "\"" +
                     full + "\" has not; name the module " + quoted(module),
                 "only the parameter is sharded");
  return success();
}

/// A style that speaks of tables and not of what is contracted, or the other
/// way round, would ask nothing.
LogicalResult SectionApplier::checkAsked(StringRef name,
                                         const NamedModule &module,
                                         const PlanEntry &entry,
                                         const Style &style) {
  bool isAsked =
      !style.asksOfParameters() || module.parameters.empty() ||
      llvm::any_of(module.parameters, [&](const NamedParameter &parameter) {
        return bool(layoutFor(name, parameter, style));
      });
  if (isAsked)
    return success();
  const NamedParameter &first = module.parameters.front();
  bool isLookedUp = isTable(name, first);
  return unmet(entry,
               style.name + " says nothing of \"" + fullName(name, first) +
                   "\", which is " +
                   (isLookedUp ? "a table that is looked up; colwise and "
                                 "rowwise do"
                               : "no table that is looked up; colwise and "
                                 "rowwise say something of it"),
               "nothing is asked of it");
}

LogicalResult SectionApplier::request(StringRef name, NamedModule &module,
                                      const PlanEntry &entry) {
  bool hasOther = module.parameters.empty() && !entry.style.otherwise.empty();
  const Style &style = hasOther ? entry.style.otherwise.front() : entry.style;
  bool asksToShard = style.weight.kind == Layout::Shard ||
                     style.embedding.kind == Layout::Shard;
  if (asksToShard && module.parameters.empty())
    return emit() << "\"" << entry.pattern << "\": " << entry.style.name
                  << " shards weights, but " << quoted(name)
                  << " has none of its own; name the modules below it";
  if (failed(checkAsked(name, module, entry, style)))
    return failure();
  for (const NamedParameter &parameter : module.parameters)
    if (failed(requestParameter(name, module, parameter, entry, style)))
      return failure();
  return requestBoundaries(name, module, entry, style);
}

/// Whether the activations along a weight's dim are whole where they cross the
/// module's boundary, so that no other module sees how the dim is cut.
static bool isGathered(const NamedModule &module, const Style &style,
                       int64_t dim, int64_t rank) {
  if (rank > 2)
    return false;
  bool isOutput = rank == 1 || dim == 0;
  BoundaryNames boundaries(module, isOutput ? "output" : "input");
  return llvm::any_of(boundaries.names, [&](StringRef name) {
    Layout layout =
        boundaries.find(isOutput ? style.desiredOutput : style.input, name);
    if (!isOutput && !layout)
      layout = boundaries.find(style.desiredInput, name);
    return layout.kind == Layout::Replicate;
  });
}

LogicalResult SectionApplier::requestParameter(StringRef name,
                                               const NamedModule &module,
                                               const NamedParameter &parameter,
                                               const PlanEntry &entry,
                                               const Style &style) {
  nn::ParameterAttr attribute = parameter.attribute();
  int64_t rank = attribute.getShape().size();
  bool isLookedUp = isTable(name, parameter);
  const Layout &layout = layoutFor(name, parameter, style);
  if (!layout)
    return success();
  Request request;
  request.axis = axis;
  request.entry = entry.pattern;
  request.style = entry.style.name;
  request.isPacked = style.isPacked;
  request.isStorage = style.isStorage;
  if (parameter.isAlias)
    request.user = name;
  if (layout.kind == Layout::Shard) {
    request.dim = layout.dim < 0 ? layout.dim + rank : layout.dim;
    if (request.dim < 0 || request.dim >= rank)
      return emit() << "\"" << entry.pattern << "\": " << entry.style.name
                    << " shards dim " << layout.dim << ", but \""
                    << attribute.getName().getValue() << "\" has " << rank
                    << (rank == 1 ? " dim" : " dims");
    request.isGathered = !isLookedUp && !style.isStorage &&
                         isGathered(module, style, request.dim, rank);
  }
  return addRequest(parameter, request);
}

static std::string layoutOf(const Request &request) {
  return (request.isReplicated() ? Layout::replicate()
                                 : Layout::shard(request.dim))
      .str();
}

LogicalResult SectionApplier::addRequest(const NamedParameter &parameter,
                                         Request request) {
  func::FuncOp function = parameter.function;
  SmallVector<Request, 2> requests =
      readRequests(function.getArgAttr(parameter.argument, kRequestName));
  for (Request &other : requests) {
    if (other.axis != request.axis)
      continue;
    if (other.dim == request.dim && other.isStorage == request.isStorage) {
      // Both users must agree that nobody sees how it is cut.
      other.isGathered &= request.isGathered;
      function.setArgAttr(parameter.argument, kRequestName,
                          writeRequests(requests, context));
      return success();
    }
    auto describe = [&](InFlightDiagnostic diagnostic, StringRef what) {
      diagnostic << (other.user != request.user ? "tied parameter \""
                                                : "parameter \"")
                 << parameter.attribute().getName().getValue() << "\" " << what
                 << " along \"" << axis << "\": " << layoutOf(other) << " by "
                 << other.source() << " and " << layoutOf(request) << " by "
                 << request.source();
    };
    // A tied tensor has one storage, and its other users reshard it.
    if (other.user == request.user || other.isStorage || request.isStorage) {
      describe(emit(), "is asked for in two ways");
      return failure();
    }
    describe(emitRemark(UnknownLoc::get(context)) << file.name << ": ",
             "is stored in one way and resharded for the other use");
  }
  requests.push_back(request);
  function.setArgAttr(parameter.argument, kRequestName,
                      writeRequests(requests, context));
  return success();
}

//===----------------------------------------------------------------------===//
// Boundaries
//===----------------------------------------------------------------------===//

LogicalResult
SectionApplier::checkLayouts(StringRef name, const NamedModule &module,
                             const PlanEntry &entry, StringRef direction,
                             const Layouts &layouts, bool isNeeded) {
  if (layouts.empty() || !(layouts.isGiven || isNeeded))
    return success();
  BoundaryNames boundaries(module, direction);
  auto known = [&] {
    return boundaries.names.empty()
               ? "; the graph does not show any " + direction.str() + " of it"
               : "; it has \"" + llvm::join(boundaries.names, "\", \"") + "\"";
  };
  for (auto [i, layout] : llvm::enumerate(layouts.positional))
    if (layout && !boundaries.hasPosition(i))
      return emit() << "\"" << entry.pattern << "\": " << quoted(name)
                    << " has no " << direction << " " << i << " to be "
                    << layout.str() << known();
  for (const auto &[keyword, layout] : layouts.keyword) {
    size_t position = boundaries.positionOf(keyword);
    if (layout && position < layouts.positional.size() &&
        layouts.positional[position] &&
        llvm::is_contained(boundaries.names, keyword))
      return emit() << "\"" << entry.pattern << "\": " << direction << " \""
                    << keyword << "\" of " << quoted(name)
                    << " is given twice: by keyword and by position "
                    << position;
    if (layout && !llvm::is_contained(boundaries.names, keyword))
      return emit() << "\"" << entry.pattern << "\": " << quoted(name)
                    << " has no " << direction << " \"" << keyword
                    << "\" to be " << layout.str() << known();
  }
  return success();
}

/// Ids are no activations: a style's own layouts do not speak of them. Where a
/// table says what that means, or a weight, it means nothing more; else the
/// style would be lost.
LogicalResult SectionApplier::withoutIds(nn::BoundaryOp op,
                                         const PlanEntry &entry,
                                         const Style &style, bool isTable,
                                         Layout &from, Layout &to) {
  bool isInput = op.getDirection() == "input";
  const Layouts &givenFrom = isInput ? style.input : style.output;
  const Layouts &givenTo = isInput ? style.desiredInput : style.desiredOutput;
  bool isLost = to.kind == Layout::Shard && !givenTo.isGiven && !isTable &&
                style.weight.kind != Layout::Shard;
  std::string asked = to.str();
  if (!givenFrom.isGiven)
    from = Layout();
  if (!givenTo.isGiven)
    to = from ? Layout::replicate() : Layout();
  if (!isLost)
    return success();
  return unmet(
      entry,
      op.getDirection() + " \"" + op.getName() + "\" of " +
          quoted(op.getModule() == kRootModule ? StringRef() : op.getModule()) +
          " holds ids, and " + entry.style.name + " makes activations " +
          asked +
          "; name the modules that it is meant for, or say "
          "PrepareModuleInput with layouts",
      "nothing is asked of ids");
}

LogicalResult SectionApplier::requestBoundaries(StringRef name,
                                                NamedModule &module,
                                                const PlanEntry &entry,
                                                const Style &style) {
  // What a sharded weight implies need not be seen at the boundary.
  bool isNeeded = style.weight.kind != Layout::Shard &&
                  style.embedding.kind != Layout::Shard && !style.isLazy;
  auto check = [&](StringRef direction, const Layouts &layouts) {
    return checkLayouts(name, module, entry, direction, layouts, isNeeded);
  };
  if (failed(check("input", style.input)) ||
      failed(check("input", style.desiredInput)) ||
      failed(check("output", style.output)) ||
      failed(check("output", style.desiredOutput)))
    return failure();
  BoundaryNames inputs(module, "input"), outputs(module, "output");
  bool hasTable =
      llvm::any_of(module.parameters, [&](const NamedParameter &parameter) {
        return isTable(name, parameter);
      });
  for (nn::BoundaryOp op : module.boundaries) {
    bool isInput = op.getDirection() == "input";
    const BoundaryNames &names = isInput ? inputs : outputs;
    Layout first =
        names.find(isInput ? style.input : style.output, op.getName());
    Layout second = names.find(
        isInput ? style.desiredInput : style.desiredOutput, op.getName());
    if (!isa<FloatType>(op.getType().getElementType()) &&
        failed(withoutIds(op, entry, style, hasTable, first, second)))
      return failure();
    // A number is whole, whatever is said of it, but it cannot be sharded.
    if (op.getType().getRank() == 0 && first.kind != Layout::Shard &&
        second.kind != Layout::Shard)
      continue;
    bool isReducedAnyway = first == Layout::partial() && style.isLazy &&
                           second == Layout::replicate();
    if (first == second || isReducedAnyway)
      first = Layout();
    if (failed(addLayout(op, first, 0, entry, style)) ||
        failed(addLayout(op, second, 1, entry, style)))
      return failure();
  }
  return success();
}

LogicalResult SectionApplier::addLayout(nn::BoundaryOp op, const Layout &layout,
                                        int64_t stage, const PlanEntry &entry,
                                        const Style &style) {
  if (!layout)
    return success();
  int64_t rank = op.getType().getRank();
  Request request;
  request.axis = axis;
  request.stage = stage;
  request.entry = entry.pattern;
  request.style = entry.style.name;
  if (layout.kind == Layout::Shard) {
    request.dim = layout.dim < 0 ? layout.dim + rank : layout.dim;
    if (request.dim < 0 || request.dim >= rank)
      return emit() << "\"" << entry.pattern << "\": " << layout.str() << " of "
                    << op.getDirection() << " \"" << op.getName() << "\" of "
                    << quoted(op.getModule()) << ", which has " << rank
                    << (rank == 1 ? " dim" : " dims");
  }
  bool isLazyOutput =
      style.isLazy && request.isReplicated() && op.getDirection() == "output";
  request.isLazy = isLazyOutput || layout.kind == Layout::Partial;
  SmallVector<Request, 2> requests = readRequests(op->getAttr(kRequestName));
  for (const Request &other : requests) {
    if (other.axis != request.axis || other.stage != request.stage)
      continue;
    if (other.dim == request.dim && other.isLazy == request.isLazy)
      return success();
    return emit() << op.getDirection() << " \"" << op.getName() << "\" of "
                  << quoted(op.getModule())
                  << " is asked for in two ways along \"" << axis
                  << "\": " << layoutOf(other) << " by " << other.source()
                  << " and " << layoutOf(request) << " by " << request.source();
  }
  requests.push_back(request);
  op->setAttr(kRequestName, writeRequests(requests, context));
  return success();
}
