/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context.c: start methods by name, and the program that children are copies of.
 */
#include "base/status.h"
#include "mproc/main.h"
#include "object/local.h"
#include "object/server.h"
#include "object/start.h"

#include <string.h>

#define MAX_METHODS 4

static const mproc_context *chosen; /* NULL: the system's default */
static mproc_preload_fn preload;

static const mproc_context *find(const char *method)
{
    for (size_t i = 0; mproc__contexts[i] != NULL; i++) {
        if (strcmp(mproc__contexts[i]->name, method) == 0) {
            return mproc__contexts[i];
        }
    }
    static const mproc_context *const local[] = {&mproc__context_thread, &mproc__context_inline};
    for (size_t i = 0; i < MPROC__COUNT(local); i++) {
        if (strcmp(local[i]->name, method) == 0) {
            return local[i];
        }
    }
    return NULL;
}

const mproc_context *mproc_get_context(const char *method)
{
    if (method == NULL) {
        return chosen != NULL ? chosen : mproc__contexts[0];
    }
    const mproc_context *context = find(method);
    if (context == NULL) {
        (void)mproc__fail(MPROC_ENOTSUP, "this system has no start method \"%s\"", method);
    }
    return context;
}

const char *mproc_context_name(const mproc_context *context)
{
    return context != NULL ? context->name : mproc_get_start_method();
}

int mproc_set_start_method(const char *method)
{
    static const char *const known[] = {"spawn", "fork", "forkserver"};
    if (method == NULL) {
        chosen = NULL;
        return MPROC_OK;
    }
    const mproc_context *context = find(method);
    if (context != NULL) {
        chosen = context;
        return MPROC_OK;
    }
    for (size_t i = 0; i < MPROC__COUNT(known); i++) {
        if (strcmp(known[i], method) == 0) {
            return mproc__fail(MPROC_ENOTSUP, "this system has no start method \"%s\"", method);
        }
    }
    return mproc__fail(MPROC_ENOENT, "there is no start method \"%s\"", method);
}

const char *mproc_get_start_method(void)
{
    return mproc_get_context(NULL)->name;
}

const char *const *mproc_get_all_start_methods(void)
{
    static const char *names[MAX_METHODS + 1];
    for (size_t i = 0; i < MAX_METHODS && mproc__contexts[i] != NULL; i++) {
        names[i] = mproc__contexts[i]->name;
    }
    return names;
}

int mproc_set_forkserver_preload(mproc_preload_fn function)
{
    if (mproc__server_is_up()) {
        return mproc__fail(MPROC_ESTATE,
                           "the fork server runs already: choose what it loads before the "
                           "first start");
    }
    preload = function;
    return MPROC_OK;
}

mproc_preload_fn mproc__preload(void)
{
    return preload;
}

int mproc_cpu_count(void)
{
    return mplat_cpu_count();
}
