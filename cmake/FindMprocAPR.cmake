# SPDX-License-Identifier: Apache-2.0
# Finds APR 1.x, whoever packaged it, and makes the target MprocAPR::apr:
#  - the CMake package "apr": Conan (apr::apr), APR's own install and vcpkg on Windows (apr::libapr-1
#    when shared, apr::apr-1 when static);
#  - the pkg-config module apr-1: Linux distributions, vcpkg on Linux, tools/mingw-deps;
#  - header and library by name.
# Installed beside mprocConfig.cmake: a static mproc needs it there.

if(NOT TARGET MprocAPR::apr)
  set(_mproc_provider "")
  find_package(apr CONFIG QUIET)
  foreach(_mproc_target IN ITEMS apr::apr apr::libapr-1 apr::apr-1)
    if(NOT _mproc_provider AND TARGET ${_mproc_target})
      set(_mproc_provider ${_mproc_target})
      set(MprocAPR_VERSION "${apr_VERSION}")
    endif()
  endforeach()
  if(NOT _mproc_provider)
    find_package(PkgConfig QUIET)
    if(PkgConfig_FOUND)
      pkg_check_modules(MPROC_APR_PC QUIET IMPORTED_TARGET apr-1)
      if(MPROC_APR_PC_FOUND)
        set(_mproc_provider PkgConfig::MPROC_APR_PC)
        set(MprocAPR_VERSION "${MPROC_APR_PC_VERSION}")
      endif()
    endif()
  endif()
  if(_mproc_provider)
    add_library(MprocAPR::apr INTERFACE IMPORTED)
    set_property(TARGET MprocAPR::apr PROPERTY INTERFACE_LINK_LIBRARIES ${_mproc_provider})
    set(MprocAPR_PROVIDER ${_mproc_provider})
  else()
    find_path(MprocAPR_INCLUDE_DIR apr.h PATH_SUFFIXES apr-1 apr-1.0)
    find_library(MprocAPR_LIBRARY NAMES libapr-1 apr-1)
    mark_as_advanced(MprocAPR_INCLUDE_DIR MprocAPR_LIBRARY)
    if(MprocAPR_INCLUDE_DIR AND MprocAPR_LIBRARY)
      add_library(MprocAPR::apr UNKNOWN IMPORTED)
      set_target_properties(MprocAPR::apr PROPERTIES
        IMPORTED_LOCATION "${MprocAPR_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${MprocAPR_INCLUDE_DIR}")
      set(MprocAPR_PROVIDER "${MprocAPR_LIBRARY}")
    endif()
  endif()
else()
  set(MprocAPR_PROVIDER MprocAPR::apr)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(MprocAPR
  REQUIRED_VARS MprocAPR_PROVIDER VERSION_VAR MprocAPR_VERSION)
