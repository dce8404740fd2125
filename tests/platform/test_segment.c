/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_segment.c: memory by name: whole or not there, with users or without.
 */
#include "base/check.h"
#include "platform/child.h"

#include <stdio.h>

#define SIZE ((uint64_t)70001)

#ifdef _WIN32
#define HAS_NAMES_OF_THEIR_OWN 0
#else
#define HAS_NAMES_OF_THEIR_OWN 1
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

enum { MAKE_AND_STAY, MAKE_ANOTHER, MAKE_WITHOUT_NAMELESS_FILES };

#define NOT_HERE 78

static const mplat_segment none = {.user = {-1}, .more = {-1}};

/** Names that no other test has; `number` tells the children's from each other. */
static const char *name_of(const char *prefix, int64_t pid, unsigned number)
{
    static char name[64];
    (void)snprintf(name, sizeof(name), "%s%lld_%u", prefix, (long long)pid, number);
    return name;
}

static const char *own_name(void)
{
    return name_of("test_mplat_", mplat_pid(), 0);
}

static int create(const char *name, uint64_t size, uint32_t flags, uint32_t mode,
                  mplat_segment *ret_segment)
{
    const mplat_segment_plan plan = {.size = size, .flags = flags, .mode = mode};
    return mplat_segment_create(name, &plan, ret_segment);
}

/** Whether somebody can open it, without changing anything about it. */
static bool is_there(const char *name)
{
    mplat_segment segment = none;
    bool is = false;
#ifdef _WIN32
    int rc = mplat_segment_open(name, 0, 0, 0, &segment);
    is = rc >= 0 || rc == MPROC_ESTATE;
#else
    char path[128];
    struct stat file;
    (void)snprintf(path, sizeof(path), "/dev/shm/%s", name);
    is = lstat(path, &file) == 0;
#endif
    mplat_segment_close(&segment);
    return is;
}

/* ---- roles ----------------------------------------------------------------------------------- */

static int make_and_stay(unsigned me)
{
    mplat_segment segment;
    const char *name = name_of(MPLAT_SEGMENT_PREFIX "test_", child_parent.who.pid, me);
    CHILD_CHECK(create(name, SIZE, MPLAT_SEGMENT_AUTO, 0600, &segment) == 0);
    child_say_ready();
    return child_stay();
}

static int make_another(unsigned me)
{
    mplat_segment segment;
    const char *name = name_of("test_mplat_", child_parent.who.pid, me);
    CHILD_CHECK(create(name, SIZE, 0, 0600, &segment) == 0);
    CHILD_CHECK(mplat_segment_unlink(name, segment.id) == 0);
    mplat_segment_close(&segment);
    return 0;
}

/** On a system whose files always have names. */
static int make_without_nameless_files(unsigned me)
{
    (void)me;
#if HAS_NAMES_OF_THEIR_OWN
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_TMPFILE & ~O_DIRECTORY, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = MPROC__COUNT(filter), .filter = filter};
    mplat_segment a = none;
    mplat_segment b = none;
    char temporary[64];
    struct stat file;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        return NOT_HERE;
    }
    CHILD_CHECK(open("/dev/shm", O_TMPFILE | O_RDWR, 0600) < 0 && errno == EOPNOTSUPP);
    CHILD_CHECK(create(own_name(), SIZE, MPLAT_SEGMENT_AUTO, 0600, &a) == 0);
    CHILD_CHECK(create(own_name(), 1, 0, 0600, &b) == MPROC_EEXIST);
    for (unsigned i = 0; i < 2; i++) {
        (void)snprintf(temporary, sizeof(temporary), "/dev/shm/.mproc-%ld-%u", (long)mplat_pid(),
                       i);
        CHILD_CHECK(lstat(temporary, &file) < 0);
    }
    CHILD_CHECK(mplat_segment_open(own_name(), 0, 0, 0, &b) == 0 && b.size == SIZE);
    mplat_segment_close(&a);
    mplat_segment_leave(&b);
    mplat_segment_reap(own_name());
    mplat_segment_close(&b);
    CHILD_CHECK(!is_there(own_name()));
#endif
    return 0;
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void test_segment__is_whole_and_zero(void)
{
    const char *name = own_name();
    mplat_segment a = none;
    mplat_segment b = none;
    CU_ASSERT_EQUAL(mplat_segment_open(name, 0, 0, 0, &a), MPROC_ENOENT);
    CU_ASSERT_EQUAL_FATAL(create(name, SIZE, 0, 0600, &a), 0);
    CU_ASSERT_EQUAL(a.size, SIZE);
    CU_ASSERT(a.id != 0);
    char *bytes = a.base;
    for (uint64_t i = 0; i < SIZE; i++) {
        CU_ASSERT_EQUAL_FATAL(bytes[i], 0);
    }
    memset(bytes, 'x', SIZE);
    CU_ASSERT_EQUAL_FATAL(mplat_segment_open(name, 0, 0, 0, &b), 0);
    CU_ASSERT(b.size == SIZE && b.id == a.id);
    CU_ASSERT(memcmp(a.base, b.base, SIZE) == 0);
    mplat_segment_close(&b);
    CU_ASSERT_EQUAL(create(name, 1, 0, 0600, &b), MPROC_EEXIST);
    CU_ASSERT_EQUAL(mplat_segment_open(name, 0, 0, a.id + 1, &b), MPROC_ENOENT);
    CU_ASSERT_EQUAL_FATAL(mplat_segment_open(name, MPLAT_SEGMENT_READ_ONLY, 0, a.id, &b), 0);
    CU_ASSERT((b.flags & MPLAT_SEGMENT_READ_ONLY) != 0 && b.id == a.id);
    mplat_segment_close(&b);
    mplat_segment_close(&b);
    mplat_segment_reap(name); // it is not automatic, or has a user
    CU_ASSERT(is_there(name));
    CU_ASSERT_EQUAL(mplat_segment_unlink(name, a.id), 0);
    CU_ASSERT_EQUAL(mplat_segment_unlink(name, a.id), HAS_NAMES_OF_THEIR_OWN ? MPROC_ENOENT : 0);
    mplat_segment_close(&a);
    CU_ASSERT_FALSE(is_there(name));
}

static void test_segment__goes_when_its_users_have_left(void)
{
    const char *name = own_name();
    mplat_segment a = none;
    mplat_segment b = none;
    CU_ASSERT_EQUAL_FATAL(create(name, SIZE, MPLAT_SEGMENT_AUTO, 0600, &a), 0);
    CU_ASSERT_EQUAL_FATAL(mplat_segment_open(name, MPLAT_SEGMENT_READ_ONLY, 0, 0, &b), 0);
    CU_ASSERT((a.flags & b.flags & MPLAT_SEGMENT_AUTO) != 0 && a.id == b.id);
    mplat_segment_leave(&a);
    mplat_segment_reap(name);
    CU_ASSERT(is_there(name));
    mplat_segment_close(&a);
    mplat_segment_leave(&b);
    if (HAS_NAMES_OF_THEIR_OWN) {
        uint64_t id = b.id;
        CU_ASSERT(is_there(name));
        CU_ASSERT_EQUAL_FATAL(mplat_segment_open(name, 0, 0, id, &a), 0); // who knows it may
        mplat_segment_close(&a);
        CU_ASSERT_EQUAL(mplat_segment_open(name, 0, 0, 0, &a), MPROC_ENOENT);
    }
    mplat_segment_reap(name);
    mplat_segment_close(&b);
    CU_ASSERT_FALSE(is_there(name));
}

static void test_segment__has_a_mode(void)
{
#ifdef _WIN32
    testlib_skip("segments have no mode on this system");
#else
    const char *name = own_name();
    char path[128];
    struct stat file;
    mplat_segment segment = none;
    (void)snprintf(path, sizeof(path), "/dev/shm/%s", name);
    mode_t mask = umask(077);
    CU_ASSERT_EQUAL_FATAL(create(name, 1, MPLAT_SEGMENT_AUTO, 0664, &segment), 0);
    (void)umask(mask);
    CU_ASSERT(lstat(path, &file) == 0 && (file.st_mode & 0777) == 0664);
    mplat_segment_leave(&segment);
    mplat_segment_reap(name);
    CU_ASSERT_FALSE(is_there(name));
    mplat_segment_close(&segment);
#endif
}

static void test_segment__beyond_a_limit_is_an_error(void)
{
#ifdef _WIN32
    testlib_skip("there is no such limit on this system");
#else
    const char *name = own_name();
    mplat_segment segment = none;
    struct rlimit old;
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit limit = {.rlim_cur = SIZE, .rlim_max = old.rlim_max};
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &limit), 0); // the kernel's answer: SIGXFSZ
    CU_ASSERT_EQUAL(create(name, SIZE + 1, 0, 0600, &segment), MPROC_ENOSPC);
    CU_ASSERT_EQUAL(create(name, SIZE, 0, 0600, &segment), 0);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &old), 0);
    CU_ASSERT_EQUAL(mplat_segment_unlink(name, segment.id), 0);
    mplat_segment_close(&segment);
#endif
}

static void test_segment__of_a_stranger_without_size(void)
{
#ifdef _WIN32
    testlib_skip("segments have their size from the beginning on this system");
#else
    const char *name = own_name();
    char path[128];
    mplat_segment segment = none;
    (void)snprintf(path, sizeof(path), "/dev/shm/%s", name);
    FILE *file = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fclose(file);
    CU_ASSERT_EQUAL(mplat_segment_open(name, 0, 0, 0, &segment), MPROC_ESTATE);
    CU_ASSERT_EQUAL(create(name, 1, 0, 0600, &segment), MPROC_EEXIST);
    CU_ASSERT_EQUAL(mplat_segment_unlink(name, 0), 0);
    CU_ASSERT_FALSE(is_there(name));
#endif
}

/* ---- growth, layout, readiness --------------------------------------------------------------- */

#define LAYOUT UINT64_C(42)

static const mplat_segment_plan unready_plan = {
    .size = SIZE, .max_size = 10 * SIZE, .layout = LAYOUT, .mode = 0600};

static void publish(mplat_segment *segment)
{
    mproc__store32_release(&segment->note->is_ready, 1);
}

static void test_segment__is_for_its_users_until_it_is_ready(void)
{
    const char *name = own_name();
    mplat_segment a = none;
    mplat_segment b = none;
    CU_ASSERT_EQUAL_FATAL(mplat_segment_create(name, &unready_plan, &a), 0);
    CU_ASSERT(a.size == 10 * SIZE && a.note != NULL && (a.flags & MPLAT_SEGMENT_AUTO) != 0);
    CU_ASSERT(a.note->size == SIZE && a.note->max_size == 10 * SIZE && a.note->is_ready == 0);
    CU_ASSERT_EQUAL(mplat_segment_open(name, 0, 0, 0, &b), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mplat_segment_open(name, 0, LAYOUT, 0, &b), MPROC_ESTATE);
    CU_ASSERT_EQUAL(mplat_segment_open(name, 0, LAYOUT + 1, 0, &b), MPROC_ETYPE);
    CU_ASSERT_EQUAL_FATAL(mplat_segment_open(name, 0, 0, a.id, &b), 0);
    mplat_segment_close(&a);
    CU_ASSERT(is_there(name));
    publish(&b);
    CU_ASSERT_EQUAL_FATAL(mplat_segment_open(name, 0, LAYOUT, 0, &a), 0);
    CU_ASSERT_EQUAL(mplat_segment_grow(name, &a, 2 * SIZE), 0);
    CU_ASSERT_EQUAL(mplat_segment_grow(name, &a, 2 * SIZE - 1), 0);
    CU_ASSERT_EQUAL(b.note->size, 2 * SIZE);
    memset(a.base, 'x', 2 * SIZE);
    CU_ASSERT(memcmp(a.base, b.base, 2 * SIZE) == 0);
    mplat_segment_close(&a);
    CU_ASSERT_EQUAL(mplat_segment_unlink(name, b.id), 0);
    mplat_segment_close(&b);
    CU_ASSERT_EQUAL_FATAL(mplat_segment_create(name, &unready_plan, &a), 0);
    mplat_segment_leave(&a);
    CU_ASSERT_EQUAL(mplat_segment_open(name, 0, LAYOUT, 0, &b), MPROC_ENOENT);
    mplat_segment_close(&a);
    CU_ASSERT_FALSE(is_there(name));
}

/** A copy of all of a segment's bytes is a stranger's: what they say is not about it. */
static void test_segment__copy_has_no_note(void)
{
#ifdef _WIN32
    testlib_skip("notes are not among the bytes on this system");
#else
    const char *name = own_name();
    char path[128];
    struct stat file;
    mplat_segment a = none;
    mplat_segment b = none;
    CU_ASSERT_EQUAL_FATAL(mplat_segment_create(name, &unready_plan, &a), 0);
    publish(&a);
    (void)snprintf(path, sizeof(path), "/dev/shm/%s", name);
    CU_ASSERT_EQUAL_FATAL(lstat(path, &file), 0);
    size_t bytes = (size_t)file.st_size;
    CU_ASSERT(bytes >= 10 * SIZE && bytes <= 10 * SIZE + 127); // as the public header says
    CU_ASSERT_EQUAL(mplat_segment_unlink(name, a.id), 0);
    CU_ASSERT_EQUAL_FATAL(create(name, bytes, 0, 0600, &b), 0);
    memcpy(b.base, a.base, bytes);
    mplat_segment_close(&a);
    CU_ASSERT_EQUAL(mplat_segment_open(name, 0, LAYOUT, 0, &a), MPROC_ETYPE);
    CU_ASSERT_EQUAL_FATAL(mplat_segment_open(name, 0, 0, 0, &a), 0);
    CU_ASSERT(a.size == bytes && a.note == NULL);
    mplat_segment_close(&a);
    CU_ASSERT_EQUAL(mplat_segment_unlink(name, b.id), 0);
    mplat_segment_close(&b);
#endif
}

#if HAS_NAMES_OF_THEIR_OWN
/** Who may use a segment, but does not own it. */
static int use_as_another(const char *name)
{
    mplat_segment segment = none;
    if (setgid(65534) < 0 || setuid(65534) < 0) {
        return NOT_HERE;
    }
    CHILD_CHECK(mplat_segment_open(name, 0, 0, 0, &segment) == 0);
    *(char *)segment.base = 'x';
    CHILD_CHECK(mplat_segment_unlink(name, segment.id) == MPROC_EACCES);
    CHILD_CHECK(mplat_segment_unlink(name, 0) == MPROC_EACCES);
    mplat_segment_close(&segment);
    mplat_segment_reap(name);
    CHILD_CHECK(is_there(name));
    return 0;
}
#endif

static void test_segment__is_its_owners_to_destroy(void)
{
#ifdef _WIN32
    testlib_skip("names go with the last handle on this system");
#else
    const char *name = own_name();
    for (uint32_t flags = 0; flags <= MPLAT_SEGMENT_AUTO; flags += MPLAT_SEGMENT_AUTO) {
        mplat_segment segment = none;
        int status = -1;
        CU_ASSERT_EQUAL_FATAL(create(name, SIZE, flags, 0666, &segment), 0);
        (void)fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            _exit(use_as_another(name));
        }
        CU_ASSERT(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
        if (WEXITSTATUS(status) == NOT_HERE) {
            testlib_skip("nobody else can be played here: not root");
        } else {
            CU_ASSERT(WEXITSTATUS(status) == 0 && *(char *)segment.base == 'x');
        }
        CU_ASSERT(is_there(name));
        CU_ASSERT_EQUAL(mplat_segment_unlink(name, segment.id), 0);
        mplat_segment_close(&segment);
    }
#endif
}

static void test_segment__needs_no_nameless_files(void)
{
    mplat_child child;
    child_found();
    CU_ASSERT_EQUAL_FATAL(child_start(MAKE_WITHOUT_NAMELESS_FILES, 1, &child), 0);
    int32_t code = child_join(&child);
    if (code == NOT_HERE) {
        testlib_skip("no seccomp filters to be had here");
    } else {
        CU_ASSERT_EQUAL(code, 0);
    }
    child_end();
}

/* ---- what others do in between --------------------------------------------------------------- */

#if defined(MPROC_KILLPOINTS) && HAS_NAMES_OF_THEIR_OWN
static const char *moment; /* when they do it; once */
static bool others_make_one;
static mplat_segment of_others;

/** The last user goes, and another segment gets the name, or none does. */
static void meddle(const char *point)
{
    if (moment != NULL && strcmp(point, moment) == 0) {
        moment = NULL;
        mplat_segment_leave(&of_others);
        mplat_segment_reap(own_name());
        mplat_segment_close(&of_others);
        CU_ASSERT_FALSE(is_there(own_name()));
        if (others_make_one) {
            CU_ASSERT_EQUAL(create(own_name(), 2 * SIZE, MPLAT_SEGMENT_AUTO, 0600, &of_others), 0);
        }
    }
}

static void expect_meddling(const char *point, bool make_one)
{
    of_others = none;
    CU_ASSERT_EQUAL_FATAL(create(own_name(), SIZE, MPLAT_SEGMENT_AUTO, 0600, &of_others), 0);
    moment = point;
    others_make_one = make_one;
}

/** The name is still theirs, or nobody's. */
static void end_meddling(bool is_theirs)
{
    CU_ASSERT_PTR_NULL(moment); // it has happened
    CU_ASSERT_EQUAL(is_there(own_name()), is_theirs);
    mplat_segment_leave(&of_others);
    mplat_segment_reap(own_name());
    mplat_segment_close(&of_others);
    CU_ASSERT_FALSE(is_there(own_name()));
}

static void test_segment__is_opened_as_it_is_in_the_end(void)
{
    static const char *const points[] = {"segment.opened", "segment.joining"};
    mproc__killpoint_fn = meddle;
    for (size_t i = 0; i < MPROC__COUNT(points); i++) {
        mplat_segment segment = none;
        expect_meddling(points[i], false);
        CU_ASSERT_EQUAL(mplat_segment_open(own_name(), 0, 0, 0, &segment), MPROC_ENOENT);
        end_meddling(false);
        expect_meddling(points[i], true);
        CU_ASSERT_EQUAL(mplat_segment_open(own_name(), 0, 0, 0, &segment), 0);
        CU_ASSERT(segment.size == 2 * SIZE && segment.id == of_others.id);
        mplat_segment_close(&segment);
        end_meddling(true);
    }
    mproc__killpoint_fn = NULL;
}

static int remover = -1; /* its lock says that there are no users */

/** Who is removing the name does it just now. */
static void remove_it(const char *point)
{
    if (remover >= 0 && strcmp(point, "segment.exists") == 0) {
        CU_ASSERT_EQUAL(mplat_segment_unlink(own_name(), 0), 0);
        CU_ASSERT_EQUAL(close(remover), 0);
        remover = -1;
    }
}

static void test_segment__is_made_when_another_one_has_gone(void)
{
    char path[128];
    struct flock lock = {.l_type = F_WRLCK, .l_start = (off_t)1 << 62, .l_len = 1};
    mplat_segment segment = none;
    CU_ASSERT_EQUAL_FATAL(create(own_name(), SIZE, MPLAT_SEGMENT_AUTO, 0600, &segment), 0);
    mplat_segment_close(&segment);
    (void)snprintf(path, sizeof(path), "/dev/shm/%s", own_name());
    remover = open(path, O_RDWR);
    CU_ASSERT_FATAL(remover >= 0 && fcntl(remover, F_OFD_SETLK, &lock) == 0);
    // It may have been stopped: then this comes to an end all the same.
    CU_ASSERT_EQUAL(create(own_name(), SIZE, 0, 0600, &segment), MPROC_EEXIST);
    CU_ASSERT_EQUAL(mplat_segment_open(own_name(), 0, 0, 0, &segment), MPROC_ENOENT);
    mproc__killpoint_fn = remove_it;
    CU_ASSERT_EQUAL_FATAL(create(own_name(), 2 * SIZE, 0, 0600, &segment), 0);
    mproc__killpoint_fn = NULL;
    CU_ASSERT(remover < 0 && segment.size == 2 * SIZE);
    CU_ASSERT_EQUAL(mplat_segment_unlink(own_name(), segment.id), 0);
    mplat_segment_close(&segment);
}

/** Its maker is gone, but another one has it, and makes it ready just now. */
static void make_it_ready(const char *point)
{
    if (moment != NULL && strcmp(point, moment) == 0) {
        uint64_t id = of_others.id;
        moment = NULL;
        CU_ASSERT_EQUAL_FATAL(mplat_segment_open(own_name(), 0, 0, id, &of_others), 0);
        publish(&of_others);
        mplat_segment_close(&of_others);
    }
}

static void test_segment__is_not_reaped_that_gets_ready(void)
{
    static const char *const points[] = {"segment.awaiting", "segment.reaping"};
    for (size_t i = 0; i < MPROC__COUNT(points); i++) {
        mplat_segment segment = none;
        CU_ASSERT_EQUAL_FATAL(mplat_segment_create(own_name(), &unready_plan, &of_others), 0);
        mplat_segment_close(&of_others);
        moment = points[i];
        mproc__killpoint_fn = make_it_ready;
        CU_ASSERT_EQUAL(mplat_segment_open(own_name(), 0, LAYOUT, 0, &segment), 0);
        CU_ASSERT_PTR_NULL(moment);
        mproc__killpoint_fn = NULL;
        CU_ASSERT_EQUAL(mplat_segment_unlink(own_name(), segment.id), 0);
        mplat_segment_close(&segment);
    }
}

static void test_segment__of_others_is_not_reaped(void)
{
    mplat_segment segment = none;
    mproc__killpoint_fn = meddle;
    expect_meddling("segment.reaping", true);
    mplat_segment_leave(&of_others);
    mplat_segment_reap(own_name());
    end_meddling(true);
    expect_meddling("segment.reaping", true);
    mplat_segment_leave(&of_others);
    CU_ASSERT_EQUAL(create(own_name(), 1, 0, 0600, &segment), MPROC_EEXIST);
    end_meddling(true);
    expect_meddling("segment.reaping", false);
    mplat_segment_leave(&of_others);
    CU_ASSERT_EQUAL(create(own_name(), 1, MPLAT_SEGMENT_AUTO, 0600, &segment), 0);
    CU_ASSERT(is_there(own_name()));
    mplat_segment_close(&segment);
    end_meddling(true);
    mproc__killpoint_fn = NULL;
}
#endif

static void test_segment__made_up_names_of_the_killed_go(void)
{
    mplat_child children[2];
    const char *name = NULL;
    child_found();
    for (unsigned i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(child_start(MAKE_AND_STAY, i + 1, &children[i]), 0);
        CU_ASSERT(child_wait_for(&shm->ready, i + 1));
    }
    CU_ASSERT_EQUAL(mplat_process_signal(&children[0].who, MPLAT_KILL), 0);
    (void)child_join(&children[0]);
    name = name_of(MPLAT_SEGMENT_PREFIX "test_", mplat_pid(), 1);
    CU_ASSERT_EQUAL(is_there(name), HAS_NAMES_OF_THEIR_OWN);
    CU_ASSERT_EQUAL_FATAL(child_start(MAKE_ANOTHER, 3, &children[0]), 0);
    CU_ASSERT_EQUAL(child_join(&children[0]), 0);
    CU_ASSERT_FALSE(is_there(name));
    name = name_of(MPLAT_SEGMENT_PREFIX "test_", mplat_pid(), 2);
    CU_ASSERT(is_there(name)); // its user lives
    CU_ASSERT_EQUAL(mplat_process_signal(&children[1].who, MPLAT_KILL), 0);
    (void)child_join(&children[1]);
    mplat_segment_reap(name);
    CU_ASSERT_FALSE(is_there(name));
    child_end();
}

static const testlib_case cases[] = {
    {"is_whole_and_zero", test_segment__is_whole_and_zero},
    {"goes_when_its_users_have_left", test_segment__goes_when_its_users_have_left},
    {"has_a_mode", test_segment__has_a_mode},
    {"beyond_a_limit_is_an_error", test_segment__beyond_a_limit_is_an_error},
    {"is_for_its_users_until_it_is_ready", test_segment__is_for_its_users_until_it_is_ready},
    {"copy_has_no_note", test_segment__copy_has_no_note},
    {"is_its_owners_to_destroy", test_segment__is_its_owners_to_destroy},
    {"needs_no_nameless_files", test_segment__needs_no_nameless_files},
    {"of_a_stranger_without_size", test_segment__of_a_stranger_without_size},
#if defined(MPROC_KILLPOINTS) && HAS_NAMES_OF_THEIR_OWN
    {"is_not_reaped_that_gets_ready", test_segment__is_not_reaped_that_gets_ready},
    {"is_made_when_another_one_has_gone", test_segment__is_made_when_another_one_has_gone},
    {"is_opened_as_it_is_in_the_end", test_segment__is_opened_as_it_is_in_the_end},
    {"of_others_is_not_reaped", test_segment__of_others_is_not_reaped},
#endif
    {"made_up_names_of_the_killed_go", test_segment__made_up_names_of_the_killed_go},
};

static const child_role roles[] = {
    [MAKE_AND_STAY] = make_and_stay,
    [MAKE_ANOTHER] = make_another,
    [MAKE_WITHOUT_NAMELESS_FILES] = make_without_nameless_files,
};

static void run_child(int argc, char **argv)
{
    child_run(argc, argv, roles, MPROC__COUNT(roles));
}

TESTLIB_MAIN_CHILD("platform.segment", cases, run_child)
