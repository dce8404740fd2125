/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files.c: the files that are named to it, summarized and added up in one line, for xargs.
 */
#include "../../examples/files.h"

#include <apr_general.h>

#include <inttypes.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct file_summary total = {0};
    char digest[2 * SHA256_BYTES + 1];
    if (apr_initialize() != APR_SUCCESS) {
        return 1;
    }
    for (int i = 1; i < argc; i++) {
        struct file_summary one;
        file_summarize(argv[i], &one);
        file_summary_add(&total, &one);
    }
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        snprintf(digest + 2 * i, 3, "%02x", total.digest[i]);
    }
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n", total.bytes, total.lines,
           total.words, total.unreadable, digest);
    return 0;
}
