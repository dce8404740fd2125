/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sha256.c: see ../sha256.h.
 */
#include "../sha256.h"

#include <windows.h>

#include <bcrypt.h>

sha256 *sha256_begin(void)
{
    static BCRYPT_ALG_HANDLE volatile algorithm; // for as long as the program runs
    BCRYPT_HASH_HANDLE hash;
    if (!algorithm) {
        BCRYPT_ALG_HANDLE opened;
        if (BCryptOpenAlgorithmProvider(&opened, BCRYPT_SHA256_ALGORITHM, NULL, 0) < 0) {
            return NULL;
        }
        if (InterlockedCompareExchangePointer((void *volatile *)&algorithm, opened, NULL)) {
            BCryptCloseAlgorithmProvider(opened, 0); // another thread was quicker
        }
    }
    return BCryptCreateHash(algorithm, &hash, NULL, 0, NULL, 0, 0) < 0 ? NULL : (sha256 *)hash;
}

bool sha256_add(sha256 *hash, const void *data, size_t size)
{
    return BCryptHashData((BCRYPT_HASH_HANDLE)hash, (PUCHAR)(uintptr_t)data, (ULONG)size, 0) >= 0;
}

bool sha256_end(sha256 *hash, unsigned char *ret_digest)
{
    BCRYPT_HASH_HANDLE handle = (BCRYPT_HASH_HANDLE)hash;
    bool is_done = !ret_digest || BCryptFinishHash(handle, ret_digest, SHA256_BYTES, 0) >= 0;
    BCryptDestroyHash(handle);
    return is_done;
}
