/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sha256.c: see ../sha256.h.
 */
#include "../sha256.h"

#include <openssl/evp.h>

sha256 *sha256_begin(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(context);
        return NULL;
    }
    return (sha256 *)context;
}

bool sha256_add(sha256 *hash, const void *data, size_t size)
{
    return EVP_DigestUpdate((EVP_MD_CTX *)hash, data, size) == 1;
}

bool sha256_end(sha256 *hash, unsigned char *ret_digest)
{
    EVP_MD_CTX *context = (EVP_MD_CTX *)hash;
    bool is_done = !ret_digest || EVP_DigestFinal_ex(context, ret_digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    return is_done;
}
