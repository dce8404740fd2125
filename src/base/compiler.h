/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compiler.h: the few words that compilers spell differently.
 */
#ifndef MPROC_BASE_COMPILER_H
#define MPROC_BASE_COMPILER_H

#include "mproc/export.h"

#if defined(_MSC_VER) && !defined(__clang__)
#define MPROC__THREAD_LOCAL __declspec(thread)
#define MPROC__NORETURN __declspec(noreturn)
#define MPROC__NOINLINE __declspec(noinline)
#define MPROC__ALIGNAS(n) __declspec(align(n))
#else
#define MPROC__THREAD_LOCAL _Thread_local
#define MPROC__NORETURN _Noreturn
#define MPROC__NOINLINE __attribute__((noinline))
#define MPROC__ALIGNAS(n) _Alignas(n)
#endif

/* Like printf: the formats of C99 everywhere, on Windows too. */
#define MPROC__PRINTF(format, first) MPROC_PRINTF(format, first)

#define MPROC__CONTAINER(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define MPROC__COUNT(array) (sizeof(array) / sizeof(array)[0])

#endif
