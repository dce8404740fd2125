/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module.c: a library with functions for processes. Built twice; MODULE_CODE tells the builds apart.
 */
#include <mproc/process.h>
#include <stddef.h>

#if defined(_WIN32)
#define MODULE_API __declspec(dllexport)
#else
#define MODULE_API __attribute__((visibility("default")))
#endif

MODULE_API mproc_process_fn module_function(void);

/* Not exported: it is found by its place, not by its name. */
static int hidden(const mproc_args *args)
{
    return args->count == 1 ? MODULE_CODE : 1;
}

MODULE_API mproc_process_fn module_function(void)
{
    return hidden;
}
