//===- Convert.cpp - plain types and stores -------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "checkpoint/Convert.h"
#include "checkpoint/Codec.h"
#include "checkpoint/Support.h"

#include <limits>

using namespace tprt;
using namespace tprt::checkpoint;

//===----------------------------------------------------------------------===//
// Decoders of plain types
//===----------------------------------------------------------------------===//

static float fromPlain(float value) { return value; }
static double fromPlain(double value) { return value; }
template <typename T> static int64_t fromPlain(T value) { return value; }

template <typename Stored, typename Carrier, Carrier (*Convert)(Stored)>
static void decodePlain(const uint8_t *data, int64_t first, int64_t step,
                        int64_t count, Carrier *out) {
  constexpr int64_t bytes = sizeof(Stored);
  const uint8_t *start = data + first * bytes;
  if (step == 1) // apart, so that it vectorises
    for (int64_t i = 0; i < count; ++i)
      out[i] = Convert(load<Stored>(start + i * bytes));
  else
    for (int64_t i = 0; i < count; ++i)
      out[i] = Convert(load<Stored>(start + i * step * bytes));
}

template <> Decoder<float> checkpoint::findDecoder<float>(StoredType type) {
  switch (type) {
  case StoredType::F32:
    return decodePlain<float, float, fromPlain>;
  case StoredType::F16:
    return decodePlain<uint16_t, float, fromF16>;
  case StoredType::BF16:
    return decodePlain<uint16_t, float, fromBf16>;
  default:
    return findBlockDecoder(type);
  }
}

template <> Decoder<double> checkpoint::findDecoder<double>(StoredType type) {
  return type == StoredType::F64 ? decodePlain<double, double, fromPlain>
                                 : nullptr;
}

/// A bool is any byte in the file, but 0 or 1 to the program.
static int64_t fromBool(uint8_t value) { return value != 0; }

template <> Decoder<int64_t> checkpoint::findDecoder<int64_t>(StoredType type) {
  switch (type) {
  case StoredType::I8:
    return decodePlain<int8_t, int64_t, fromPlain<int8_t>>;
  case StoredType::I16:
    return decodePlain<int16_t, int64_t, fromPlain<int16_t>>;
  case StoredType::I32:
    return decodePlain<int32_t, int64_t, fromPlain<int32_t>>;
  case StoredType::I64:
    return decodePlain<int64_t, int64_t, fromPlain<int64_t>>;
  case StoredType::U8:
    return decodePlain<uint8_t, int64_t, fromPlain<uint8_t>>;
  case StoredType::U16:
    return decodePlain<uint16_t, int64_t, fromPlain<uint16_t>>;
  case StoredType::U32:
    return decodePlain<uint32_t, int64_t, fromPlain<uint32_t>>;
  case StoredType::Bool:
    return decodePlain<uint8_t, int64_t, fromBool>;
  default:
    return nullptr;
  }
}

//===----------------------------------------------------------------------===//
// Stores
//===----------------------------------------------------------------------===//

static float toF32(float value) { return value; }
static float toF32(double value) { return static_cast<float>(value); }
static double toF64(float value) { return value; }
static double toF64(double value) { return value; }
static uint16_t toBf16(double value) {
  return checkpoint::toBf16(toOddFloat(value));
}
static uint16_t toF16(double value) {
  return checkpoint::toF16(toOddFloat(value));
}

template <typename Target, typename Carrier, Target (*Convert)(Carrier)>
static int64_t storeFloats(const Carrier *values, int64_t count, int64_t step,
                           uint8_t *out) {
  auto *typed = reinterpret_cast<Target *>(out);
  if (step == 1) // apart, so that it vectorises
    for (int64_t i = 0; i < count; ++i)
      typed[i] = Convert(values[i]);
  else
    for (int64_t i = 0; i < count; ++i)
      typed[i * step] = Convert(values[i]);
  return count;
}

template <typename Target>
static int64_t storeInts(const int64_t *values, int64_t count, int64_t step,
                         uint8_t *out) {
  auto *typed = reinterpret_cast<Target *>(out);
  for (int64_t i = 0; i < count; ++i) {
    if (values[i] < std::numeric_limits<Target>::min() ||
        values[i] > std::numeric_limits<Target>::max())
      return i;
    typed[i * step] = static_cast<Target>(values[i]);
  }
  return count;
}

template <typename Carrier>
static Store<Carrier> findFloatStore(tprt_dtype dtype) {
  switch (dtype) {
  case TPRT_F32:
    return storeFloats<float, Carrier, toF32>;
  case TPRT_F64:
    return storeFloats<double, Carrier, toF64>;
  case TPRT_BF16:
    return storeFloats<uint16_t, Carrier, toBf16>;
  case TPRT_F16:
    return storeFloats<uint16_t, Carrier, toF16>;
  default:
    return nullptr;
  }
}

template <> Store<float> checkpoint::findStore<float>(tprt_dtype dtype) {
  return findFloatStore<float>(dtype);
}

template <> Store<double> checkpoint::findStore<double>(tprt_dtype dtype) {
  return findFloatStore<double>(dtype);
}

template <> Store<int64_t> checkpoint::findStore<int64_t>(tprt_dtype dtype) {
  if (dtype == TPRT_I32)
    return storeInts<int32_t>;
  return dtype == TPRT_I64 ? storeInts<int64_t> : nullptr;
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

bool checkpoint::sameRepresentation(StoredType type, tprt_dtype dtype) {
  switch (type) {
  case StoredType::F32:
    return dtype == TPRT_F32;
  case StoredType::F64:
    return dtype == TPRT_F64;
  case StoredType::BF16:
    return dtype == TPRT_BF16;
  case StoredType::F16:
    return dtype == TPRT_F16;
  case StoredType::I32:
    return dtype == TPRT_I32;
  case StoredType::I64:
    return dtype == TPRT_I64;
  default:
    return false;
  }
}
