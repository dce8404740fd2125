# SPDX-License-Identifier: Apache-2.0
# The verbs of the lists in examples/, bench/ and tests/fuzz:
#   mproc_example(process [PASS regex] [LABELS l...] [TIMEOUT s])     examples/process.c
#   mproc_bench(start [SOURCES f...] [LIBS t...])                     bench/bench_start.c
#   mproc_fuzz(codec)                                                 tests/fuzz/fuzz_codec.c

function(mproc_example name)
  cmake_parse_arguments(A "" "PASS;TIMEOUT" "ARGS;LABELS" ${ARGN})
  add_executable(example_${name} ${name}.c)
  set_target_properties(example_${name} PROPERTIES OUTPUT_NAME ${name})
  mproc_place(example_${name} examples)
  target_link_libraries(example_${name} PRIVATE mproc::mproc)
  mproc_settings(example_${name})
  if(MPROC_TESTS)
    if(NOT A_TIMEOUT)
      set(A_TIMEOUT 60)
    endif()
    mproc_add_test(example.${name} example_${name} ${A_TIMEOUT} PASS "${A_PASS}" ARGS ${A_ARGS} LABELS example ${A_LABELS})
  endif()
endfunction()

# A benchmark uses the library as its users do, and APR, which is one of the peers.
function(mproc_bench name)
  cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(bench_${name} bench_${name}.c ${A_SOURCES})
  mproc_place(bench_${name} bench)
  target_compile_definitions(bench_${name} PRIVATE ${MPROC_PLATFORM_DEFINITIONS})
  target_link_libraries(bench_${name} PRIVATE mproc_benchlib ${A_LIBS})
  mproc_settings(bench_${name})
endfunction()

# With MPROC_FUZZ, a libFuzzer program. In the tests' build, any compiler's: tests/fuzz/driver.c feeds the
# target its corpus, tests/fuzz/corpus/<name>, and random inputs for two seconds.
function(mproc_fuzz name)
  set(target fuzz_${name})
  add_executable(${target} fuzz/fuzz_${name}.c $<$<NOT:$<BOOL:${MPROC_FUZZ}>>:fuzz/driver.c>)
  mproc_place(${target} fuzz)
  target_link_libraries(${target} PRIVATE mproc_objects)
  mproc_settings(${target})
  if(MPROC_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  else()
    mproc_add_test(fuzz.${name} ${target} 60 LABELS fuzz
      ARGS "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name}")
  endif()
endfunction()
