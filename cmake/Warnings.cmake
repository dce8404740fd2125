# SPDX-License-Identifier: Apache-2.0
# mproc_warnings(TARGET): the warnings that mproc's own code compiles without. PRIVATE, so that no
# user of the library ever sees them.

function(mproc_warnings target)
  if(MSVC)
    target_compile_options(${target} PRIVATE /W4)
    target_compile_definitions(${target} PRIVATE _CRT_SECURE_NO_WARNINGS)
  else()
    target_compile_options(${target} PRIVATE
      -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes
      -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings
      -Wundef -Wvla -Wformat=2)
  endif()
  if(MPROC_WERROR)
    target_compile_options(${target} PRIVATE $<IF:$<C_COMPILER_ID:MSVC>,/WX,-Werror>)
  endif()
endfunction()
