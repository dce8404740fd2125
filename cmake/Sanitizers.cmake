# SPDX-License-Identifier: Apache-2.0
# mproc_sanitize(TARGET): compiles and links TARGET as MPROC_SANITIZE says.

if(MPROC_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "MPROC_FUZZ needs clang: the fuzz targets are libFuzzer's")
  endif()
  if(NOT MPROC_SANITIZE)
    set(MPROC_SANITIZE "address,undefined")
  endif()
endif()

function(mproc_sanitize target)
  if(MPROC_SANITIZE)
    set(flags "-fsanitize=${MPROC_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
    target_compile_options(${target} PRIVATE ${flags})
    target_link_options(${target} PRIVATE ${flags})
  endif()
  if(MPROC_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()
