/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files.c: see files.h. APR, since C alone knows no folders.
 */
#include "files.h"

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_strings.h>
#include <apr_tables.h>

#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 64 << 10 };

/* ---- the list ---- */

struct entry {
    char *path;
    uint64_t size;
};

struct walk {
    apr_array_header_t *entries;
    apr_array_header_t *folders; /* still to be read */
    apr_pool_t *pool;
};

static void take_entry(struct walk *walk, const char *folder, const apr_finfo_t *found)
{
    if (strcmp(found->name, ".") == 0 || strcmp(found->name, "..") == 0) {
        return;
    }
    char *path = apr_pstrcat(walk->pool, folder, "/", found->name, NULL);
    if (found->filetype == APR_DIR) {
        APR_ARRAY_PUSH(walk->folders, char *) = path;
    } else if (found->filetype == APR_REG) {
        APR_ARRAY_PUSH(walk->entries, struct entry) = (struct entry){path, (uint64_t)found->size};
    }
}

static bool read_folder(struct walk *walk, const char *folder)
{
    // Nothing is followed: a link has a type of its own.
    const apr_int32_t wanted = APR_FINFO_NAME | APR_FINFO_TYPE | APR_FINFO_SIZE | APR_FINFO_LINK;
    apr_pool_t *scratch;
    apr_dir_t *stream;
    apr_finfo_t found;
    if (apr_pool_create(&scratch, walk->pool) != APR_SUCCESS) {
        return false;
    }
    bool is_open = apr_dir_open(&stream, folder, scratch) == APR_SUCCESS;
    if (is_open) {
        apr_status_t status = apr_dir_read(&found, wanted, stream);
        while (status == APR_SUCCESS || status == APR_INCOMPLETE) {
            take_entry(walk, folder, &found);
            status = apr_dir_read(&found, wanted, stream);
        }
    }
    apr_pool_destroy(scratch);
    return is_open;
}

static int compare_entries(const void *left, const void *right)
{
    return strcmp(((const struct entry *)left)->path, ((const struct entry *)right)->path);
}

static void take_list(const struct walk *walk, uint64_t most_bytes, struct file_list *list)
{
    const struct entry *entries = (const struct entry *)walk->entries->elts;
    size_t n = (size_t)walk->entries->nelts;
    qsort(walk->entries->elts, n, sizeof *entries, compare_entries);
    list->paths = apr_palloc(list->pool, (n + 1) * sizeof *list->paths);
    list->sizes = apr_palloc(list->pool, (n + 1) * sizeof *list->sizes);
    for (size_t i = 0; i < n; i++) {
        if (entries[i].size <= most_bytes - list->bytes) {
            list->paths[list->count] = entries[i].path;
            list->sizes[list->count++] = entries[i].size;
            list->bytes += entries[i].size;
        }
    }
    list->paths[list->count] = NULL;
}

bool file_list_read(const char *folder, uint64_t most_bytes, struct file_list *ret_list)
{
    static const char *const everywhere[] = {"/usr/share", "C:/Windows"};
    struct file_list list = {0};
    if (apr_pool_create(&list.pool, NULL) != APR_SUCCESS) {
        return false;
    }
    struct walk walk = {apr_array_make(list.pool, 1000, sizeof(struct entry)),
                        apr_array_make(list.pool, 100, sizeof(char *)), list.pool};
    bool is_read = false;
    for (size_t i = 0; !is_read && i < (folder ? 1 : 2); i++) {
        is_read = read_folder(&walk, folder ? folder : everywhere[i]);
    }
    if (!is_read) {
        apr_pool_destroy(list.pool);
        return false;
    }
    while (!apr_is_empty_array(walk.folders)) {
        (void)read_folder(&walk, *(char **)apr_array_pop(walk.folders)); // it may be private
    }
    take_list(&walk, most_bytes, &list);
    *ret_list = list;
    return true;
}

void file_list_free(struct file_list *list)
{
    if (list->pool) {
        apr_pool_destroy(list->pool);
    }
    *list = (struct file_list){0};
}

/* ---- one file ---- */

/* 0 or 1: numbers, so that no compiler makes branches of what is counted with them. */
static unsigned is_space(unsigned char c)
{
    return c == ' ' || (unsigned char)(c - '\t') < 5;
}

static unsigned begins_word(unsigned char before, unsigned char c)
{
    return is_space(before) & ~is_space(c) & 1u;
}

/* `before` is the byte before the block. */
static void count(const unsigned char *block, size_t size, unsigned char before,
                  struct file_summary *summary)
{
    uint64_t lines = block[0] == '\n';
    uint64_t words = begins_word(before, block[0]);
    for (size_t i = 1; i < size; i++) {
        lines += block[i] == '\n';
        words += begins_word(block[i - 1], block[i]);
    }
    summary->lines += lines;
    summary->words += words;
    summary->bytes += size;
}

static bool read_all(apr_file_t *file, sha256 *hash, struct file_summary *summary)
{
    unsigned char block[BLOCK_BYTES];
    unsigned char before = ' ';
    apr_size_t size = sizeof block;
    apr_status_t status;
    while ((status = apr_file_read(file, block, &size)) == APR_SUCCESS) {
        if (!sha256_add(hash, block, size)) {
            return false;
        }
        count(block, size, before, summary);
        before = block[size - 1];
        size = sizeof block;
    }
    return APR_STATUS_IS_EOF(status);
}

void file_summarize(const char *path, struct file_summary *ret_summary)
{
    struct file_summary summary = {0};
    apr_pool_t *pool = NULL;
    apr_file_t *file;
    bool is_read = false;
    sha256 *hash = sha256_begin();
    if (hash && apr_pool_create(&pool, NULL) == APR_SUCCESS &&
        apr_file_open(&file, path, APR_FOPEN_READ | APR_FOPEN_BINARY, 0, pool) == APR_SUCCESS) {
        is_read = read_all(file, hash, &summary);
        (void)apr_file_close(file);
    }
    if (hash) {
        is_read = sha256_end(hash, is_read ? summary.digest : NULL) && is_read;
    }
    if (pool) {
        apr_pool_destroy(pool);
    }
    *ret_summary = is_read ? summary : (struct file_summary){.unreadable = 1};
}

void file_summary_add(struct file_summary *total, const struct file_summary *one)
{
    total->bytes += one->bytes;
    total->lines += one->lines;
    total->words += one->words;
    total->unreadable += one->unreadable;
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        total->digest[i] ^= one->digest[i];
    }
}
