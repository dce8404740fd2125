/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform.h: the one interface between mproc's common code and a system.
 *
 * A third system is written from this header alone; posix/ and win32/ hold twin files. Rules: our
 * words, not a system's; int results as everywhere (0 or positive success, negative MPROC_E...),
 * with the story left by whoever detects the error; interrupted calls, short writes, inheritance of
 * handles and character sets end inside; nothing of the host is touched: no signal handler (but that of
 * interrupts while somebody catches them), no changed mask, no reaping of children that are not ours.
 *
 * tests/platform/ holds a test for each line of this contract, run on every system.
 */
#ifndef MPROC_PLATFORM_H
#define MPROC_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- system ---------------------------------------------------------------------------------- */

/** What the system is like; constant from mplat_init on. */
typedef struct mplat_facts {
    size_t page_bytes;      /**< what memory is committed in */
    uint64_t reserve_bytes; /**< address range worth reserving for an arena; a power of two */
    bool is_smp;            /**< spinning can pay: more than one processor */
} mplat_facts;

/** Prepare the process. Idempotent; called before anything else here. */
int mplat_init(void);

/** The system's facts. */
const mplat_facts *mplat_get_facts(void);

/** Monotonic time in nanoseconds; one clock for the whole family, never set. */
int64_t mplat_now(void);

/**
 * Name a system error and say which status it is.
 *
 * @param os_error  errno or GetLastError()
 * @param text      filled with the system's words, always terminated
 */
int mplat_error(int os_error, char *text, size_t size);

/** Processors this process may use, less what a cgroup or job takes away; at least 1. */
int mplat_cpu_count(void);

/**
 * Have `hook` called when the calling thread ends, however it returns; not when the process is
 * killed. Once per thread.
 */
int mplat_thread_at_exit(void (*hook)(void));

/** The calling thread's number, by which the system's tools know it. */
uint32_t mplat_thread_number(void);

/** A thread of the library's own; no signal is handled in it. */
typedef struct mplat_thread mplat_thread;

/** Start one that calls `fn`. 0, or what the system says. */
int mplat_thread_start(void (*fn)(void *arg), void *arg, mplat_thread **ret_thread);

/** Wait for its end, and free it. NULL is fine; in a copy made by fork() there is no such thread. */
void mplat_thread_join(mplat_thread *thread);

/**
 * What a copy of this process made by fork() must forget. Handles of children, and whatever else ties
 * processes together, the copy has lost already when it is told.
 */
typedef struct mplat_fork_hooks {
    void (*before)(void); /**< in the forking thread: take the private locks */
    void (*parent)(void); /**< release them */
    void (*child)(void);  /**< release them and forget who we were */
} mplat_fork_hooks;

/** Install them, once. Nothing to do where there is no fork. */
int mplat_at_fork(const mplat_fork_hooks *hooks);

/* ---- handles --------------------------------------------------------------------------------- */

/** A kernel object: a descriptor, or a HANDLE. Never inherited by accident. */
typedef struct mplat_handle {
    intptr_t os; /**< -1: none */
} mplat_handle;

#define MPLAT_NO_HANDLE ((mplat_handle){-1})

/** Close a handle; none is fine. */
void mplat_handle_close(mplat_handle handle);

/** Open a file (UTF-8 name) to be a child's standard stream; for writing it is created, truncated. */
int mplat_file_open(const char *path, bool for_writing, mplat_handle *ret_handle);

/** Make a sentinel that this process raises itself: once, for good. Closed as any handle. */
int mplat_signal_make(mplat_handle *ret_sentinel);
void mplat_signal_raise(mplat_handle sentinel);

/** The calling process's directory as UTF-8; MPROC_ETOOBIG when it does not fit. */
int mplat_directory(char *ret_path, size_t size);

/* ---- memory ---------------------------------------------------------------------------------- */

/** The family's bag as this process has it, see below; each system has its own use for these. */
typedef struct mplat_bag {
    mplat_handle in, out;
    uint64_t in_mark, out_mark; /**< by which they are known again */
} mplat_bag;

#define MPLAT_NO_BAG ((mplat_bag){MPLAT_NO_HANDLE, MPLAT_NO_HANDLE, 0, 0})

/** The family's shared mapping as this process has it. */
typedef struct mplat_arena {
    mplat_handle handle; /**< what a child attaches */
    char *base;
    uint64_t size; /**< reserved bytes, the same in every member */
    mplat_bag bag; /**< comes and goes with it */
} mplat_arena;

#define MPLAT_NO_ARENA ((mplat_arena){MPLAT_NO_HANDLE, NULL, 0, MPLAT_NO_BAG})

/**
 * Reserve an arena: nameless, shared, zero. Takes address space only.
 *
 * @param size  bytes; a power of two. When the address space is limited, less is reserved, down to
 *              min_size: ret_arena->size tells.
 * @return 0, MPROC_ENOMEM or MPROC_EMFILE
 */
int mplat_arena_create(uint64_t size, uint64_t min_size, mplat_arena *ret_arena);

/** Map the arena of `handle`, which becomes the arena's. It has no bag. */
int mplat_arena_attach(mplat_handle handle, uint64_t size, mplat_arena *ret_arena);

/**
 * Take memory for [offset, offset + size) from the system: afterwards every byte can be written by
 * every member, and none will meet a fault for want of memory. Idempotent. Page aligned.
 *
 * @return 0, or MPROC_ENOMEM; nothing is lost then
 */
int mplat_arena_commit(const mplat_arena *arena, uint64_t offset, uint64_t size);

/** Give the memory of [offset, offset + size) back. Commit before next use; it is zero then. */
void mplat_arena_discard(const mplat_arena *arena, uint64_t offset, uint64_t size);

/** Unmap. No thread of the process may use the arena any more. */
void mplat_arena_detach(mplat_arena *arena);

/* ---- segments: memory by name, for strangers too --------------------------------------------- */

#define MPLAT_SEGMENT_NAME 256 /* bytes of a name with its NUL */

/** Names that start so are made up by mproc, see mplat_segment_create. */
#define MPLAT_SEGMENT_PREFIX "mproc_"

#define MPLAT_SEGMENT_READ_ONLY 1u
#define MPLAT_SEGMENT_AUTO 2u /* the name goes with its last user, however that one goes */
#define MPLAT_SEGMENT_HUGE 4u /* a hint: huge pages, if the system gives them for the asking */

/** What users of mproc tell each other of a segment; strangers know nothing of it. */
typedef struct mplat_segment_note {
    uint64_t mark;     /**< the system's own: a stranger's bytes are no note by chance */
    uint64_t id;       /**< the segment's */
    uint64_t size;     /**< atomic; only grows, when the memory is there */
    uint64_t max_size; /**< constant, as all others */
    uint64_t layout;
    uint32_t is_ready; /**< atomic; set once, by a user; until then the segment is automatic */
    uint32_t unused[5];
} mplat_segment_note;

/** A segment as this process has it. */
typedef struct mplat_segment {
    void *base;    /**< NULL: none */
    uint64_t size; /**< bytes; with a note its max_size, and the note has the size. Exact, but for
                        strangers' segments on Windows: whole pages */
    mplat_segment_note *note; /**< NULL: it has a fixed size, and is ready */
    uint64_t id;              /**< tells it from others that have had its name; 0: unknown */
    uint32_t flags;           /**< MPLAT_SEGMENT_...; AUTO also of one that was not ready */
    mplat_handle user;        /**< what makes this process a user in the eyes of others, or none */
    mplat_handle more;
} mplat_segment;

/** What a new segment is to be. */
typedef struct mplat_segment_plan {
    uint64_t size;     /**< at least 1 */
    uint64_t max_size; /**< how far it can grow; 0: not at all */
    uint64_t layout;   /**< not 0: it is not ready yet, and known by this number */
    uint32_t flags;    /**< MPLAT_SEGMENT_AUTO, _HUGE */
    uint32_t mode;     /**< permission bits, where the system has such */
} mplat_segment_plan;

/**
 * Create a segment of zeroes. Who opens it finds all of it or nothing, and every byte of it can be
 * written without a fault for want of memory. The name has no slash, is not empty, "." or "..".
 *
 * @return 0, MPROC_EEXIST (a segment of that name is in use, or is not automatic), MPROC_EINVAL (no
 *         name for this system), MPROC_ENOSPC, MPROC_ENOMEM, MPROC_EACCES, MPROC_EMFILE
 */
int mplat_segment_create(const char *name, const mplat_segment_plan *plan,
                         mplat_segment *ret_segment);

/**
 * Open a segment, a stranger's too.
 *
 * @param flags   MPLAT_SEGMENT_READ_ONLY, _HUGE
 * @param layout  0: whichever
 * @param id      0: whichever has the name, but not an automatic one without users: that is removed.
 *                Else this one only, with or without users, ready or not.
 * @return 0, MPROC_ENOENT, MPROC_EACCES, MPROC_ESTATE (it has no size yet, or is not ready yet and
 *         has users), MPROC_ETYPE (it has another layout, or none), MPROC_ENOMEM
 */
int mplat_segment_open(const char *name, uint32_t flags, uint64_t layout, uint64_t id,
                       mplat_segment *ret_segment);

/**
 * Have at least `size` bytes, which is not beyond its max_size. New ones are zero, and take memory
 * before anybody is told of them; killed inside, a process leaves the size as it was.
 *
 * @return 0, MPROC_ENOSPC or MPROC_ENOMEM (nothing has changed), MPROC_EMFILE
 */
int mplat_segment_grow(const char *name, mplat_segment *segment, uint64_t size);

/** Unmap, and stop being a user; the memory itself may live on until mplat_segment_close. */
void mplat_segment_leave(mplat_segment *segment);

/** Leave, and let go of all else. None is fine, and one that was left. */
void mplat_segment_close(mplat_segment *segment);

/** Take the name away from segment `id`. 0, MPROC_ENOENT or MPROC_EACCES; 0 where names go alone. */
int mplat_segment_unlink(const char *name, uint64_t id);

/** Take the name away if it is an automatic segment's that has no users. */
void mplat_segment_reap(const char *name);

/* ---- locks by name, for strangers too -------------------------------------------------------- */

/** A lock with a name as this process has it. */
typedef struct mplat_named_lock {
    uint64_t id;           /**< not 0; tells it from others that have had its name */
    mplat_segment segment; /**< what it lies in, and none ... */
    mplat_handle object;   /**< ... or it is the system's own, or none */
} mplat_named_lock;

/**
 * Open a lock, or make it: nobody holds it then, and nobody sees it before it is whole. The name, as of a
 * segment, goes with its last user, however that one goes, and is free at once.
 *
 * @param mode  as a plan's. Without bits for others, another user's lock is refused.
 * @param id    0: whichever has the name, or a new one. Else this one only, with or without users.
 * @return 0, MPROC_ENOENT (that one is gone), MPROC_ETYPE (what has the name is no such lock),
 *         MPROC_EACCES, MPROC_ENOTSUP (its users' deaths cannot be told here), MPROC_EINVAL,
 *         MPROC_ENOSPC, MPROC_ENOMEM, MPROC_EMFILE
 */
int mplat_named_lock_open(const char *name, uint32_t mode, uint64_t id, mplat_named_lock *ret_lock);

/**
 * Acquire it for the calling thread, which does not hold it.
 *
 * @param deadline  mplat_now's clock; INT64_MAX: none
 * @return 0; 1: so, and its last holder died or ended without releasing it; MPROC_ETIMEDOUT;
 *         MPROC_ECORRUPT
 */
int mplat_named_lock_acquire(mplat_named_lock *lock, int64_t deadline);

/** Release it; by the thread that holds it. 0, MPROC_ESTATE when that is another one. */
int mplat_named_lock_release(mplat_named_lock *lock);

/** Stop being a user. No thread of this process holds it by this handle, or ever will. None is fine. */
void mplat_named_lock_close(mplat_named_lock *lock);

/* ---- life of a participant ------------------------------------------------------------------- */

/**
 * A token in the arena that a thread holds from its registration to its end, and that the system
 * takes from it when it dies. Its content belongs to the system's own code.
 */
typedef struct mplat_life {
    uint64_t opaque[6];
} mplat_life;

/** Format `count` tokens, `stride` bytes apart, in new memory: nobody holds them. */
void mplat_life_format(mplat_life *first, size_t count, size_t stride);

/**
 * Take a token if nobody living holds it. Never guesses: a holder is dead when the kernel says so.
 *
 * @return 0             taken, it was free
 * @return 1             taken; its last holder died with it. The caller's own death before
 *                       mplat_life_release makes it "died" again, so that recovery is repeated.
 * @return MPROC_ESTATE  a living thread holds it, maybe the calling one
 */
int mplat_life_claim(mplat_life *life);

/**
 * The first token at or after `from` whose last holder died with it, and which nobody has claimed
 * since; `count` if there is none. Cheap: it looks, and takes nothing.
 */
size_t mplat_life_next_dead(const mplat_life *first, size_t count, size_t stride, size_t from);

/** Give a token back; by the thread that claimed it only. */
void mplat_life_release(mplat_life *life);

/* ---- wait and wake --------------------------------------------------------------------------- */

/** A place in the arena where one living thread at a time sleeps, for systems whose kernel has no shared wait. */
typedef struct mplat_parker {
    uint64_t opaque[4];
} mplat_parker;

/** The family's parkers: `*count` of them, `stride` bytes apart; count only grows. */
typedef struct mplat_parking {
    mplat_parker *first;
    size_t stride;
    const uint32_t *count; /**< in the arena, atomic */
} mplat_parking;

/** Say where the parkers are; once per process, before anybody waits. */
void mplat_wait_setup(const mplat_parking *parking);

/** Make a parker the calling thread's, or give it up again. */
int mplat_parker_claim(mplat_parker *parker);
void mplat_parker_release(mplat_parker *parker);

/**
 * Sleep while *word == expected, until `deadline` (mplat_now's clock; INT64_MAX: none), or until the
 * holder of `owner` or of `other` dies where the system can tell; both may be NULL.
 *
 * `word` lies in the arena; waiter and waker may be different processes. It may return early for no
 * reason, callers loop. A wake that follows the waker's store is never lost; a wake given to a
 * process that is then killed is.
 *
 * @return 0, or MPROC_ETIMEDOUT
 */
int mplat_wait(uint32_t *word, uint32_t expected, int64_t deadline, mplat_life *owner,
               mplat_life *other);

/**
 * Wake up to n sleepers of a word; INT32_MAX: all. How many it were: those of less than n were all.
 */
int mplat_wake(uint32_t *word, int n);

/* ---- waiting for handles --------------------------------------------------------------------- */

/**
 * Wait until at least one of `count` handles is ready; any number of them. Those of other makers too:
 * a descriptor is when something can be read, its other side is gone, or it is in error; a HANDLE when it
 * is signalled, and then it is taken.
 *
 * @param ready  set for those that are; who is already is not looked at again where a look takes
 * @return how many, 0 (time is up), MPROC_EINVAL (one is not open) or MPROC_ENOMEM
 */
int mplat_handles_wait(const mplat_handle *handles, size_t count, int64_t deadline, bool *ready);

/**
 * Wait until one of `count` sentinels has fired; any number of them.
 *
 * @return 0 and the place of one, MPROC_ETIMEDOUT, or MPROC_ENOMEM
 */
int mplat_sentinel_wait(const mplat_handle *sentinels, size_t count, int64_t deadline,
                        size_t *ret_index);

/** Somebody who looks after handles while the caller sleeps on something else. */
typedef struct mplat_lookout mplat_lookout;

/**
 * Begin: in another thread, call `fn` once when one of the handles is ready. No signal is handled in
 * that thread, and a copy of the process made by fork does not have it.
 *
 * @param handles  not empty; they stay open until the end
 * @return 0, or what the system says
 */
int mplat_lookout_begin(const mplat_handle *handles, size_t count, void (*fn)(void *arg), void *arg,
                        mplat_lookout **ret_lookout);

/** Whether `fn` is about to be called, or has been. */
bool mplat_lookout_is_over(const mplat_lookout *lookout);

/**
 * End it: `fn` is not called any more, and the thread is gone. NULL is fine.
 *
 * @param ready  as mplat_handles_wait: set for those that the lookout has taken
 */
void mplat_lookout_end(mplat_lookout *lookout, bool *ready);

/* ---- processes ------------------------------------------------------------------------------- */

/** A process, safely against reuse of its number. */
typedef struct mplat_identity {
    int64_t pid;
    uint64_t birth; /**< unique among processes with this pid; 0: unknown */
} mplat_identity;

/** The calling process's identity. */
mplat_identity mplat_self(void);

/** Its pid alone, which costs next to nothing. */
int64_t mplat_pid(void);

/**
 * Whether a process, all its threads, is gone. Never guesses: what cannot be found out is alive.
 *
 * @return true when it is alive
 */
bool mplat_process_alive(const mplat_identity *who);

enum mplat_signal { MPLAT_INTERRUPT, MPLAT_TERMINATE, MPLAT_KILL };

/** Send a request to a process. 0, also when it is gone; MPROC_ENOTSUP, MPROC_EACCES. */
int mplat_process_signal(const mplat_identity *who, enum mplat_signal what);

/** Kill a process with all its descendants that can be found. */
int mplat_process_kill_tree(const mplat_identity *who);

/** What a new process is told before anything else. */
typedef struct mplat_boot {
    uint64_t arena_size;
    uint64_t member;  /**< whom the family takes it for */
    uint64_t purpose; /**< common code's own */
} mplat_boot;

/** A child of this process. */
typedef struct mplat_child {
    mplat_identity who;
    mplat_handle sentinel; /**< readable or signalled when all its threads are gone */
    mplat_handle tree; /**< what holds its descendants together, if the system has such; or none */
} mplat_child;

/** What a start needs to know beside mplat_boot. */
typedef struct mplat_start {
    const char *program;   /**< file to execute; NULL: this program */
    mplat_handle stdio[3]; /**< the child's standard streams; none: stdin the null device, this
                                 process's own for the others */
    const mplat_arena *arena;
    const mplat_handle
        *extra; /**< POSIX: one more descriptor for it, which the boot hands out again;
                                    NULL or none */
    mplat_boot boot;
} mplat_start;

/**
 * Start a fresh copy of the program. It gets its standard streams, arena, bag, and nothing else; its
 * signal mask is empty and its dispositions are the default ones. It is killed by the system when
 * this process ends, however that comes about.
 *
 * @return 0, MPROC_ENOEXEC, MPROC_ENPROC, MPROC_EMFILE, MPROC_ENOMEM
 */
int mplat_process_spawn(const mplat_start *start, mplat_child *ret_child);

/**
 * Copy the calling process, its one thread. The child has empty signal mask, the standard streams of
 * `start`, and is killed when this process ends.
 *
 * @param ret_child  in the parent: the child; in the child: the parent
 * @return 0 in the parent, 1 in the child, or as mplat_process_spawn; MPROC_ENOTSUP
 */
int mplat_process_fork(const mplat_start *start, mplat_child *ret_child);

/** Whether other threads run in this process but the library's own: a copy of it would hold their locks for ever. */
bool mplat_has_threads(void);

/**
 * First thing in main: was this process started by mplat_process_spawn?
 *
 * @param ret_boot   what it was told
 * @param ret_arena  attached
 * @param ret_parent sentinel of the process that started it, with its pid
 * @param ret_extra  the extra descriptor, or none
 * @return 1 if so; 0 if not: then nothing has happened; negative if it was, and cannot go on
 */
int mplat_boot_take(int argc, char **argv, mplat_boot *ret_boot, mplat_arena *ret_arena,
                    mplat_child *ret_parent, mplat_handle *ret_extra);

/** How a process ended. */
typedef struct mplat_exit {
    int32_t code;   /**< Python's convention: N, or -signal */
    uint32_t flags; /**< MPLAT_EXIT_... */
    int64_t user_ns;
    int64_t system_ns;
    int64_t max_rss_bytes;
} mplat_exit;

#define MPLAT_EXIT_CORE 1u /* left a core dump */
#define MPLAT_EXIT_OOM 2u  /* killed for want of memory */

/**
 * Collect the status of a child whose sentinel has fired, and let the system forget the process.
 *
 * @return 0, or MPROC_EUNKNOWN: somebody else has collected it
 */
int mplat_process_reap(const mplat_child *child, mplat_exit *ret_exit);

/** The signal that an exit code stands for, 0 if none; always 0 where there are no signals. */
int mplat_signal_of(int32_t code);

/** What a new process changes about itself before it runs anything. Zero: nothing. */
typedef struct mplat_setup {
    const char *name;      /**< for the system's process listings */
    const char *directory; /**< UTF-8 */
    const char *const *env;
    size_t n_env;
    const int *cpus;
    size_t n_cpus;
    int nice;
    bool set_umask, set_user;
    uint32_t umask, user, group;
} mplat_setup;

/** Make the calling process so. */
int mplat_process_setup(const mplat_setup *setup);

/** Whether mplat_process_setup can do that on this system; else MPROC_ENOTSUP. */
int mplat_process_setup_check(const mplat_setup *setup);

/**
 * Have the calling thread run on these processors only, of those that its process may use: the others keep theirs, but
 * for threads and processes that this one makes afterwards.
 *
 * @return 0, MPROC_EINVAL (none, or no such processor), MPROC_ENOTSUP (one of a kind that cannot be chosen)
 */
int mplat_thread_pin(const int *cpus, size_t count);

/**
 * The numbers of the processors that the calling thread may run on, in ascending order, as mplat_setup and
 * mplat_thread_pin take them; limits of time, see mplat_cpu_count, do not count.
 *
 * @param ret_cpus  room for `capacity` of them; of more the first ones are listed
 * @return how many there are; 0 if the system does not tell
 */
size_t mplat_cpu_list(int *ret_cpus, size_t capacity);

/**
 * How much of the machine's memory this process takes for itself now, in bytes; what it shares with others, as
 * the arena, does not count. Some microseconds. 0: unknown.
 */
int64_t mplat_memory_now(void);

/** The most that was resident since the program began, shared memory included: as mplat_exit tells it. 0: unknown. */
int64_t mplat_memory_peak(void);

/**
 * In a copy of a process: have `hook` called with the code when somebody calls exit(), before
 * anything that was registered in the original. The hook ends the process by mplat_process_leave.
 */
void mplat_copy_at_exit(void (*hook)(int code));

/** Flush the standard streams and end this process without running what exit() would. */
void mplat_process_leave(int code);

/* ---- the terminal ---------------------------------------------------------------------------- */

/**
 * How many columns the terminal has that a standard stream leads to.
 *
 * @param stream  1: the output, 2: errors
 * @return 0: it leads elsewhere
 */
int mplat_terminal_columns(int stream);

/**
 * Write to a standard stream, at once: what others write comes before or behind it if it is short enough (4 KiB to a
 * pipe). What cannot be written is lost. Leaves errno, the system's last error and mproc_last_error alone.
 */
void mplat_terminal_write(int stream, const char *text, size_t size);

/** Have this process not heed Ctrl-C, for good: neither end nor say anything. For workers, whose owner decides. */
void mplat_interrupt_ignore(void);

/** Somebody who is told of the first Ctrl-C; in the caller's memory until it is released. */
typedef struct mplat_interrupt {
    /**
     * Called once at most, in whichever thread the system chooses, while others may be doing anything: it does what a
     * signal handler may, and neither catches nor releases.
     */
    void (*fn)(void *arg);
    void *arg;
    struct mplat_interrupt *next; /**< the system's own, as the next one */
    bool is_told;
} mplat_interrupt;

/**
 * Catch Ctrl-C (SIGINT, CTRL_C_EVENT). The first one calls fn in place of what the program would have done: end, or
 * run its handler; of all who catch at that time. One that finds nobody who has not been told does what it would have
 * done without us. A process that ignores Ctrl-C goes on ignoring it. Copies of this process catch nothing.
 *
 * @return 0, or MPROC_ESYSTEM
 */
int mplat_interrupt_catch(mplat_interrupt *who);

/**
 * Catch it no more: fn is not running when this returns. With the last one, what there was before is there again,
 * unless the program has put something else in its place meanwhile.
 */
void mplat_interrupt_release(mplat_interrupt *who);

/* ---- the bag: kernel objects that are kept for the family ------------------------------------ */

/*
 * What is in the bag needs no process that has it open. It is there for as long as the family's first
 * process lives, or any other one where that is the system's way. Of the calls, but for
 * mplat_bag_drop, only one is under way in all of the family at any moment: its lock is the caller's.
 */

/** What is in the bag, as its owner in the arena knows it. */
typedef struct mplat_bagged {
    uint64_t serial;    /**< the owner's: never given twice; 0: nothing is in the bag */
    uint64_t owner;     /**< the owner's: where the serial can be looked up */
    uint64_t opaque[3]; /**< the system's own; zero before it is put */
} mplat_bagged;

/** Whether somebody wants what is in the bag under that serial. Asks no more than that of anybody. */
typedef bool (*mplat_bag_wanted_fn)(uint64_t owner, uint64_t serial);

/**
 * Put a copy of a kernel object into the bag.
 *
 * @param bag     MPLAT_NO_BAG from then on, if it is found to have been closed
 * @param entry   in the arena, with serial and owner; killed inside, a process leaves it as it was, or
 *                with the object in the bag
 * @param keeper  the family's first process
 * @param native  the descriptor, HANDLE or SOCKET; stays the caller's
 * @return 0; MPROC_EINVAL (it is none, or cannot be passed), MPROC_ENOSPC (the bag is full), MPROC_EMFILE,
 *         MPROC_ENOTSUP (there is no bag, or this process has closed it)
 */
int mplat_bag_put(mplat_bag *bag, mplat_bagged *entry, const mplat_identity *keeper,
                  intptr_t native);

/**
 * Have what is in the bag: a descriptor or handle of the caller's own. It stays in the bag.
 *
 * @param is_private  copies of this process do not keep it
 * @return 0; MPROC_EMFILE (this process can have no more: it can be tried again), MPROC_EPEER (who kept
 *         it is gone), MPROC_ENOTSUP as above, MPROC_ECORRUPT (it is not there)
 */
int mplat_bag_get(mplat_bag *bag, const mplat_bagged *entry, bool is_private, intptr_t *ret_native);

/**
 * Take out what an entry says, as its last use, if the bag can be reached into everywhere. Can be done
 * again; killed inside, a process leaves it in the bag or not.
 *
 * @return whether it is done; otherwise it lies there until mplat_bag_sweep
 */
bool mplat_bag_drop(mplat_bagged *entry);

/**
 * Take out what nobody wants any more. Leaves mproc_last_error and errno alone.
 *
 * @param n  so many there are of these at most, and the search may end when they are found
 * @return 0, MPROC_EMFILE (some may be left, for want of descriptors), MPROC_ENOTSUP as above
 */
int mplat_bag_sweep(mplat_bag *bag, uint64_t n, mplat_bag_wanted_fn is_wanted);

/** After a process died in one of these: take out what is in the bag twice. 0, or MPROC_ENOTSUP. */
int mplat_bag_mend(mplat_bag *bag);

/* ---- doorbells: what the system can wait for in the name of something in the arena ------------ */

/**
 * Make a pair of ends: each is readable, in the words of the system's own calls, when the other one has been rung
 * or when nobody has that any more, in a process or in the bag. Any process can have copies of an end, which is
 * no stranger's to connect to; those made by fork keep it.
 *
 * @return 0, MPROC_EMFILE, MPROC_ENOMEM or what the system says
 */
int mplat_doorbell_make(mplat_handle ret_ends[2]);

/**
 * Make the other end readable; again is no harm. Never waits.
 *
 * @return 0; MPROC_EPEER (nobody has the other end); MPROC_ENOMEM: then it is not readable
 */
int mplat_doorbell_ring(mplat_handle end);

/**
 * Make this end unreadable, as far as it was rung; by one thread of all that have it at a time. What is rung
 * just now may be heard afterwards. Never waits.
 *
 * @return 0; MPROC_ECLOSED (nobody has the other end: it stays readable)
 */
int mplat_doorbell_hush(mplat_handle end);

/** Close an end; none is fine. */
void mplat_doorbell_close(mplat_handle end);

/* ---- secrets --------------------------------------------------------------------------------- */

/** What CPython's multiprocessing.connection authenticates with. */
enum mplat_digest { MPLAT_MD5, MPLAT_SHA256, MPLAT_SHA384, MPLAT_SHA3_256, MPLAT_SHA3_384 };

/** A keyed hash. */
typedef struct mplat_mac {
    unsigned char bytes[48]; /**< as many as the longest one has */
    size_t size;
} mplat_mac;

/**
 * The keyed hash (HMAC) of a message.
 *
 * @return 0; MPROC_ENOTSUP: this system has no such digest, or is not allowed to use it
 */
int mplat_hmac(enum mplat_digest digest, const void *key, size_t key_size, const void *message,
               size_t size, mplat_mac *ret_mac);

/** Bytes that nobody can foresee. 0, or MPROC_ESYSTEM: then there are none. */
int mplat_random(void *ret_bytes, size_t size);

/** Whether two secrets are equal, in a time that says nothing about where they differ. */
bool mplat_secret_equal(const void *a, const void *b, size_t size);

/** Overwrite a secret; no compiler takes that for superfluous. */
void mplat_secret_clear(void *secret, size_t size);

/* ---- streams to strangers -------------------------------------------------------------------- */

/** How strangers meet. */
enum mplat_family {
    MPLAT_FAMILY_UNIX, /**< a path, or with '@' in front an abstract name */
    MPLAT_FAMILY_PIPE, /**< a named pipe of Windows */
    MPLAT_FAMILY_TCP,
};

/** Where. */
typedef struct mplat_address {
    enum mplat_family family;
    char name[256]; /**< path, name without \\.\pipe\, or host */
    uint16_t port;  /**< of TCP; 0 for a listener: any free one */
} mplat_address;

/** Who. */
typedef struct mplat_peer {
    int64_t pid;         /**< 0: unknown, on another machine */
    int64_t user, group; /**< -1: unknown, or the system has no such numbers */
} mplat_peer;

/**
 * A connection, or what listens for them; this process's alone, and not its copies'. One thread reads at
 * a time, and one writes; others may interrupt.
 */
typedef struct mplat_stream mplat_stream;

/** Make up an address of the system's own kind that nobody can foresee. */
int mplat_address_choose(mplat_address *ret_address);

/**
 * Listen. A name that is left over from a dead owner is taken over.
 *
 * @param is_public    let other users of the system connect, too; TCP is public always
 * @param ret_address  where: with the port that was chosen
 * @return 0, MPROC_EEXIST (somebody listens there), MPROC_ETOOBIG (the name is too long for the system),
 *         MPROC_ENOTSUP (no such family here), MPROC_EACCES, MPROC_ENOENT, MPROC_EMFILE, MPROC_ENOMEM
 */
int mplat_listen(const mplat_address *address, int backlog, bool is_public,
                 mplat_stream **ret_listener, mplat_address *ret_address);

/**
 * Take the next one that has connected. Never waits.
 *
 * @return 0; MPROC_ETIMEDOUT (nobody); MPROC_EACCES (it was of another user, and has been turned away);
 *         MPROC_EMFILE, MPROC_ENOMEM (whoever it is still waits)
 */
int mplat_accept(mplat_stream *listener, mplat_stream **ret_stream);

/**
 * Connect.
 *
 * @return 0, MPROC_ENOENT (nobody listens there), MPROC_ETIMEDOUT, MPROC_EACCES, MPROC_ETOOBIG,
 *         MPROC_ENOTSUP, MPROC_EMFILE, MPROC_ENOMEM, MPROC_ESYSTEM
 */
int mplat_connect(const mplat_address *address, int64_t deadline, mplat_stream **ret_stream);

/** Whether the system keeps messages apart: then one write makes one message. */
bool mplat_stream_has_messages(const mplat_stream *stream);

/**
 * Take what has come, up to `size` bytes. Never waits.
 *
 * @param ret_size    how many; 0 only for an empty message
 * @param ret_is_end  of a stream that has messages: whether one ends here
 * @return 0; MPROC_ETIMEDOUT (nothing has come); MPROC_ECLOSED (nothing more comes); MPROC_EPEER (the
 *         connection broke)
 */
int mplat_stream_read(mplat_stream *stream, void *data, size_t size, size_t *ret_size,
                      bool *ret_is_end);

/** A piece of what is to be written. */
typedef struct mplat_piece {
    const void *data;
    size_t size;
} mplat_piece;

#define MPLAT_PIECES 2

/**
 * Write all of `count` pieces, one behind the other; of a stream that has messages: one.
 *
 * @param ret_written  how many bytes are on their way; also after a failure
 * @return 0; MPROC_ETIMEDOUT; MPROC_EPEER (nobody reads any more); MPROC_ECLOSED (interrupted)
 */
int mplat_stream_write(mplat_stream *stream, const mplat_piece *pieces, size_t count,
                       int64_t deadline, size_t *ret_written);

/**
 * Wait until one of the streams has something to read or somebody to accept, or has ended; or the
 * sentinel has fired.
 *
 * @param ret_ready  for each stream, whether it is worth a try; may be so for no reason
 * @param sentinel   may be none
 * @return 0, MPROC_ETIMEDOUT or MPROC_ENOMEM
 */
int mplat_stream_wait(mplat_stream *const *streams, bool *ret_ready, size_t count,
                      mplat_handle sentinel, int64_t deadline);

/** End a connection in both directions: who waits in one of these calls returns, and who calls later. */
void mplat_stream_interrupt(mplat_stream *stream);

/** Whose process is at the other end; what cannot be found out is unknown. */
void mplat_stream_peer(const mplat_stream *stream, mplat_peer *ret_peer);

/**
 * What the system's own calls can wait for: after mplat_stream_read has found nothing, it tells when there
 * is something. Stays the stream's.
 */
mplat_handle mplat_stream_handle(const mplat_stream *stream);

/** What there is of a connection but for the system's end of it; between processes. */
typedef struct mplat_stream_rest {
    uint32_t family; /**< enum mplat_family */
    uint32_t flags;  /**< the system's own, as the next one */
    int32_t ended;
    uint32_t size; /**< how many bytes have been read ahead */
} mplat_stream_rest;

#define MPLAT_STREAM_AHEAD 16384 /**< no more than so many */

/**
 * Have nothing under way any more that reads, so that another process can go on with the connection. This
 * one can, too, if it does not.
 *
 * @param ret_data  what has been read ahead; the stream's, until it is read from or closed
 * @return the system's end of it, the stream's
 */
intptr_t mplat_stream_rest_of(mplat_stream *stream, mplat_stream_rest *ret_rest,
                              const void **ret_data);

/**
 * Go on with a connection in this process.
 *
 * @param native  the system's end, private; the stream's from here on, also on failure
 * @return 0; MPROC_ENOMEM; MPROC_ECORRUPT (this is no rest)
 */
int mplat_stream_adopt(intptr_t native, const mplat_stream_rest *rest, const void *data,
                       mplat_stream **ret_stream);

/** Close; the name of a listener goes with it. NULL is fine. */
void mplat_stream_close(mplat_stream *stream);

/* ---- code ------------------------------------------------------------------------------------ */

#define MPLAT_BUILD_BYTES 32

/** A loaded program or library. */
typedef struct mplat_module {
    const char *base;
    unsigned char build[MPLAT_BUILD_BYTES]; /**< the same for the same file only; zero padded */
    bool is_program;
    char path[1024]; /**< UTF-8; for libraries, where it was loaded from */
} mplat_module;

/** The module an address lies in; MPROC_ENOENT for data on stack or heap. */
int mplat_module_of(const void *address, mplat_module *ret_module);

/**
 * Find a module in this process and load it from `path` if it is not there.
 *
 * @param wanted    build, is_program and path count
 * @param ret_base  where it is here
 * @return 0, MPROC_EBUILD (here it is another build) or MPROC_ENOENT (cannot be loaded)
 */
int mplat_module_find(const mplat_module *wanted, const char **ret_base);

/**
 * Where the calls under way in the calling thread will return to, the innermost first; the first one
 * or two lie in this function and its caller. How many; 0 where the system cannot tell.
 */
size_t mplat_stack(const void **ret_addresses, size_t capacity);

/**
 * Say where in the code the call is that returns to `address`: the file, and the distance from its base
 * that tools which read its debugging information want ("prog+0x12f3"), then the function if it is
 * known. Always terminated.
 */
void mplat_code_text(const void *address, char *text, size_t size);

#endif
