# Configures lit for the tests of this folder. lit.site.cfg.py, made by CMake,
# has set where the tools are.

import os
import shutil

import lit.formats
from lit.llvm import llvm_config

config.name = "tp-mlir"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
# Run by ctest on their own, or read by tests.
config.excludes = ["Integration", "Gpu", "fuzz", "reference", "Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.tp_obj_root, "test")

# Programs that tp-run compiles are not kept beside the user's, and those of an
# earlier run of the tests are gone.
config.environment["XDG_CACHE_HOME"] = os.path.join(config.test_exec_root, "cache")
shutil.rmtree(config.environment["XDG_CACHE_HOME"], ignore_errors=True)

llvm_config.use_default_substitutions()
llvm_config.add_tool_substitutions(
    ["tp-bench", "tp-compile", "tp-opt", "tp-import", "tp-run", "tp-report", "tp-lsp-server", "tp-reduce", "tp-example-generate", "split-file",
     "llvm-nm", "llvm-readelf"],
    [config.tp_tools_dir, config.llvm_tools_dir])
