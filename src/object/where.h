/* SPDX-License-Identifier: Apache-2.0 */
/*
 * where.h: addresses as text: "unix:/path", "unix:@abstract", "pipe:name", "tcp:host:port".
 */
#ifndef MPROC_OBJECT_WHERE_H
#define MPROC_OBJECT_WHERE_H

#include <stddef.h>

#include "platform.h"

/* Room for the text of any address. */
#define MPROC__WHERE_TEXT (sizeof(((mplat_address *)NULL)->name) + 16)

/** Read an address. 0, MPROC_EINVAL or MPROC_ETOOBIG. */
int mproc__where_parse(const char *text, mplat_address *ret_address);

/** Write one, always terminated. */
void mproc__where_format(const mplat_address *address, char *text, size_t size);

#endif
