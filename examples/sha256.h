/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sha256.h: SHA-256 as the system has it: posix/sha256.c by libcrypto, win32/sha256.c by CNG.
 */
#ifndef EXAMPLE_SHA256_H
#define EXAMPLE_SHA256_H

#include <stdbool.h>
#include <stddef.h>

enum { SHA256_BYTES = 32 };

typedef struct sha256 sha256;

/* NULL: it cannot be had. */
sha256 *sha256_begin(void);
bool sha256_add(sha256 *hash, const void *data, size_t size);
/* The digest of all that was added; `hash` is gone. ret_digest NULL: nobody wants it any more. */
bool sha256_end(sha256 *hash, unsigned char *ret_digest);

#endif
