/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export.h: what a compiler or a system must be told about the public functions.
 *
 * The only public header that names one. Whether the library is static or shared comes from the
 * generated mproc/config.h, so a program defines nothing.
 */
#ifndef MPROC_EXPORT_H
#define MPROC_EXPORT_H

#include "mproc/config.h"

/* MPROC_BUILDING is defined while mproc itself is compiled, and by nobody else. */
#if MPROC_STATIC
#define MPROC_API
#elif defined(_WIN32) && defined(MPROC_BUILDING)
#define MPROC_API __declspec(dllexport)
#elif defined(_WIN32)
#define MPROC_API __declspec(dllimport)
#elif defined(__GNUC__)
#define MPROC_API __attribute__((visibility("default")))
#else
#define MPROC_API
#endif

#if defined(__cplusplus)
#define MPROC_BEGIN_DECLS extern "C" {
#define MPROC_END_DECLS }
#else
#define MPROC_BEGIN_DECLS
#define MPROC_END_DECLS
#endif

/* A result that is a mistake to ignore. */
#if defined(__GNUC__)
#define MPROC_NODISCARD __attribute__((warn_unused_result))
#else
#define MPROC_NODISCARD
#endif

/* Like printf: the compiler checks the arguments from number `first` on against format number `format`. */
#if defined(__MINGW32__)
#define MPROC_PRINTF(format, first) __attribute__((__format__(gnu_printf, format, first)))
#elif defined(__GNUC__)
#define MPROC_PRINTF(format, first) __attribute__((__format__(printf, format, first)))
#else
#define MPROC_PRINTF(format, first)
#endif

/* What a word holds that another thread may be changing. */
#if defined(__GNUC__)
#define MPROC_LOAD(variable) __atomic_load_n(&(variable), __ATOMIC_RELAXED)
#else
#define MPROC_LOAD(variable) (*(const volatile int *)&(variable))
#endif

#endif
