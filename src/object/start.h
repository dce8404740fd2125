/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start.h: start methods, and what travels to a new process.
 *
 * Why       Methods are the user's choice at run time, so they are a table of operations.
 * Layout    What a child needs lies in one block of the arena, its start block: struct
 *           mproc__start_shm, then the strings and the arguments it points to. The child's ledger
 *           holds it from before the child exists, so nobody loses it, whoever dies.
 */
#ifndef MPROC_OBJECT_START_H
#define MPROC_OBJECT_START_H

#include <stdbool.h>
#include <stdint.h>

#include "family/block.h"
#include "family/entry.h"
#include "family/member.h"
#include "mproc/process.h"
#include "platform.h"

/** mplat_boot.purpose: what a fresh copy of the program is for. */
enum mproc__purpose {
    MPROC__PURPOSE_PROCESS = 1, /**< run the function of its start block, and end */
    MPROC__PURPOSE_SERVER = 2   /**< be a fork server */
};

#define MPROC__START_DAEMON 1u
#define MPROC__START_UMASK 2u
#define MPROC__START_USER 4u
#define MPROC__START_LOG_STDERR 8u

/** A start block. Places are offsets in its payload; 0: not given. */
struct mproc__start_shm {
    unsigned char build[MPLAT_BUILD_BYTES];
    uint64_t distance; /**< of the function; see entry.h */
    uint32_t is_program;
    uint32_t path_at;
    uint64_t args_at, args_size;
    uint32_t name_at, identity_at, directory_at, method_at;
    uint32_t env_at, n_env, cpus_at, n_cpus;
    int32_t nice;
    uint32_t flags, umask, user, group;
    uint32_t log_level; /**< of who starts it */
};

/** What goes into one. */
typedef struct mproc__start_info {
    mproc__function function; /**< NULL: none, for a fork server without preload */
    const mproc_args *args;
    const char *name;
    const char *identity; /**< "1:2", for default names of its own children */
    const char *directory;
    const mproc_process_options *options;
} mproc__start_info;

/** Whether these arguments could be packed. */
int mproc__start_check(const mproc__start_info *info);

/** Whether there is a connection to a stranger among the arguments, which must have been checked. */
bool mproc__start_has_strangers(const mproc__start_info *info);

/** Make a start block, held by the calling process. */
int mproc__start_pack(const mproc__start_info *info, mproc__hold *ret_hold);

/** Read the arguments in a start block; the values belong to the caller and point into it. */
int mproc__start_args(const char *base, mproc_value *ret_args);

/** One launch of a process. */
typedef struct mproc__launch {
    mproc__member_id member; /**< in: the slot made for it. forkserver: out, the server makes it */
    const mproc__start_info *info; /**< in: what it is to run; a copy reads it where it is */
    mproc__hold start;             /**< in: its start block; of a copy that needs none: none */
    bool is_given;         /**< whether the start block is the member's already, no longer ours */
    mplat_handle stdio[3]; /**< in: its streams, or none */
    mplat_child child;     /**< out */
    mplat_handle job;      /**< private to the method: where a ready child awaits its job */
} mproc__launch;

/** A start method. */
struct mproc_context {
    const char *name;
    bool is_server_made; /**< the member slot is made by the method, not before it */
    bool is_copy;        /**< the child has the caller's memory, handles included */

    /** Start it; afterwards the start block is the member's. */
    int (*launch)(mproc__launch *launch);

    /** Contexts that run in this process: run it; NULL: one that makes processes. */
    int (*run)(mproc_process *process);
    bool is_inline; /**< it has ended when it has been started */

    /** The sentinel has fired: find out how it ended. 0, or MPROC_EUNKNOWN. Bounded. */
    int (*collect)(mproc__member_id member, const mplat_child *child, mplat_exit *ret_exit);
};

/** Copy a string, cut to fit. Much lighter than snprintf where a new process counts page faults. */
void mproc__copy_string(char *ret_copy, size_t size, const char *string);

extern const mproc_context mproc__context_spawn;

/** The contexts of this system, the default first; ends with NULL. */
extern const mproc_context *const mproc__contexts[];

/** Hand a launch's start block over to its member. */
int mproc__launch_give(mproc__launch *launch);

/** The program to start fresh copies of; NULL: this one. MPROC_ENOMAIN if none can be. */
int mproc__program(const char **ret_program);

/** What the fork server of this process is to run once. */
mproc_preload_fn mproc__preload(void);

#endif
