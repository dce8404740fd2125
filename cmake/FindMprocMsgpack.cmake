# SPDX-License-Identifier: Apache-2.0
# Finds msgpack-c (tests only: the oracle of our own codec) and makes MprocMsgpack::msgpack. Package,
# target and library were renamed over the years, and every packager kept another set of names:
#  - CMake packages msgpack-c (6 and later, vcpkg) and msgpack (before, Debian, Conan);
#  - the pkg-config modules msgpack-c and msgpack;
#  - header and library by name.

if(NOT TARGET MprocMsgpack::msgpack)
  set(_mproc_provider "")
  foreach(_mproc_package IN ITEMS msgpack-c msgpack msgpackc)
    if(NOT _mproc_provider)
      find_package(${_mproc_package} CONFIG QUIET)
      foreach(_mproc_target IN ITEMS msgpack-c msgpack-c::msgpack-c msgpackc msgpackc::msgpackc
          msgpack-c-static msgpackc-static)
        if(NOT _mproc_provider AND TARGET ${_mproc_target})
          set(_mproc_provider ${_mproc_target})
        endif()
      endforeach()
    endif()
  endforeach()
  if(NOT _mproc_provider)
    find_package(PkgConfig QUIET)
    if(PkgConfig_FOUND)
      pkg_search_module(MPROC_MSGPACK_PC QUIET IMPORTED_TARGET msgpack-c msgpack)
      if(MPROC_MSGPACK_PC_FOUND)
        set(_mproc_provider PkgConfig::MPROC_MSGPACK_PC)
      endif()
    endif()
  endif()
  if(_mproc_provider)
    add_library(MprocMsgpack::msgpack INTERFACE IMPORTED)
    set_property(TARGET MprocMsgpack::msgpack PROPERTY INTERFACE_LINK_LIBRARIES ${_mproc_provider})
    set(MprocMsgpack_PROVIDER ${_mproc_provider})
  else()
    find_path(MprocMsgpack_INCLUDE_DIR msgpack/version.h)
    find_library(MprocMsgpack_LIBRARY NAMES msgpackc msgpack-c libmsgpackc libmsgpack-c)
    mark_as_advanced(MprocMsgpack_INCLUDE_DIR MprocMsgpack_LIBRARY)
    if(MprocMsgpack_INCLUDE_DIR AND MprocMsgpack_LIBRARY)
      add_library(MprocMsgpack::msgpack UNKNOWN IMPORTED)
      set_target_properties(MprocMsgpack::msgpack PROPERTIES
        IMPORTED_LOCATION "${MprocMsgpack_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${MprocMsgpack_INCLUDE_DIR}")
      set(MprocMsgpack_PROVIDER "${MprocMsgpack_LIBRARY}")
    endif()
  endif()
  if(WIN32 AND TARGET MprocMsgpack::msgpack) # for htonl and ntohl, which its packages do not mention
    set_property(TARGET MprocMsgpack::msgpack APPEND PROPERTY INTERFACE_LINK_LIBRARIES ws2_32)
  endif()
else()
  set(MprocMsgpack_PROVIDER MprocMsgpack::msgpack)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(MprocMsgpack REQUIRED_VARS MprocMsgpack_PROVIDER)
