# Fails unless the folder COMMITTED has the files of the folder GENERATED, byte
# for byte.
file(GLOB generated RELATIVE ${GENERATED} ${GENERATED}/*)
file(GLOB committed RELATIVE ${COMMITTED} ${COMMITTED}/*)
if(NOT generated)
  message(FATAL_ERROR "${GENERATED} is empty: build the target mlir-doc")
endif()
set(stale)
foreach(name IN LISTS generated committed)
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E compare_files ${GENERATED}/${name} ${COMMITTED}/${name}
    RESULT_VARIABLE differs ERROR_QUIET)
  if(differs)
    list(APPEND stale ${name})
  endif()
endforeach()
list(REMOVE_DUPLICATES stale)
if(stale)
  message(FATAL_ERROR "not as the .td files say: ${stale}\n"
    "Build the target tp-reference, delete what no .td file gives any more, and commit.")
endif()
