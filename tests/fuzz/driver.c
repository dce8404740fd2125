/*
 * driver.c: runs a fuzz target without libFuzzer, for the everyday tests and for compilers that have none.
 *
 * Feeds it random bytes, most of them small numbers and MessagePack's own tags, and changed copies of what
 * it was fed before; for two seconds, or as many as MPROC_FUZZ_SECONDS says. The seed is printed; with
 * MPROC_FUZZ_SEED set to it, a run is repeated. The files of a folder named on the command line come
 * first, as they are; a single file named there is all that is fed.
 */
// SPDX-License-Identifier: Apache-2.0
#include <apr_file_info.h>
#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_SIZE = 4096, POOL = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t state;

static struct {
    uint8_t data[MAX_SIZE];
    size_t size;
} pool[POOL];

/* splitmix64 */
static uint64_t next_random(void)
{
    uint64_t x = state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static uint8_t random_byte(void)
{
    uint64_t r = next_random();
    switch (r % 4) {
    case 0:
        return (uint8_t)(0xc0 | (r >> 8 & 0x1f)); /* a tag with a length or a payload behind it */
    case 1:
        return (uint8_t)(0x80 | (r >> 8 & 0x3f)); /* a short map, list or string */
    case 2:
        return (uint8_t)(r >> 8 & 7);
    default:
        return (uint8_t)(r >> 8);
    }
}

static size_t make_input(uint8_t *ret_data)
{
    size_t from = (size_t)(next_random() % POOL);
    size_t size = pool[from].size;
    size_t changes = (size_t)(next_random() % 8);

    if (size == 0 || next_random() % 4 == 0) {
        size = (size_t)(next_random() % (next_random() % 16 == 0 ? MAX_SIZE : 64));
        changes = size;
        from = POOL;
    } else {
        memcpy(ret_data, pool[from].data, size);
    }
    for (size_t i = 0; i < changes; i++) {
        ret_data[from == POOL ? i : (size_t)(next_random() % size)] = random_byte();
    }
    if (from != POOL && next_random() % 4 == 0) {
        size = (size_t)(next_random() % (size + 1)); /* cut short */
    }
    return size;
}

/* Feeds an exact copy, so that a sanitizer sees a read past its end. */
static void feed(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void keep(const uint8_t *data, size_t size)
{
    size_t place = (size_t)(next_random() % POOL);
    pool[place].size = size < MAX_SIZE ? size : MAX_SIZE;
    memcpy(pool[place].data, data, pool[place].size);
}

static int feed_file(const char *path)
{
    static uint8_t data[1 << 20];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return -1;
    }
    size_t size = fread(data, 1, sizeof(data), file);
    (void)fclose(file);
    feed(data, size);
    keep(data, size);
    return 0;
}

/* How many files of the folder were fed; 0 if it is no folder, -1 if one could not be read. */
static int feed_folder(const char *path)
{
    apr_pool_t *memory;
    apr_dir_t *folder;
    apr_finfo_t entry;
    int n = 0;

    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&memory, NULL) != APR_SUCCESS) {
        return -1;
    }
    if (apr_dir_open(&folder, path, memory) == APR_SUCCESS) {
        while (n >= 0 && apr_dir_read(&entry, APR_FINFO_NAME, folder) == APR_SUCCESS) {
            if (entry.name[0] != '.') {
                n = feed_file(apr_pstrcat(memory, path, "/", entry.name, NULL)) < 0 ? -1 : n + 1;
            }
        }
        (void)apr_dir_close(folder);
    }
    apr_pool_destroy(memory);
    apr_terminate();
    return n;
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

int main(int argc, char **argv)
{
    uint8_t data[MAX_SIZE];
    uint64_t runs = 0;
    time_t end = time(NULL) + (time_t)number_of("MPROC_FUZZ_SECONDS", 2);

    state = number_of("MPROC_FUZZ_SEED", (uint64_t)time(NULL));
    printf("MPROC_FUZZ_SEED=%" PRIu64 "\n", state);
    (void)fflush(stdout);
    if (argc > 1) {
        int n = feed_folder(argv[1]);
        if (n <= 0) {
            return n < 0 || feed_file(argv[1]) < 0;
        }
        printf("%d files\n", n);
    }
    do {
        size_t size = make_input(data);
        feed(data, size);
        keep(data, size);
        runs++;
    } while (runs % 64 != 0 || time(NULL) < end);
    printf("%" PRIu64 " inputs\n", runs);
    return 0;
}
