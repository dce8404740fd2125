/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_small_room.c: shared memory by name where there is next to no room: the system says no, and
 * never sends a SIGBUS. Linux only: each scene has a /dev/shm of its own, of 1 MiB.
 */
#include "base/check.h"
#include "object/core.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define SCENE "MPROC_TEST_SCENE"
#define NOT_HERE 78
#define KIB ((size_t)1024)

static uint64_t free_bytes(void)
{
    struct statvfs room;
    CHILD_CHECK(statvfs("/dev/shm", &room) == 0);
    return (uint64_t)room.f_bfree * room.f_frsize;
}

/** Leave no room to anybody. */
static void fill_room(const char *name)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/dev/shm/%s", name);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    off_t at = 0;
    CHILD_CHECK(fd >= 0);
    while (posix_fallocate(fd, at, 4096) == 0) {
        at += 4096;
    }
    (void)close(fd);
    CHILD_CHECK(free_bytes() == 0);
}

static void empty_room(const char *name)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/dev/shm/%s", name);
    CHILD_CHECK(unlink(path) == 0);
}

static bool is_there(const char *name)
{
    char path[64];
    struct stat file;
    (void)snprintf(path, sizeof(path), "/dev/shm/%s", name);
    return lstat(path, &file) == 0;
}

/* At least one byte of each page. */
#define STRIDE 251

/** Use all that it says it has: what is not really there is a SIGBUS. */
static void use(const mproc_shared_memory *memory)
{
    volatile char *bytes = mproc_shared_memory_data(memory);
    for (size_t i = 0; i < mproc_shared_memory_size(memory); i += STRIDE) {
        bytes[i] = (char)(i * 3 + i / 255);
    }
    bytes[mproc_shared_memory_size(memory) - 1] = 'e';
}

static bool is_used(const mproc_shared_memory *memory, size_t size)
{
    const char *bytes = mproc_shared_memory_data(memory);
    bool is = mproc_shared_memory_size(memory) == size && bytes[size - 1] == 'e';
    for (size_t i = 0; is && i < size - 1; i += STRIDE) {
        is = bytes[i] == (char)(i * 3 + i / 255);
    }
    return is;
}

/* ---- scenes ---------------------------------------------------------------------------------- */

static void create_until_it_is_full(void)
{
    mproc_shared_memory *all[64] = {NULL};
    mproc_shared_memory *none = NULL;
    uint64_t room = free_bytes();
    size_t count = 0;
    CHILD_CHECK(mproc_shared_memory_create(&none, "large", 4096 * KIB, NULL) == MPROC_ENOSPC);
    CHILD_CHECK(!is_there("large") && free_bytes() == room);
    for (int rc = 0; rc >= 0; count += rc >= 0 ? 1 : 0) {
        CHILD_CHECK(count < 64);
        const mproc_shared_memory_options options = {
            .auto_unlink = count % 2 != 0,
            .max_size_bytes = count % 3 != 0 ? 4096 * KIB : 0,
            .wants_huge_pages = count % 5 != 0,
        };
        rc = mproc_shared_memory_create(&all[count], NULL, 50 * KIB + 7, &options);
        CHILD_CHECK(rc == 0 || rc == MPROC_ENOSPC);
    }
    CHILD_CHECK(count > 10);
    for (size_t i = 0; i < count; i++) {
        use(all[i]);
    }
    for (size_t i = 0; i < count; i++) {
        CHILD_CHECK(is_used(all[i], 50 * KIB + 7));
        CHILD_CHECK(mproc_shared_memory_unlink(all[i]) == 0);
        mproc_shared_memory_close(all[i]);
    }
    CHILD_CHECK(free_bytes() == room);
}

static void grow_until_it_is_full(void)
{
    const mproc_shared_memory_options options = {.max_size_bytes = 4096 * KIB};
    mproc_shared_memory *memory = NULL;
    CHILD_CHECK(mproc_shared_memory_create(&memory, "grows", 1, &options) == 0);
    size_t size = 1;
    for (int rc = 0; rc >= 0; size += rc >= 0 ? 10 * KIB : 0) {
        uint64_t room = free_bytes();
        rc = mproc_shared_memory_grow(memory, size + 10 * KIB);
        CHILD_CHECK(rc == 0 || (rc == MPROC_ENOSPC && free_bytes() == room));
        CHILD_CHECK(rc == 0 || mproc_shared_memory_size(memory) == size);
    }
    CHILD_CHECK(size > 900 * KIB);
    fill_room("others");
    use(memory);
    empty_room("others");
    CHILD_CHECK(is_used(memory, size) && mproc_shared_memory_unlink(memory) == 0);
    mproc_shared_memory_close(memory);
}

static bool is_quick;

/** Between the question for room and the taking of it others take most of it. */
static void others_are_quicker(const char *point)
{
    struct stat file;
    if (is_quick && strcmp(point, "segment.taking") == 0) {
        is_quick = false;
        fill_room("quick");
        CHILD_CHECK(stat("/dev/shm/quick", &file) == 0);
        CHILD_CHECK(truncate("/dev/shm/quick", file.st_size - (off_t)(100 * KIB)) == 0);
        CHILD_CHECK(free_bytes() == 100 * KIB);
    }
}

/** What was told before is there afterwards, also what nobody has used yet. */
static void others_take_it_meanwhile(void)
{
    mproc_shared_memory_options options = {.max_size_bytes = 4096 * KIB};
    mproc_shared_memory *memory = NULL;
    uint64_t room = free_bytes();
    mproc__killpoint_fn = others_are_quicker;
    for (int i = 0; i < 4; i++) {
        options.wants_huge_pages = i / 2 != 0;
        size_t size = i % 2 != 0 ? 200 * KIB : 1;
        CHILD_CHECK(mproc_shared_memory_create(&memory, "told", size, &options) == 0);
        is_quick = true;
        CHILD_CHECK(mproc_shared_memory_grow(memory, 600 * KIB) == MPROC_ENOSPC);
        CHILD_CHECK(!is_quick && free_bytes() == 100 * KIB);
        fill_room("last");
        use(memory);
        CHILD_CHECK(is_used(memory, size));
        empty_room("last");
        empty_room("quick");
        CHILD_CHECK(mproc_shared_memory_grow(memory, 600 * KIB) == 0);
        use(memory);
        CHILD_CHECK(mproc_shared_memory_unlink(memory) == 0);
        mproc_shared_memory_close(memory);
        is_quick = true;
        CHILD_CHECK(mproc_shared_memory_create(&memory, "not", 500 * KIB, &options) ==
                    MPROC_ENOSPC);
        CHILD_CHECK(!is_quick && !is_there("not") && free_bytes() == 100 * KIB);
        empty_room("quick");
        CHILD_CHECK(free_bytes() == room);
    }
}

static void die_at(const char *point)
{
    if (strcmp(point, "segment.growing") == 0) {
        (void)raise(SIGKILL);
    }
}

static int grow_and_die(const mproc_args *args)
{
    mproc_shared_memory *memory;
    CHILD_CHECK(MPROC_UNPACK(args, &memory) == 0);
    mproc__killpoint_fn = die_at;
    return mproc_shared_memory_grow(memory, 700 * KIB);
}

/** What a killed process took, and told nobody of, is there for the next one. */
static void the_killed_keep_nothing(void)
{
    const mproc_shared_memory_options options = {.max_size_bytes = 4096 * KIB};
    mproc_shared_memory *memory = NULL;
    CHILD_CHECK(mproc_shared_memory_create(&memory, "killed", 5 * KIB, &options) == 0);
    use(memory);
    CHILD_CHECK(core_end(core_start(grow_and_die, MPROC_ARGS(memory))) == -SIGKILL);
    CHILD_CHECK(free_bytes() < 400 * KIB && is_used(memory, 5 * KIB));
    CHILD_CHECK(mproc_shared_memory_grow(memory, 900 * KIB) == 0);
    fill_room("others");
    use(memory);
    empty_room("others");
    CHILD_CHECK(mproc_shared_memory_unlink(memory) == 0);
    mproc_shared_memory_close(memory);
}

static void report_huge_pages(const char *what)
{
    FILE *maps = fopen("/proc/self/smaps", "re");
    char line[512];
    long most = 0;
    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
        long kib = 0;
        if (sscanf(line, "ShmemPmdMapped: %ld kB", &kib) == 1 && kib > most) {
            most = kib;
        }
    }
    if (maps != NULL) {
        (void)fclose(maps);
    }
    printf("%s: %ld KiB in huge pages ... ", what, most);
    (void)fflush(stdout);
}

/** Where the system gives huge pages to who asks: the same bytes, and the same promises. */
static void have_huge_pages(void)
{
    const mproc_shared_memory_options options = {.max_size_bytes = 32768 * KIB,
                                                 .wants_huge_pages = true};
    mproc_shared_memory *memory = NULL;
    CHILD_CHECK(mproc_shared_memory_create(&memory, "huge", 6000 * KIB + 5, &options) == 0);
    use(memory);
    report_huge_pages("made");
    CHILD_CHECK(mproc_shared_memory_grow(memory, 20000 * KIB) == 0);
    use(memory);
    report_huge_pages("grown");
    CHILD_CHECK(is_used(memory, 20000 * KIB));
    uint64_t room = free_bytes();
    CHILD_CHECK(mproc_shared_memory_grow(memory, 32768 * KIB) == MPROC_ENOSPC);
    CHILD_CHECK(is_used(memory, 20000 * KIB) && free_bytes() >= room);
    fill_room("others");
    use(memory);
    empty_room("others");
    CHILD_CHECK(mproc_shared_memory_unlink(memory) == 0);
    mproc_shared_memory_close(memory);
}

/* ---- and where they are played --------------------------------------------------------------- */

static const struct scene {
    const char *mount;
    void (*play)(void);
} scenes[] = {
    {"size=1m", create_until_it_is_full},      {"size=1m", grow_until_it_is_full},
    {"size=1m", others_take_it_meanwhile},     {"size=1m", the_killed_keep_nothing},
    {"size=26m,huge=advise", have_huge_pages},
};

static void play(unsigned number)
{
    int status = -1;
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        char text[16];
        (void)snprintf(text, sizeof(text), "%u", number);
        if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", "/dev/shm", "tmpfs", 0, scenes[number].mount) < 0 ||
            setenv(SCENE, text, 1) < 0) {
            _exit(NOT_HERE);
        }
        (void)execl("/proc/self/exe", "test_small_room", (char *)NULL);
        _exit(NOT_HERE);
    }
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    if (code == NOT_HERE) {
        testlib_skip("no file system of its own to be had here: not root, or no huge pages");
    } else {
        CU_ASSERT_EQUAL(code, 0); // -7: SIGBUS
    }
}

static void test_small_room__create_until_it_is_full(void)
{
    play(0);
}

static void test_small_room__grow_until_it_is_full(void)
{
    play(1);
}

static void test_small_room__others_take_it_meanwhile(void)
{
    play(2);
}

static void test_small_room__the_killed_keep_nothing(void)
{
    play(3);
}

static void test_small_room__have_huge_pages(void)
{
    play(4);
}

static const testlib_case cases[] = {
    {"create_until_it_is_full", test_small_room__create_until_it_is_full},
    {"grow_until_it_is_full", test_small_room__grow_until_it_is_full},
    {"others_take_it_meanwhile", test_small_room__others_take_it_meanwhile},
    {"the_killed_keep_nothing", test_small_room__the_killed_keep_nothing},
    {"have_huge_pages", test_small_room__have_huge_pages},
};

static void be_child(int argc, char **argv)
{
    (void)mproc_main(argc, argv);
    const char *scene = getenv(SCENE);
    if (scene != NULL) {
        scenes[strtoul(scene, NULL, 10) % MPROC__COUNT(scenes)].play();
        exit(EXIT_SUCCESS);
    }
}

TESTLIB_MAIN_CHILD("object.small_room", cases, be_child)
