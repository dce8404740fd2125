/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto.c: keyed hashes and random bytes, from OpenSSL's libcrypto.
 */
#include "platform.h"

#include "base/compiler.h"
#include "base/status.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

int mplat_hmac(enum mplat_digest digest, const void *key, size_t key_size, const void *message,
               size_t size, mplat_mac *ret_mac)
{
    static const struct {
        const char *name;
        const EVP_MD *(*get)(void);
    } table[] = {
        [MPLAT_MD5] = {"MD5", EVP_md5},
        [MPLAT_SHA256] = {"SHA-256", EVP_sha256},
        [MPLAT_SHA384] = {"SHA-384", EVP_sha384},
        [MPLAT_SHA3_256] = {"SHA3-256", EVP_sha3_256},
        [MPLAT_SHA3_384] = {"SHA3-384", EVP_sha3_384},
    };
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (key_size > INT_MAX ||
        HMAC(table[digest].get(), key, (int)key_size, message, size, mac, &length) == NULL) {
        return mproc__fail(
            MPROC_ENOTSUP,
            "OpenSSL refuses HMAC with %s; it may run in FIPS mode, which knows no MD5",
            table[digest].name);
    }
    memcpy(ret_mac->bytes, mac, length); // the longest of the table fits
    ret_mac->size = length;
    return MPROC_OK;
}

int mplat_random(void *ret_bytes, size_t size)
{
    return size <= INT_MAX && RAND_bytes(ret_bytes, (int)size) == 1
               ? MPROC_OK
               : mproc__fail(MPROC_ESYSTEM, "OpenSSL has no random bytes");
}

bool mplat_secret_equal(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}

void mplat_secret_clear(void *secret, size_t size)
{
    OPENSSL_cleanse(secret, size);
}
