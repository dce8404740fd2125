/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.h: a process's handle, and the list of this process's children.
 */
#ifndef MPROC_OBJECT_PROCESS_H
#define MPROC_OBJECT_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "family/member.h"
#include "mproc/process.h"
#include "object/start.h"

enum mproc__process_role { MPROC__ROLE_CHILD = 0, MPROC__ROLE_SELF, MPROC__ROLE_PARENT };

struct mproc_process {
    enum mproc__process_role role;
    mproc__member_id member;
    char name[128];
    bool is_daemon;
    const mproc_context *context;
    mplat_child child;

    /* Children only; guarded by the private lock. */
    uint32_t users;         /* calls under way, and one for the handle itself */
    uint32_t is_collecting; /* by CAS: one thread at a time asks how it ended */
    bool has_ended;
    bool is_foreign;  /* started by the process that this one is a copy of */
    bool was_reached; /* its function */
    bool is_known;    /* the report below is right */
    char story[192];  /* why it did not reach its function */
    mproc_exit_report report;
    struct mproc__local *local; /* not NULL: it runs in this process */
    uint64_t serial;            /* in the order of their starts */
    struct mproc_process *next; /* in the list of children */
};

/** Who this process is, for mproc_current_process; called once in each new process. */
void mproc__process_set_self(const char *name, const char *identity, bool is_daemon);

/** Who started this process, for mproc_parent_process. */
void mproc__process_set_parent(mproc__member_id member, const mplat_child *child);

/** The same in a copy, whose parent is who this process was a moment ago. */
void mproc__process_set_parent_of_copy(const mplat_child *child);

/** The default name of the next child, and the identity that goes with it. */
void mproc__process_next_name(char *ret_name, size_t name_size, char *ret_identity,
                              size_t identity_size);

/** Put a child into the list, or take it out; not under the private lock. */
void mproc__children_add(mproc_process *process);
void mproc__children_remove(mproc_process *process);

/** Have this process wait for its children when it exits. */
void mproc__children_watch_exit(void);

/** Have `fn` called before this process's children are ended. One, and under the private lock. */
void mproc__on_shutdown(void (*fn)(void));

/** Give up a call's use of a handle, or the handle's own; the last one frees it. */
void mproc__process_release(mproc_process *process);

/** The sentinel of a process that this one may wait for, until mproc__process_return; else MPROC_ESTATE. */
int mproc__process_borrow(mproc_process *process, mplat_handle *ret_sentinel);
void mproc__process_return(mproc_process *process);

/** Find out how a child ended whose sentinel may have fired. 0, MPROC_ETIMEDOUT, other. */
int mproc__process_await(mproc_process *process, mproc_timeout timeout);

/* child.c: */

/** The exit code that a function's result stands for; says so on stderr if that is an error. */
int mproc__exit_code(int result);

/** Run the function of this process's start block: a target, or a fork server's preload. Its code. */
int mproc__child_run(const mplat_child *parent, bool is_server);

/** atexit's, in a fresh process: it ends of its own accord. */
void mproc__child_note_exit(void);

/** End a process that was started by mproc: its children first. */
MPROC__NORETURN void mproc__child_end(int code, bool is_copy);

/**
 * In a copy of the process that started it: become the member made for it, and run. Never returns.
 * The copy has the function, its arguments and the handles among them where the original has them:
 * nothing needs to be packed, and next to nothing of the arena is touched on the way.
 */
MPROC__NORETURN void mproc__child_copy(const mproc__launch *launch, const mplat_child *parent);

/** In a copy that is a member already: run, and end. Never returns. */
MPROC__NORETURN void mproc__child_go(const mplat_child *parent);

#endif
