#!/bin/sh
# simulate.sh SOURCE.cu MANIFEST.json OUT.so: compiles emitted source for a CPU,
# as a program that tp-run takes. CXX, INCLUDE (the runtime's headers) and LIBRARY
# (the runtime's library) come from the environment.
set -e
here=$(dirname "$0")/simulation
sed -E 's/\b(kernel_[0-9]+)<<<([0-9]+), ([0-9]+), 0, rank->compute>>>/TPRT_LAUNCH(\1, \2, \3, rank->compute)/' "$1" > "$3.inc"
{ printf 'R"manifest('; cat "$2"; printf ')manifest"\n'; } > "$3.manifest"
"$CXX" -std=c++17 -O1 -fPIC -shared -Wno-unknown-pragmas -x c++ \
  -DSOURCE="\"$3.inc\"" -DMANIFEST="\"$3.manifest\"" -I"$here" -I"$INCLUDE" \
  "$here/Program.cpp" -o "$3" -x none "$LIBRARY"
