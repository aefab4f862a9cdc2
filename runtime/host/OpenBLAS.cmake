# Finds OpenBLAS, as Debian, Fedora, Homebrew and the project itself install it,
# and gives the target OpenBLAS::OpenBLAS. Set OpenBLAS_ROOT for other places.

include_guard(GLOBAL)
include(CheckCXXSourceCompiles)

set(tprt_blas_hints ${OpenBLAS_ROOT} $ENV{OpenBLAS_ROOT} /opt/OpenBLAS
    /usr/local/opt/openblas /opt/homebrew/opt/openblas)
find_path(TPRT_CBLAS_INCLUDE cblas.h HINTS ${tprt_blas_hints}
  PATH_SUFFIXES include include/openblas openblas openblas-pthread
                ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-pthread)
find_library(TPRT_OPENBLAS_LIBRARY NAMES openblas openblasp
  HINTS ${tprt_blas_hints}
  PATH_SUFFIXES lib lib64 openblas-pthread
                ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-pthread)
mark_as_advanced(TPRT_CBLAS_INCLUDE TPRT_OPENBLAS_LIBRARY)
if(NOT TPRT_CBLAS_INCLUDE OR NOT TPRT_OPENBLAS_LIBRARY)
  message(FATAL_ERROR "OpenBLAS was not found: install libopenblas-pthread-dev "
                      "or set OpenBLAS_ROOT")
endif()

add_library(OpenBLAS::OpenBLAS UNKNOWN IMPORTED GLOBAL)
set_target_properties(OpenBLAS::OpenBLAS PROPERTIES
  IMPORTED_LOCATION ${TPRT_OPENBLAS_LIBRARY}
  INTERFACE_INCLUDE_DIRECTORIES ${TPRT_CBLAS_INCLUDE})

# Another library's cblas.h, or a libopenblas that is something else?
set(CMAKE_REQUIRED_LIBRARIES OpenBLAS::OpenBLAS)
check_cxx_source_compiles("
#include <cblas.h>
int main() {
  openblas_set_num_threads(1);
  float x = 1;
  return int(cblas_sdot(1, &x, 1, &x, 1));
}" TPRT_OPENBLAS_WORKS)
unset(CMAKE_REQUIRED_LIBRARIES)
if(NOT TPRT_OPENBLAS_WORKS)
  message(FATAL_ERROR "${TPRT_CBLAS_INCLUDE}/cblas.h and "
                      "${TPRT_OPENBLAS_LIBRARY} are not OpenBLAS")
endif()
