/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto.c: keyed hashes and random bytes, from Windows' own CNG.
 */
#include "base/compiler.h"
#include "base/status.h"
#include "platform.h"

#include <windows.h>

#include <bcrypt.h>

#include <limits.h>

int mplat_hmac(enum mplat_digest digest, const void *key, size_t key_size, const void *message,
               size_t size, mplat_mac *ret_mac)
{
    // By their names, for older headers lack the last two, as older systems do.
    static const struct {
        const wchar_t *name;
        ULONG bytes;
    } table[] = {
        [MPLAT_MD5] = {L"MD5", 16},           [MPLAT_SHA256] = {L"SHA256", 32},
        [MPLAT_SHA384] = {L"SHA384", 48},     [MPLAT_SHA3_256] = {L"SHA3-256", 32},
        [MPLAT_SHA3_384] = {L"SHA3-384", 48},
    };
    BCRYPT_ALG_HANDLE algorithm = NULL;
    BCRYPT_HASH_HANDLE hash = NULL;
    NTSTATUS status = -1;
    if (key_size <= ULONG_MAX && size <= ULONG_MAX) {
        status = BCryptOpenAlgorithmProvider(&algorithm, table[digest].name, NULL,
                                             BCRYPT_ALG_HANDLE_HMAC_FLAG);
    }
    if (status >= 0) {
        status =
            BCryptCreateHash(algorithm, &hash, NULL, 0, (PUCHAR)(uintptr_t)key, (ULONG)key_size, 0);
    }
    if (status >= 0) {
        status = BCryptHashData(hash, (PUCHAR)(uintptr_t)message, (ULONG)size, 0);
    }
    if (status >= 0) {
        status = BCryptFinishHash(hash, ret_mac->bytes, table[digest].bytes, 0);
    }
    if (hash != NULL) {
        (void)BCryptDestroyHash(hash);
    }
    if (algorithm != NULL) {
        (void)BCryptCloseAlgorithmProvider(algorithm, 0);
    }
    ret_mac->size = table[digest].bytes;
    return status >= 0 ? MPROC_OK
                       : mproc__fail(MPROC_ENOTSUP, "Windows refuses HMAC with %ls (status %#lx)",
                                     table[digest].name, (unsigned long)status);
}

int mplat_random(void *ret_bytes, size_t size)
{
    NTSTATUS status = -1;
    if (size <= ULONG_MAX) {
        status = BCryptGenRandom(NULL, ret_bytes, (ULONG)size, BCRYPT_USE_SYSTEM_PREFERRED_RNG);
    }
    return status >= 0 ? MPROC_OK
                       : mproc__fail(MPROC_ESYSTEM, "Windows has no random bytes (status %#lx)",
                                     (unsigned long)status);
}

bool mplat_secret_equal(const void *a, const void *b, size_t size)
{
    const volatile unsigned char *one = a;
    const volatile unsigned char *other = b;
    unsigned char difference = 0;
    for (size_t i = 0; i < size; i++) {
        difference = (unsigned char)(difference | (one[i] ^ other[i]));
    }
    return difference == 0;
}

void mplat_secret_clear(void *secret, size_t size)
{
    SecureZeroMemory(secret, size);
}
