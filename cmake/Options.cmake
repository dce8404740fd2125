# SPDX-License-Identifier: Apache-2.0
# Every switch of the build. What is not the library itself is on by default only when mproc is the
# project being built, not when another project contains it.

if(CMAKE_SOURCE_DIR STREQUAL PROJECT_SOURCE_DIR)
  set(MPROC_TOP_LEVEL ON)
else()
  set(MPROC_TOP_LEVEL OFF)
endif()

option(BUILD_SHARED_LIBS "Build mproc as a shared library" OFF)
option(MPROC_TESTS "Build the tests" ${MPROC_TOP_LEVEL})
option(MPROC_EXAMPLES "Build the examples" ${MPROC_TOP_LEVEL})
option(MPROC_BENCH "Build the benchmarks" ${MPROC_TOP_LEVEL})
option(MPROC_INSTALL "Make install rules" ${MPROC_TOP_LEVEL})
option(MPROC_TOOLS "Build the optional program mproc-worker" OFF)
option(MPROC_FUZZ "Build the libFuzzer targets (needs clang)" OFF)
option(MPROC_WERROR "Treat compiler warnings as errors" OFF)
option(MPROC_KILLPOINTS "Compile the kill points that the tests use into the library" ${MPROC_TESTS})
set(MPROC_SANITIZE "" CACHE STRING "Sanitizers: empty, address,undefined or thread")
set_property(CACHE MPROC_SANITIZE PROPERTY STRINGS "" "address,undefined" "thread")

# For the tests only: a command put in front of each test program (valgrind, say), and a factor for
# the time limits.
set(MPROC_TEST_WRAPPER "" CACHE STRING "Command to run the test programs under")
set(MPROC_TEST_SCALE "" CACHE STRING "Factor for the tests' time limits; empty: 1, with sanitizers 4")
mark_as_advanced(MPROC_TEST_WRAPPER MPROC_TEST_SCALE)

if(MPROC_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()
