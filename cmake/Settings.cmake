# SPDX-License-Identifier: Apache-2.0
# mproc_settings(TARGET): what all of mproc's own code is compiled with: C11 without extensions,
# hidden symbols, our warnings, the chosen sanitizers.

# Calls into other libraries bind when the program starts rather than at each first call: a first call
# looks a name up, which touches a dozen pages that a new copy of the process does not have yet.
if(UNIX)
  include(CheckCCompilerFlag)
  check_c_compiler_flag(-fno-plt MPROC_HAS_NO_PLT)
endif()

function(mproc_settings target)
  set_target_properties(${target} PROPERTIES
    C_STANDARD 11
    C_STANDARD_REQUIRED ON
    C_EXTENSIONS OFF
    C_VISIBILITY_PRESET hidden
    POSITION_INDEPENDENT_CODE ON)
  if(MPROC_HAS_NO_PLT)
    target_compile_options(${target} PRIVATE -fno-plt)
  endif()
  mproc_warnings(${target})
  mproc_sanitize(${target})
  if(MINGW)
    # Wine's debugger reads no newer debugging information than this.
    target_compile_options(${target} PRIVATE $<$<CONFIG:Debug,RelWithDebInfo>:-gdwarf-4>)
  endif()
endfunction()

# Puts the program (or DLL) TARGET into FOLDER of the build; on Windows all into one, as DLLs are looked
# for beside the program.
function(mproc_place target folder)
  if(WIN32)
    set(folder bin)
  endif()
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/${folder}")
endfunction()
