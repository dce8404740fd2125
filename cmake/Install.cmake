# SPDX-License-Identifier: Apache-2.0
# Install rules: the library, its headers, the CMake package mproc (mproc::mproc) and mproc.pc, all
# relocatable.

include(CMakePackageConfigHelpers)
set(cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/mproc")

install(TARGETS mproc EXPORT mprocTargets
  RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT Runtime
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT Runtime NAMELINK_COMPONENT Development
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT Development)
install(FILES ${MPROC_HEADER_FILES}
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/mproc" COMPONENT Development)

install(EXPORT mprocTargets NAMESPACE mproc:: DESTINATION "${cmake_dir}" COMPONENT Development)
configure_package_config_file(cmake/mprocConfig.cmake.in
  "${PROJECT_BINARY_DIR}/mprocConfig.cmake" INSTALL_DESTINATION "${cmake_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/mprocConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/mprocConfig.cmake"
  "${PROJECT_BINARY_DIR}/mprocConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/FindMprocAPR.cmake"
  DESTINATION "${cmake_dir}" COMPONENT Development)

# What a static mproc needs of the system, as linker flags, for Libs.private.
set(MPROC_PC_REQUIRES_PRIVATE "apr-1")
set(MPROC_PC_LIBS_PRIVATE "")
foreach(library IN LISTS MPROC_SYSTEM_LIBS)
  if(library STREQUAL "Threads::Threads")
    string(APPEND MPROC_PC_LIBS_PRIVATE " -pthread")
  elseif(library STREQUAL "OpenSSL::Crypto")
    set(MPROC_PC_REQUIRES_PRIVATE "apr-1 libcrypto")
  else()
    string(APPEND MPROC_PC_LIBS_PRIVATE " -l${library}")
  endif()
endforeach()
# The way from the .pc file back to the prefix, whatever the depth of the library folder.
file(RELATIVE_PATH MPROC_PC_PREFIX
  "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
string(REGEX REPLACE "/$" "" MPROC_PC_PREFIX "${MPROC_PC_PREFIX}")
configure_file(cmake/mproc.pc.in "${PROJECT_BINARY_DIR}/mproc.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/mproc.pc"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT Development)
