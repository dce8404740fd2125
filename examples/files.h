/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files.h: the files of a folder, and what checksums.c finds out about each.
 */
#ifndef EXAMPLE_FILES_H
#define EXAMPLE_FILES_H

#include "sha256.h"

#include <apr_pools.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As much as takes a second or so. */
#define FILE_LIST_BYTES ((uint64_t)300 * 1000 * 1000)

struct file_list {
    char **paths; /* sorted; NULL behind the last */
    uint64_t *sizes;
    size_t count;
    uint64_t bytes;
    apr_pool_t *pool; /* that all of it is in */
};

/*
 * List the regular files below a folder, no links, up to `most_bytes` of contents together.
 *
 * folder  NULL: one that every system has; ret_list->paths tell which
 * returns false: there is no such folder
 */
bool file_list_read(const char *folder, uint64_t most_bytes, struct file_list *ret_list);
void file_list_free(struct file_list *list);

struct file_summary {
    uint64_t bytes, lines, words;
    uint64_t unreadable; /* files: 0 or 1 */
    unsigned char digest[SHA256_BYTES];
};

/* Read a file: its SHA-256, lines, words and bytes. One that cannot be read has only `unreadable`. */
void file_summarize(const char *path, struct file_summary *ret_summary);

/* Add up: numbers by sums, digests by exclusive or, so that no order matters. */
void file_summary_add(struct file_summary *total, const struct file_summary *one);

#endif
