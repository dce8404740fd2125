# SPDX-License-Identifier: Apache-2.0
# The system: MPROC_PLATFORM (the folder of src/ that implements platform.h), MPROC_SYSTEM_LIBS (what
# the library links beside APR), and the facts about the C library that src/posix asks for, in the
# generated header mproc_platform_config.h.

if(WIN32)
  set(MPROC_PLATFORM win32)
  set(MPROC_SYSTEM_LIBS ws2_32 advapi32 bcrypt)
  set(MPROC_PLATFORM_DEFINITIONS _WIN32_WINNT=0x0A00 WIN32_LEAN_AND_MEAN NOMINMAX UNICODE _UNICODE)
  if(MINGW)
    list(APPEND MPROC_PLATFORM_DEFINITIONS __USE_MINGW_ANSI_STDIO=1)
  endif()
  return()
endif()

set(MPROC_PLATFORM posix)
set(MPROC_PLATFORM_DEFINITIONS _GNU_SOURCE)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(OpenSSL 1.1.1 REQUIRED COMPONENTS Crypto)
set(MPROC_SYSTEM_LIBS Threads::Threads OpenSSL::Crypto ${CMAKE_DL_LIBS})

include(CheckSymbolExists)
include(CheckLibraryExists)
include(CMakePushCheckState)

cmake_push_check_state(RESET)
set(CMAKE_REQUIRED_DEFINITIONS -D_GNU_SOURCE)
check_symbol_exists(posix_spawn_file_actions_addclosefrom_np spawn.h
  HAVE_POSIX_SPAWN_FILE_ACTIONS_ADDCLOSEFROM_NP)
check_symbol_exists(close_range unistd.h HAVE_CLOSE_RANGE)

# Before glibc 2.34 shared memory and timers were in a library of their own.
check_symbol_exists(shm_open sys/mman.h HAVE_SHM_OPEN_IN_LIBC)
if(NOT HAVE_SHM_OPEN_IN_LIBC)
  check_library_exists(rt shm_open "" HAVE_LIBRT)
  if(HAVE_LIBRT)
    list(APPEND MPROC_SYSTEM_LIBS rt)
  endif()
endif()
cmake_pop_check_state()

configure_file("${PROJECT_SOURCE_DIR}/cmake/mproc_platform_config.h.in"
  "${PROJECT_BINARY_DIR}/private/mproc_platform_config.h")
