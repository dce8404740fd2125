# SPDX-License-Identifier: Apache-2.0
# Finds CUnit 2.1 (tests only) and makes the target MprocCUnit::cunit:
#  - CMake packages: vcpkg (unofficial::cunit::cunit), Conan (cunit::cunit);
#  - the pkg-config module cunit;
#  - header and library by name.

if(NOT TARGET MprocCUnit::cunit)
  set(_mproc_provider "")
  find_package(unofficial-cunit CONFIG QUIET)
  if(NOT TARGET unofficial::cunit::cunit)
    find_package(cunit CONFIG QUIET)
  endif()
  foreach(_mproc_target IN ITEMS unofficial::cunit::cunit cunit::cunit CUnit::CUnit)
    if(NOT _mproc_provider AND TARGET ${_mproc_target})
      set(_mproc_provider ${_mproc_target})
    endif()
  endforeach()
  if(NOT _mproc_provider)
    find_package(PkgConfig QUIET)
    if(PkgConfig_FOUND)
      pkg_check_modules(MPROC_CUNIT_PC QUIET IMPORTED_TARGET cunit)
      if(MPROC_CUNIT_PC_FOUND)
        set(_mproc_provider PkgConfig::MPROC_CUNIT_PC)
      endif()
    endif()
  endif()
  if(_mproc_provider)
    add_library(MprocCUnit::cunit INTERFACE IMPORTED)
    set_property(TARGET MprocCUnit::cunit PROPERTY INTERFACE_LINK_LIBRARIES ${_mproc_provider})
    set(MprocCUnit_PROVIDER ${_mproc_provider})
  else()
    find_path(MprocCUnit_INCLUDE_DIR CUnit/CUnit.h)
    find_library(MprocCUnit_LIBRARY NAMES cunit libcunit)
    mark_as_advanced(MprocCUnit_INCLUDE_DIR MprocCUnit_LIBRARY)
    if(MprocCUnit_INCLUDE_DIR AND MprocCUnit_LIBRARY)
      add_library(MprocCUnit::cunit UNKNOWN IMPORTED)
      set_target_properties(MprocCUnit::cunit PROPERTIES
        IMPORTED_LOCATION "${MprocCUnit_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${MprocCUnit_INCLUDE_DIR}")
      set(MprocCUnit_PROVIDER "${MprocCUnit_LIBRARY}")
    endif()
  endif()
else()
  set(MprocCUnit_PROVIDER MprocCUnit::cunit)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(MprocCUnit REQUIRED_VARS MprocCUnit_PROVIDER)
