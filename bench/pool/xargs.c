/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xargs.c: xargs -P2, with ../peers/files.c for every 64 files.
 */
#include "pool.h"

#include "../../examples/files.h"
#include "../support/bench.h"

#include <inttypes.h>
#include <stdio.h>

static bool parse(const char *line, struct file_summary *ret_one)
{
    int at = 0;
    *ret_one = (struct file_summary){0};
    // NOLINTNEXTLINE(cert-err34-c): numbers that this project printed
    if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %n", &ret_one->bytes,
               &ret_one->lines, &ret_one->words, &ret_one->unreadable, &at) != 4) {
        return false;
    }
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        unsigned byte;
        if (sscanf(line + at + 2 * i, "%2x", &byte) != 1) { // NOLINT(cert-err34-c): likewise
            return false;
        }
        ret_one->digest[i] = (unsigned char)byte;
    }
    return true;
}

int pool_files_xargs(const struct file_list *list, struct file_summary *ret_total)
{
    char command[600];
    char line[200];
    (void)list;
    snprintf(command, sizeof command, "xargs -0 -P%d -n64 '%s' < '%s'", POOL_WORKERS,
             BENCH_FILES_PROGRAM, pool_files_listing());
    *ret_total = (struct file_summary){0};
    FILE *run = popen(command, "r"); // NOLINT(cert-env33-c): xargs from where the user has it
    if (!run) {
        return bench_skip("xargs cannot be started");
    }
    bool is_read = true;
    while (fgets(line, sizeof line, run)) {
        struct file_summary one;
        is_read = parse(line, &one) && is_read;
        file_summary_add(ret_total, &one);
    }
    int status = pclose(run);
    return status == 0 && is_read ? 0 : bench_skip("xargs cannot run it: %d", status);
}
