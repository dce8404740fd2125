# SPDX-License-Identifier: Apache-2.0
# 64-bit Windows from Linux: mingw-w64 to compile, Wine to run the tests. The libraries come from
# tools/mingw-deps, whose folder is MPROC_MINGW_SYSROOT (a cache entry, or a variable of the environment).

set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)

set(_triple x86_64-w64-mingw32)
find_program(CMAKE_C_COMPILER NAMES ${_triple}-gcc-posix ${_triple}-gcc)
set(CMAKE_RC_COMPILER ${_triple}-windres)

if(NOT MPROC_MINGW_SYSROOT)
  set(MPROC_MINGW_SYSROOT "$ENV{MPROC_MINGW_SYSROOT}")
endif()
set(MPROC_MINGW_SYSROOT "${MPROC_MINGW_SYSROOT}" CACHE PATH "Where tools/mingw-deps installed")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MPROC_MINGW_SYSROOT)

list(APPEND CMAKE_FIND_ROOT_PATH "${MPROC_MINGW_SYSROOT}" /usr/${_triple})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} "${MPROC_MINGW_SYSROOT}/lib/pkgconfig")

# Nothing but Windows' own DLLs is needed to run what this builds.
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_SHARED_LINKER_FLAGS_INIT -static)
set(CMAKE_MODULE_LINKER_FLAGS_INIT -static)

set(CMAKE_CROSSCOMPILING_EMULATOR "${CMAKE_CURRENT_LIST_DIR}/../../tools/wine-run")
