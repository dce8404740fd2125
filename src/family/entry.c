/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entry.c: see entry.h.
 *
 * ISO C does not convert between functions and data; on every system here both are plain addresses
 * of one size, and are copied as such.
 */
#include "family/entry.h"

#include "mproc/error.h"

#include <string.h>

_Static_assert(sizeof(mproc__function) == sizeof(void *),
               "functions and data have one address size");

int mproc__entry_of(mproc__function function, mproc__entry *ret_entry)
{
    const char *address;
    memcpy(&address, &function, sizeof(address));
    int rc = mplat_module_of(address, &ret_entry->module);
    if (rc >= 0) {
        ret_entry->distance = (uint64_t)(address - ret_entry->module.base);
    }
    return rc;
}

int mproc__entry_find(const mproc__entry *entry, mproc__function *ret_function)
{
    const char *base;
    int rc = mplat_module_find(&entry->module, &base);
    if (rc >= 0) {
        const char *address = base + entry->distance;
        memcpy(ret_function, &address, sizeof(address));
    }
    return rc;
}
