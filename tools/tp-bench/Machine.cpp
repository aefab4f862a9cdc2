//===- Machine.cpp - tp-bench machine -------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Everything is measured by the runtime's own functions, called as compiled
// programs call them. Numbers are those of one rank while all are at work: they
// share the memory and, it may be, the cores. Rates are medians, what a long
// step can expect; a collective takes its least time, since one that waits for
// a rank that is not running says nothing of the link.
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "Ranks.h"
#include "tp/Support/Tool.h"
#include "tprt/Dtype.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include <algorithm>
#include <cmath>
#include <unistd.h>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::bench;

namespace {

/// One rank's numbers.
struct Rates {
  double matmul = 0;    ///< TFLOP/s
  double read = 0;      ///< GB/s
  double copy = 0;      ///< GB/s, what is read and what is written
  double attention = 0; ///< GB/s, keys and values that are read
  std::vector<std::pair<StringRef, double>> stored; ///< GB/s read, by type
};

/// A time of a collective that sends `bytes`.
struct Sample {
  bool reduces = false;
  double bytes = 0, microseconds = 0;
};

struct Link {
  double reduceAlpha = 0, alpha = 0, gigabytes = 0;
};

using Floats = std::vector<float>;

} // namespace

//===----------------------------------------------------------------------===//
// One rank's work
//===----------------------------------------------------------------------===//

/// c[rows, columns] = a[rows, inner] b[columns, inner]': a linear layer, whose
/// weights lie as they are stored.
static Ranks::Work makeProduct(int64_t rows, int64_t columns, int64_t inner) {
  tprt_contract_desc desc = {};
  desc.dtype = TPRT_F32;
  desc.num_dims = 3;
  desc.dims[0] = {1, rows, inner, 0, columns};
  desc.dims[1] = {2, columns, 0, inner, 1};
  desc.dims[2] = {3, inner, 1, 1, 0};
  auto a = std::make_shared<Floats>(rows * inner, 0.5f);
  auto b = std::make_shared<Floats>(columns * inner, 0.25f);
  auto c = std::make_shared<Floats>(rows * columns);
  return [=](tprt_rank *rank) {
    tprt_contract(rank, &desc, a->data(), b->data(), c->data());
  };
}

/// One row with `lines` lines of quantised weights, as they lie in memory.
static Ranks::Work makeStoredProduct(int64_t type, int64_t lines,
                                     int64_t inner) {
  tprt_contract_desc desc = {};
  desc.dtype = TPRT_F32;
  desc.num_dims = 2;
  desc.dims[0] = {2, lines, 0, inner, 1};
  desc.dims[1] = {3, inner, 1, 1, 0};
  desc.stored_b = tprt::interleavedStored(type, inner);
  auto a = std::make_shared<Floats>(inner, 0.5f);
  // Any bytes will do whose pairs are ordinary 16-bit floats.
  auto b = std::make_shared<std::vector<uint8_t>>(
      tprt::storedBytes(type, lines * inner), 0x25);
  auto c = std::make_shared<Floats>(lines);
  return [=](tprt_rank *rank) {
    tprt_contract(rank, &desc, a->data(), b->data(), c->data());
  };
}

/// One query of each sequence over its cache, four heads to a head of keys:
/// `elements` keys and values in all.
static Ranks::Work makeAttention(int64_t elements) {
  tprt_attention_desc desc = {};
  desc.dtype = TPRT_F32;
  desc.queries = 1;
  desc.keys = desc.capacity = 512;
  desc.kv_heads = desc.groups = 4;
  desc.head_dim = 64;
  const int64_t width = desc.kv_heads * desc.head_dim;
  desc.batch = elements / (2 * desc.keys * width);
  const int64_t half = desc.batch * desc.keys * width;
  auto q = std::make_shared<Floats>(desc.batch * desc.groups * width, 0.01f);
  auto k = std::make_shared<Floats>(half, 0.5f);
  auto v = std::make_shared<Floats>(half, 0.25f);
  auto out = std::make_shared<Floats>(q->size());
  return [=](tprt_rank *rank) {
    tprt_attention(rank, &desc, q->data(), k->data(), v->data(), nullptr, 0,
                   out->data());
  };
}

static Ranks::Work makeCopy(int64_t elements) {
  tprt_copy_desc desc = {};
  desc.element_bytes = sizeof(float);
  desc.num_dims = 1;
  desc.extent[0] = elements;
  desc.src_stride[0] = desc.dst_stride[0] = 1;
  auto from = std::make_shared<Floats>(elements, 1.f);
  auto to = std::make_shared<Floats>(elements);
  return [=](tprt_rank *rank) {
    tprt_copy(rank, &desc, from->data(), to->data());
  };
}

/// `elements` on each rank; an all-gather makes as many of all ranks' parts.
static Ranks::Work makeCollective(bool reduces, int64_t elements,
                                  int64_t ranks) {
  const int64_t own = reduces ? elements : elements / ranks;
  tprt_collective_desc desc = {};
  desc.kind = reduces ? TPRT_ALL_REDUCE : TPRT_ALL_GATHER;
  desc.id = reduces ? Ranks::AllReduce : Ranks::AllGather;
  desc.group = Ranks::group;
  desc.num_buffers = 1;
  desc.buffers[0] = {TPRT_F32, 1, {own}, 0, 0};
  auto from = std::make_shared<Floats>(own, 1.f);
  auto to = std::make_shared<Floats>(elements);
  return [=](tprt_rank *rank) {
    const void *inputs[] = {from->data()};
    void *outputs[] = {to->data()};
    tprt_collective(rank, &desc, inputs, outputs);
  };
}

//===----------------------------------------------------------------------===//
// Rates
//===----------------------------------------------------------------------===//

/// Weights of each quantised type, `large` floats' worth of bytes.
static bool measureStored(Ranks &ranks, int64_t large, Rates &rates) {
  constexpr int64_t inner = 1024;
  for (int64_t type = 1; tprt::isStored(type); ++type) {
    const tprt::StoredInfo &info = tprt::storedInfo(type);
    if (info.elements == 1)
      continue; // bytes say enough
    const int64_t lineBytes = tprt::storedBytes(type, inner);
    const int64_t lines = large * int64_t(sizeof(float)) / lineBytes /
                          tprt::interleavedLines * tprt::interleavedLines;
    auto seconds = ranks.measure(
        1, [&](int64_t) { return makeStoredProduct(type, lines, inner); });
    if (!seconds)
      return false;
    rates.stored.push_back(
        {info.name, double(lines) * double(lineBytes) / seconds->median / 1e9});
  }
  return true;
}

static std::optional<Rates> measureRates(Ranks &ranks) {
  constexpr int64_t rows = 512, columns = 1024, inner = 1024;
  // Beyond any cache, with all ranks' at once: 256 MiB each, or of many less.
  const int64_t large =
      std::max(int64_t(8) << 20, (int64_t(64) << 20) / ranks.count());
  auto product = ranks.measure(
      4, [&](int64_t) { return makeProduct(rows, columns, inner); });
  auto read = product
                  ? ranks.measure(1,
                                  [&](int64_t) {
                                    return makeProduct(1, large / inner, inner);
                                  })
                  : std::nullopt;
  auto copy = read ? ranks.measure(1, [&](int64_t) { return makeCopy(large); })
                   : std::nullopt;
  auto attention =
      copy ? ranks.measure(1, [&](int64_t) { return makeAttention(large); })
           : std::nullopt;
  if (!attention)
    return std::nullopt;
  const double bytes = double(large) * sizeof(float);
  Rates rates{2.0 * rows * columns * inner / product->median / 1e12,
              bytes / read->median / 1e9,
              2 * bytes / copy->median / 1e9,
              bytes / attention->median / 1e9,
              {}};
  return measureStored(ranks, large / 4, rates) ? std::optional(rates)
                                                : std::nullopt;
}

/// The alphas and the common beta whose times are nearest to the samples', each
/// by its relative error: least squares, three unknowns.
static Link fit(ArrayRef<Sample> samples) {
  double matrix[3][4] = {};
  for (const Sample &sample : samples) {
    const double row[4] = {sample.reduces ? 1.0 : 0.0,
                           sample.reduces ? 0.0 : 1.0, sample.bytes,
                           sample.microseconds};
    const double weight = 1 / (sample.microseconds * sample.microseconds);
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 4; ++j)
        matrix[i][j] += weight * row[i] * row[j];
  }
  // Positive definite: every unknown has samples of several sizes.
  for (int pivot = 0; pivot < 3; ++pivot)
    for (int i = 0; i < 3; ++i) {
      if (i == pivot)
        continue;
      const double factor = matrix[i][pivot] / matrix[pivot][pivot];
      for (int j = 0; j < 4; ++j)
        matrix[i][j] -= factor * matrix[pivot][j];
    }
  auto unknown = [&](int i) { return matrix[i][3] / matrix[i][i]; };
  return {std::max(0.0, unknown(0)), std::max(0.0, unknown(1)),
          1e-3 / std::max(1e-9, unknown(2))};
}

static std::optional<Link> measureLink(Ranks &ranks) {
  const double others = double(ranks.count() - 1) / double(ranks.count());
  std::vector<Sample> samples;
  for (int64_t bytes = 256; bytes <= int64_t(8) << 20; bytes *= 8)
    for (bool reduces : {true, false}) {
      const int64_t elements =
          bytes / int64_t(sizeof(float)) / ranks.count() * ranks.count();
      const int64_t repetitions =
          std::clamp<int64_t>((int64_t(16) << 20) / bytes, 4, 1000);
      auto seconds = ranks.measure(repetitions, [&](int64_t) {
        return makeCollective(reduces, elements, ranks.count());
      });
      if (!seconds)
        return std::nullopt;
      const double whole = double(elements) * sizeof(float);
      samples.push_back(
          {reduces, (reduces ? 2 : 1) * others * whole, seconds->least * 1e6});
    }
  return fit(samples);
}

//===----------------------------------------------------------------------===//
// The command
//===----------------------------------------------------------------------===//

/// Three digits: two measurements do not agree on more.
static void writeNumber(llvm::json::OStream &json, StringRef key,
                        double value) {
  json.attributeBegin(key);
  json.rawValue([&](raw_ostream &os) { os << llvm::format("%.3g", value); });
  json.attributeEnd();
}

static void printRow(StringRef what, const Rates &rates) {
  llvm::errs() << what
               << llvm::format(": matmul %.4g TFLOP/s, read %.3g GB/s, copy "
                               "%.3g GB/s\n",
                               rates.matmul, rates.read, rates.copy);
}

int bench::runMachine(const MachineOptions &options) {
  std::optional<Rates> rates;
  for (int64_t count : {int64_t(1), options.ranks}) {
    if (count == 1 && rates)
      break;
    progress("measuring " + Twine(count) + " at work");
    Ranks ranks(count, options.onProcessor);
    rates = ranks.areUp() ? measureRates(ranks) : std::nullopt;
    if (!rates)
      return 1;
    progressDone();
    printRow(count == 1 ? "one rank alone" : "each of the ranks", *rates);
  }
  progress("measuring collectives");
  // One rank has nobody to talk to: two say what a link would be.
  Ranks linked(std::max<int64_t>(2, options.ranks));
  std::optional<Link> link =
      linked.areUp() ? measureLink(linked) : std::nullopt;
  progressDone();
  if (!link)
    return 1;
  const int64_t memory =
      int64_t(sysconf(_SC_PHYS_PAGES)) * int64_t(sysconf(_SC_PAGESIZE));
  bool written = writeOutput(options.output, [&](raw_ostream &os) {
    llvm::json::OStream json(os, 2);
    json.object([&] {
      json.attribute("name", options.name);
      json.attribute("devices_per_host", options.ranks);
      json.attribute("memory", std::to_string(memory / options.ranks));
      writeNumber(json, "matmul_tflop_per_s", rates->matmul);
      writeNumber(json, "memory_gb_per_s", rates->read);
      writeNumber(json, "copy_gb_per_s", rates->copy);
      json.attributeObject("stored_gb_per_s", [&] {
        for (const auto &[type, rate] : rates->stored)
          writeNumber(json, type, rate);
      });
      writeNumber(json, "attention_gb_per_s", rates->attention);
      json.attributeArray("links", [&] {
        json.object([&] {
          json.attribute("name", "threads");
          writeNumber(json, "alpha_us", link->alpha);
          writeNumber(json, "all_reduce_alpha_us", link->reduceAlpha);
          writeNumber(json, "gb_per_s", link->gigabytes);
        });
      });
    });
    os << "\n";
  });
  return written ? 0 : 1;
}
