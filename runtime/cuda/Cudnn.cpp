//===- Cudnn.cpp - attention by cuDNN's graph API -------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Written against the headers of cuDNN and of the Python package
// nvidia-cudnn-frontend, which make a graph of cuDNN's operations of what is
// asked for. Without them there is no cuDNN.
//
//===----------------------------------------------------------------------===//

#include "Cudnn.h"

using namespace tprt_cuda;

#ifndef TPRT_HAS_CUDNN

std::unique_ptr<Cudnn> Cudnn::open(std::string &why) {
  why = "built without cuDNN's headers";
  return nullptr;
}

#else

#include <cudnn.h>
#include <cudnn_frontend.h>
#include <dlfcn.h>

namespace fe = cudnn_frontend;

//===----------------------------------------------------------------------===//
// The library, opened once for the process
//===----------------------------------------------------------------------===//

static void *library = nullptr;

/// The front end calls these functions by their names; all of them were found
/// when the library was opened.
#define TPRT_CUDNN_FUNCTIONS(X)                                                \
  X(cudnnStatus_t, cudnnBackendCreateDescriptor,                               \
    (cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t * made),      \
    (type, made))                                                              \
  X(cudnnStatus_t, cudnnBackendDestroyDescriptor,                              \
    (cudnnBackendDescriptor_t descriptor), (descriptor))                       \
  X(cudnnStatus_t, cudnnBackendExecute,                                        \
    (cudnnHandle_t handle, cudnnBackendDescriptor_t plan,                      \
     cudnnBackendDescriptor_t pack),                                           \
    (handle, plan, pack))                                                      \
  X(cudnnStatus_t, cudnnBackendFinalize,                                       \
    (cudnnBackendDescriptor_t descriptor), (descriptor))                       \
  X(cudnnStatus_t, cudnnBackendGetAttribute,                                   \
    (cudnnBackendDescriptor_t const descriptor,                                \
     cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,       \
     int64_t wanted, int64_t *count, void *elements),                          \
    (descriptor, name, type, wanted, count, elements))                         \
  X(cudnnStatus_t, cudnnBackendSetAttribute,                                   \
    (cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,    \
     cudnnBackendAttributeType_t type, int64_t count, const void *elements),   \
    (descriptor, name, type, count, elements))                                 \
  X(const char *, cudnnGetErrorString, (cudnnStatus_t status), (status))       \
  X(void, cudnnGetLastErrorString, (char *text, size_t size), (text, size))    \
  X(cudnnStatus_t, cudnnGetStream,                                             \
    (cudnnHandle_t handle, cudaStream_t * stream), (handle, stream))           \
  X(size_t, cudnnGetVersion, (), ())                                           \
  X(cudnnStatus_t, cudnnCreate, (cudnnHandle_t * handle), (handle))            \
  X(cudnnStatus_t, cudnnDestroy, (cudnnHandle_t handle), (handle))             \
  X(cudnnStatus_t, cudnnSetStream,                                             \
    (cudnnHandle_t handle, cudaStream_t stream), (handle, stream))

/// Where each of them is.
#define TPRT_POINTER(result, name, parameters, arguments)                      \
  static result(*name##Found) parameters = nullptr;
TPRT_CUDNN_FUNCTIONS(TPRT_POINTER)
#undef TPRT_POINTER

extern "C" {
#define TPRT_FORWARD(result, name, parameters, arguments)                      \
  __attribute__((visibility("hidden"))) result CUDNNWINAPI name parameters {   \
    return name##Found arguments;                                              \
  }
TPRT_CUDNN_FUNCTIONS(TPRT_FORWARD)
#undef TPRT_FORWARD
}

/// Empty, or why it cannot be had.
static std::string openLibrary() {
  library = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return "no libcudnn.so.9";
#define TPRT_FIND(result, name, parameters, arguments)                         \
  name##Found =                                                                \
      reinterpret_cast<decltype(name##Found)>(dlsym(library, #name));          \
  if (!name##Found)                                                            \
    return "libcudnn.so.9 has no " #name;
  TPRT_CUDNN_FUNCTIONS(TPRT_FIND)
#undef TPRT_FIND
  return "";
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

namespace {

enum Tensor : int64_t { Q = 1, K, V, Out, QueryLengths, KeyLengths };

struct Handle {
  cudnnHandle_t handle = nullptr;
  ~Handle() {
    if (handle)
      cudnnDestroy(handle);
  }
};

} // namespace

/// What `shape` makes of scores that are scaled: capped, then masked. cuDNN has
/// masks of its own only where nothing stands between scale and mask.
static std::shared_ptr<fe::graph::Tensor_attributes>
capAndMask(const SdpaShape &shape,
           const std::shared_ptr<fe::graph::Graph> &graph,
           std::shared_ptr<fe::graph::Tensor_attributes> score,
           const std::shared_ptr<fe::graph::Tensor_attributes> &queryLengths,
           const std::shared_ptr<fe::graph::Tensor_attributes> &keyLengths) {
  namespace modifiers = fe::graph::attn::score_modifiers;
  auto times = [&](float factor) {
    score = graph->pointwise(
        score, std::make_shared<fe::graph::Tensor_attributes>(factor),
        fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::MUL));
  };
  times(float(1 / shape.softCap));
  score = graph->pointwise(score, fe::graph::Pointwise_attributes().set_mode(
                                      fe::PointwiseMode_t::TANH_FWD));
  times(float(shape.softCap));
  if (shape.hasLengths)
    score = modifiers::padding_mask(graph, score, keyLengths, queryLengths);
  if (shape.mask != SdpaShape::Everything)
    score = modifiers::sliding_window_mask(
        graph, score,
        shape.mask == SdpaShape::TopLeft
            ? fe::DiagonalAlignment_t::TOP_LEFT
            : fe::DiagonalAlignment_t::BOTTOM_RIGHT,
        shape.window > 0 ? std::optional<int64_t>(shape.window) : std::nullopt,
        0, shape.queries, shape.keys, queryLengths, keyLengths);
  return score;
}

/// Not validated yet.
static std::shared_ptr<fe::graph::Graph> makeGraph(const SdpaShape &shape) {
  auto graph = std::make_shared<fe::graph::Graph>();
  graph
      ->set_io_data_type(shape.type == TPRT_BF16 ? fe::DataType_t::BFLOAT16
                                                 : fe::DataType_t::HALF)
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  auto stridesOf = [](const int64_t (&strides)[4]) {
    return std::vector<int64_t>(strides, strides + 4);
  };
  auto makeTensor = [&](const char *name, Tensor tensor,
                        std::vector<int64_t> dims,
                        std::vector<int64_t> strides) {
    return graph->tensor(fe::graph::Tensor_attributes()
                             .set_name(name)
                             .set_uid(tensor)
                             .set_dim(std::move(dims))
                             .set_stride(std::move(strides)));
  };
  const std::vector<int64_t> queryDims = {shape.batch, shape.heads,
                                          shape.queries, shape.headDim};
  const std::vector<int64_t> keyDims = {shape.batch, shape.kvHeads, shape.keys,
                                        shape.headDim};
  auto q = makeTensor("Q", Q, queryDims, stridesOf(shape.queryStrides));
  auto k = makeTensor("K", K, keyDims, stridesOf(shape.keyStrides));
  auto v = makeTensor("V", V, keyDims, stridesOf(shape.keyStrides));
  auto options = fe::graph::SDPA_attributes()
                     .set_name("attention")
                     .set_generate_stats(false)
                     .set_attn_scale(float(shape.scale));
  std::shared_ptr<fe::graph::Tensor_attributes> queryLengths, keyLengths;
  if (shape.hasLengths) {
    auto makeLengths = [&](const char *name, Tensor tensor) {
      auto made =
          makeTensor(name, tensor, {shape.batch, 1, 1, 1}, {1, 1, 1, 1});
      made->set_data_type(fe::DataType_t::INT32);
      return made;
    };
    queryLengths = makeLengths("query lengths", QueryLengths);
    keyLengths = makeLengths("key lengths", KeyLengths);
  }
  if (shape.softCap > 0) {
    options.set_score_mod(
        [=](std::shared_ptr<fe::graph::Graph> scores,
            std::shared_ptr<fe::graph::Tensor_attributes> score) {
          return capAndMask(shape, scores, score, queryLengths, keyLengths);
        });
  } else {
    if (shape.mask != SdpaShape::Everything)
      options
          .set_diagonal_alignment(shape.mask == SdpaShape::TopLeft
                                      ? fe::DiagonalAlignment_t::TOP_LEFT
                                      : fe::DiagonalAlignment_t::BOTTOM_RIGHT)
          .set_diagonal_band_right_bound(0);
    if (shape.window > 0)
      options.set_diagonal_band_left_bound(int(shape.window));
    if (shape.hasLengths)
      options.set_padding_mask(true)
          .set_seq_len_q(queryLengths)
          .set_seq_len_kv(keyLengths);
  }
  auto out = graph->sdpa(q, k, v, options)[0];
  out->set_output(true).set_uid(Out).set_dim(queryDims).set_stride(
      stridesOf(shape.queryStrides));
  return graph;
}

static bool isGood(fe::error_t error, std::string &why) {
  if (error.is_good())
    return true;
  why = error.get_message();
  return false;
}

/// False, and why, if cuDNN does not take the graph. Without a handle the graph
/// has the properties of a device.
static bool isSupported(fe::graph::Graph &graph, cudnnHandle_t handle,
                        std::string &why) {
  return isGood(graph.validate(), why) &&
         isGood(graph.build_operation_graph(handle), why) &&
         isGood(graph.create_execution_plans(
                    {fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK}),
                why) &&
         isGood(graph.check_support(), why);
}

namespace {

class Plan final : public SdpaPlan {
public:
  Plan(std::shared_ptr<Handle> handle, std::shared_ptr<fe::graph::Graph> graph,
       bool hasLengths, int64_t bytes)
      : handle(std::move(handle)), graph(std::move(graph)),
        hasLengths(hasLengths), bytes(bytes) {}

  int64_t workspaceBytes() const override { return bytes; }

  bool queue(const Buffers &buffers, std::string &why) override {
    auto give = [](const void *memory) { return const_cast<void *>(memory); };
    std::unordered_map<int64_t, void *> pack = {{Q, give(buffers.q)},
                                                {K, give(buffers.k)},
                                                {V, give(buffers.v)},
                                                {Out, buffers.out}};
    if (hasLengths) {
      pack[QueryLengths] = give(buffers.queryLengths);
      pack[KeyLengths] = give(buffers.keyLengths);
    }
    try {
      return isGood(graph->execute(handle->handle, pack, buffers.workspace),
                    why);
    } catch (const std::exception &exception) {
      why = exception.what();
      return false;
    }
  }

private:
  std::shared_ptr<Handle> handle;
  std::shared_ptr<fe::graph::Graph> graph;
  bool hasLengths;
  int64_t bytes;
};

class Library final : public Cudnn {
public:
  std::string version() const override {
    const size_t number = cudnnGetVersion();
    return join(number / 10000, ".", number / 100 % 100, ".", number % 100);
  }

  std::unique_ptr<SdpaPlan> plan(const SdpaShape &shape, cudaStream_t stream,
                                 std::string &why) override {
    try {
      if (!openHandle(stream, why))
        return nullptr;
      auto graph = makeGraph(shape);
      int64_t bytes = 0;
      if (!isSupported(*graph, handle->handle, why) ||
          !isGood(graph->build_plans(), why) ||
          !isGood(graph->get_workspace_size(bytes), why))
        return nullptr;
      return std::make_unique<Plan>(handle, std::move(graph), shape.hasLengths,
                                    bytes);
    } catch (const std::exception &exception) {
      why = exception.what();
      return nullptr;
    }
  }

  bool takes(const SdpaShape &shape, const std::string &device,
             std::string &why) override {
    try {
      auto properties = std::make_shared<fe::DeviceProperties>();
      if (!isGood(properties->deserialize({device.begin(), device.end()}), why))
        return false;
      auto graph = makeGraph(shape);
      graph->set_device_properties(properties);
      return isSupported(*graph, nullptr, why);
    } catch (const std::exception &exception) {
      why = exception.what();
      return false;
    }
  }

private:
  bool openHandle(cudaStream_t stream, std::string &why) {
    if (!handle) {
      auto made = std::make_shared<Handle>();
      cudnnStatus_t status = cudnnCreate(&made->handle);
      if (status == CUDNN_STATUS_SUCCESS)
        status = cudnnSetStream(made->handle, stream);
      if (status != CUDNN_STATUS_SUCCESS) {
        why = cudnnGetErrorString(status);
        return false;
      }
      handle = std::move(made);
    }
    return true;
  }

  std::shared_ptr<Handle> handle;
};

} // namespace

std::unique_ptr<Cudnn> Cudnn::open(std::string &why) {
  static const std::string missing = openLibrary();
  why = missing;
  return why.empty() ? std::make_unique<Library>() : nullptr;
}

#endif // TPRT_HAS_CUDNN
