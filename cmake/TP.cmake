# How the compiler is built: against the distribution's MLIR, linked as one
# shared library, with one precompiled header for all of our targets.

find_package(MLIR 22.1 REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/mlir)
list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
set(LLVM_RUNTIME_OUTPUT_INTDIR ${PROJECT_BINARY_DIR}/bin)
set(LLVM_LIBRARY_OUTPUT_INTDIR ${PROJECT_BINARY_DIR}/lib)
set(LLVM_EXTERNAL_LIT ${LLVM_TOOLS_BINARY_DIR}/lit CACHE FILEPATH "" FORCE)
set(MLIR_BINARY_DIR ${PROJECT_BINARY_DIR})
set(MLIR_LINK_MLIR_DYLIB ON)
set(LLVM_LINK_LLVM_DYLIB ON)
include(TableGen)
include(AddLLVM)
include(AddMLIR)

separate_arguments(LLVM_DEFINITIONS_LIST NATIVE_COMMAND ${LLVM_DEFINITIONS})
add_definitions(${LLVM_DEFINITIONS_LIST})
include_directories(SYSTEM ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
include_directories(${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/include)

add_compile_options(-fno-exceptions -funwind-tables -fno-semantic-interposition
                    -Wall -Wextra -Wno-unused-parameter)
if(TP_SANITIZE)
  add_compile_options(-fsanitize=${TP_SANITIZE} -fno-sanitize-recover=all
                      -fno-sanitize=vptr -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${TP_SANITIZE})
endif()
if(TP_SANITIZE MATCHES address) # The sanitizer's options, into every program.
  add_library(tp_asan_options OBJECT ${PROJECT_SOURCE_DIR}/cmake/AddressSanitizer.cpp)
  link_libraries($<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:$<TARGET_OBJECTS:tp_asan_options>>)
endif()

# All flags must agree with the precompiled header's, so it is compiled here,
# after they are set, and reused by every target below.
add_library(tp_pch OBJECT ${PROJECT_SOURCE_DIR}/lib/Precompiled.cpp)
target_precompile_headers(tp_pch PRIVATE ${PROJECT_SOURCE_DIR}/lib/Precompiled.h)
target_compile_options(tp_pch PRIVATE -Xclang -fno-pch-timestamp)

function(tp_use_precompiled_header target)
  target_precompile_headers(${target} REUSE_FROM tp_pch)
  target_compile_options(${target} PRIVATE -Xclang -fno-pch-timestamp)
endfunction()

# tp_add_library(name sources... DEPENDS generated... LINK libraries...)
function(tp_add_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK" ${ARGN})
  add_mlir_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS} DEPENDS ${ARG_DEPENDS}
                   DISABLE_INSTALL EXCLUDE_FROM_LIBMLIR)
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  mlir_target_link_libraries(${name} PUBLIC MLIRIR)
  if(TARGET obj.${name})
    tp_use_precompiled_header(obj.${name})
  else()
    tp_use_precompiled_header(${name})
  endif()
endfunction()

# tp_add_tool(name sources... LINK libraries...)
function(tp_add_tool name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_llvm_executable(${name} ${ARG_UNPARSED_ARGUMENTS} PARTIAL_SOURCES_INTENDED)
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
  mlir_target_link_libraries(${name} PRIVATE MLIRIR)
  tp_use_precompiled_header(${name})
endfunction()
