# SPDX-License-Identifier: Apache-2.0
# The verb of the list in tests/CMakeLists.txt:
#   mproc_test(family/heap [SHARED] [LABELS l...] [TIMEOUT s] [SOURCES f...] [LIBS t...] [ENV N=v...] [METHODS m...])
#       tests/family/test_heap.c becomes the test "family.heap". SHARED links the library as its users
#       have it, instead of its objects. METHODS runs it once per start method, as "family.heap.<method>"
#       with MPROC_TEST_METHOD set.
# Every test runs under tests/support/watch, which ends a hang with the stacks of all its processes.

if(NOT MPROC_TEST_SCALE STREQUAL "")
  set(mproc_scale ${MPROC_TEST_SCALE})
elseif(MPROC_SANITIZE)
  set(mproc_scale 4)
else()
  set(mproc_scale 1)
endif()

function(mproc_add_test name target seconds)
  cmake_parse_arguments(A "" "PASS" "ARGS;LABELS;ENV" ${ARGN})
  math(EXPR limit "${seconds} * ${mproc_scale}")
  math(EXPR hard_limit "${limit} + 60")
  if(CMAKE_HOST_UNIX)
    add_test(NAME ${name} COMMAND "${PROJECT_SOURCE_DIR}/tests/support/watch" ${limit}
      ${CMAKE_CROSSCOMPILING_EMULATOR} ${MPROC_TEST_WRAPPER} $<TARGET_FILE:${target}> ${A_ARGS})
  else()
    add_test(NAME ${name} COMMAND ${target} ${A_ARGS})
    set(hard_limit ${limit})
  endif()
  set_tests_properties(${name} PROPERTIES
    TIMEOUT ${hard_limit} SKIP_RETURN_CODE 77 LABELS "${A_LABELS}" ENVIRONMENT "${A_ENV}")
  if(CMAKE_CROSSCOMPILING)
    # Wine 8: while programs are started from outside, about one CreateProcess in 3,000 of any other
    # program fails with ERROR_INTERNAL_ERROR, or the process ends before its main().
    set_tests_properties(${name} PROPERTIES RESOURCE_LOCK wine)
  endif()
  if(A_PASS)
    set_tests_properties(${name} PROPERTIES PASS_REGULAR_EXPRESSION "${A_PASS}")
  endif()
endfunction()

function(mproc_test path)
  cmake_parse_arguments(A "SHARED" "TIMEOUT" "LABELS;SOURCES;LIBS;ENV;METHODS" ${ARGN})
  get_filename_component(folder ${path} DIRECTORY)
  get_filename_component(module ${path} NAME)
  string(REPLACE "/" "_" target "test_${path}")
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 60)
  endif()
  add_executable(${target} "${folder}/test_${module}.c" ${A_SOURCES})
  target_link_libraries(${target} PRIVATE mproc_testlib ${A_LIBS}
    $<IF:$<BOOL:${A_SHARED}>,mproc::mproc,mproc_objects>)
  mproc_place(${target} tests)
  mproc_settings(${target})
  set(common LABELS ${folder} ${A_LABELS})
  # Label "whole": it has counts of its own for ./dev stress, once for all start methods.
  file(STRINGS "${folder}/test_${module}.c" counts REGEX "testlib_count\\(" LIMIT_COUNT 1)
  set(whole "")
  if(counts AND NOT folder STREQUAL "stress")
    set(whole whole)
  endif()
  if(A_METHODS)
    if(WIN32)
      list(FILTER A_METHODS INCLUDE REGEX "^spawn$") # there is no other
    endif()
    foreach(method IN LISTS A_METHODS)
      set(label "")
      if(method STREQUAL "spawn")
        set(label ${whole})
      endif()
      mproc_add_test(${folder}.${module}.${method} ${target} ${A_TIMEOUT} ${common} ${label}
        ENV "MPROC_TEST_METHOD=${method}" ${A_ENV})
    endforeach()
  else()
    mproc_add_test(${folder}.${module} ${target} ${A_TIMEOUT} ${common} ${whole} ENV ${A_ENV})
  endif()
endfunction()
