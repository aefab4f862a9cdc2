//===- AttentionSupport.cpp - attention from its definition ---------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "AttentionSupport.h"

#include <algorithm>
#include <sstream>

using namespace tprt_cuda;
using namespace tprt_cuda::test;

namespace {

double doubleOf(int64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// One query of one head.
struct Row {
  const tprt_attention_desc &desc;
  const double *q, *k, *v; ///< of the first key of the head
  int64_t position;
  double unit, lastUnit;

  int64_t step() const { return desc.kv_heads * desc.head_dim; }

  bool sees(int64_t key) const {
    return (!desc.causal || key <= position) &&
           (desc.window <= 0 || key > position - desc.window);
  }

  /// And by how much it may be wrong.
  Expected scoreOf(int64_t key) const {
    const double scale = doubleOf(desc.scale_bits);
    const double cap = doubleOf(desc.soft_cap_bits);
    double score = 0, magnitude = 0;
    for (int64_t i = 0; i < desc.head_dim; ++i) {
      score += q[i] * k[key * step() + i] * scale;
      magnitude += std::fabs(q[i] * k[key * step() + i] * scale);
    }
    double bound = magnitude * double(8 + desc.head_dim / 4) * unit;
    if (!std::isfinite(score))
      bound = 0; // it is that, or not
    if (cap > 0) {
      score = cap * std::tanh(score / cap);
      bound += 8 * cap * unit;
    }
    return {score, bound};
  }

  void compute(Expected *out) const {
    std::vector<int64_t> seen;
    std::vector<Expected> scores;
    double largest = -INFINITY, scoreBound = 0, total = 0;
    for (int64_t key = 0; key < desc.keys; ++key)
      if (sees(key)) {
        seen.push_back(key);
        scores.push_back(scoreOf(key));
        largest = std::max(largest, scores.back().value);
        scoreBound = std::max(scoreBound, scores.back().bound);
      }
    for (Expected &score : scores) {
      // A key whose score is -infinity is not there; without others there is
      // nothing, as on CPUs.
      score.value =
          score.value == -INFINITY ? 0 : std::exp(score.value - largest);
      total += score.value;
    }
    const double relative =
        2 * scoreBound + unit * double(16 + seen.size() / 8);
    for (int64_t i = 0; i < desc.head_dim; ++i) {
      double sum = 0, magnitude = 0;
      for (size_t j = 0; j < seen.size(); ++j) {
        const double term = scores[j].value * v[seen[j] * step() + i];
        sum += term;
        magnitude += std::fabs(term);
      }
      out[i] = {0, 0};
      if (total != 0) // or it sees no key
        out[i] = {sum / total, magnitude / total * relative +
                                   std::fabs(sum / total) * lastUnit +
                                   0x1p-24 * lastUnit};
    }
  }
};

} // namespace

std::vector<Expected>
test::attentionOf(const tprt_attention_desc &desc, const std::vector<double> &q,
                  const std::vector<double> &k, const std::vector<double> &v,
                  int64_t first, double unit, double lastUnit) {
  std::vector<Expected> result(q.size());
  size_t at = 0;
  for (int64_t b = 0; b < desc.batch; ++b)
    for (int64_t i = 0; i < desc.queries; ++i)
      for (int64_t h = 0; h < desc.kv_heads; ++h)
        for (int64_t g = 0; g < desc.groups; ++g) {
          const int64_t head =
              (b * desc.capacity * desc.kv_heads + h) * desc.head_dim;
          Row{desc,      q.data() + at, k.data() + head, v.data() + head,
              first + i, unit,          lastUnit}
              .compute(result.data() + at);
          at += size_t(desc.head_dim);
        }
  return result;
}

std::string test::differenceOf(const tprt_attention_desc &desc,
                               const std::vector<double> &values,
                               const std::vector<Expected> &expected) {
  for (size_t at = 0; at < values.size(); ++at) {
    const double value = values[at], wanted = expected[at].value;
    if (std::isnan(wanted)   ? std::isnan(value)
        : std::isinf(wanted) ? value == wanted
                             : std::fabs(value - wanted) <= expected[at].bound)
      continue;
    const auto row = int64_t(at) / desc.head_dim;
    std::ostringstream text;
    text << value << " instead of " << wanted << " (bound "
         << expected[at].bound << "), query "
         << row / (desc.kv_heads * desc.groups) << " of all sequences, head "
         << row % (desc.kv_heads * desc.groups) << ", element "
         << int64_t(at) % desc.head_dim;
    return text.str();
  }
  return "";
}
