// A host that opens rank 0 of a program for one rank, and says what came of it.
#include "tprt/cuda.h"

extern "C" const tprt_cuda::Program tp_cuda_program;

int main() {
  tprt_cuda::Rank rank;
  tprt_status status = tprt_cuda::openRank(tp_cuda_program, 0, nullptr, rank);
  if (status == TPRT_OK)
    std::printf("opened\n");
  else
    std::printf("error: %s\n", rank.message);
  tprt_cuda::closeRank(rank);
  return 0;
}
