"""kernel-rows.py BENCH LIST.json: the rows that bench/cuda.py makes of what CUPTI may tell of a program's kernels."""
import json
import sys

sys.path.insert(0, sys.argv[1])
import cuda

with open(sys.argv[2]) as file:
    spec = next(spec for spec in json.load(file)["programs"] if spec["use"] == "kernels")
size = spec["kernels"]["kernel_2"][0]
text = "2 2000 32000 _ZN7program8kernel_2EPK13__nv_bfloat16S2_PS0_\n1 8000 16000 _ZN9tprt_cuda15attentionKernelIN7program5calls11attention_0E13__nv_bfloat16EEvdd\n"
rows = cuda.kernel_rows(cuda.read_times(text), spec, copy_rate=size / 1e-6)
print("\n".join(rows[2:]).replace("  ", " "))
