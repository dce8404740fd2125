/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment_file.h: the file that is a segment: its users, its note, its memory.
 */
#ifndef MPROC_POSIX_SEGMENT_FILE_H
#define MPROC_POSIX_SEGMENT_FILE_H

#include "platform.h"

#include <stdbool.h>
#include <sys/stat.h>

#define MPROC__SEGMENT_FOLDER "/dev/shm"
#define MPROC__SEGMENT_PATH (sizeof(MPROC__SEGMENT_FOLDER) + 1 + MPLAT_SEGMENT_NAME)

void mproc__segment_path(const char *name, char path[MPROC__SEGMENT_PATH]);

/** Open what the path leads to; as open(). */
int mproc__segment_open_file(const char *path, int flags);

/** Whether a name leads to this file. */
bool mproc__segment_leads_to(const char *path, const struct stat *file);

/** Whether its name goes with its last user, once it is ready. */
bool mproc__segment_is_automatic(const struct stat *file);

/** F_RDLCK: become a user; F_WRLCK: know that there is none. Whether that is so. */
bool mproc__segment_lock_users(int fd, short type);

/** F_RDLCK: there are users; F_WRLCK: somebody knows that there is none; F_UNLCK: neither. */
short mproc__segment_users(int fd);

/** Remove the name of an automatic file, or one that is not ready, without users. Is it free now? */
bool mproc__segment_reap(const char *path);

/** Whether it is free by now, or somebody else is just about to see to that. */
bool mproc__segment_is_going(const char *path);

/**
 * mplat_segment_create with content from the beginning: `prepare` makes it before anybody can see it. Such
 * a segment is ready, whatever its layout. NULL: as mplat_segment_create.
 */
int mproc__segment_create(const char *name, const mplat_segment_plan *plan,
                          void (*prepare)(void *base), mplat_segment *ret_segment);

/** Bytes of the file of a segment of up to `size` bytes that has a note. */
uint64_t mproc__segment_bytes_with_note(uint64_t size);

/** Make a note this file's, and no other's. */
void mproc__segment_mark_note(mplat_segment_note *note, const struct stat *file);

/** Read a file's note, if it has one. */
bool mproc__segment_read_note(int fd, const struct stat *file, mplat_segment_note *ret_note);

/**
 * Whether there is room for `new_bytes` more in a file that is to be of `file_bytes`; MPROC_ENOSPC.
 * Asked first, for memory that is taken bit by bit until there is none is missed by others.
 */
int mproc__segment_check_room(int fd, const char *name, uint64_t file_bytes, uint64_t new_bytes);

/** Have memory for [from, to) of a mapped file. On failure some of it may be taken. */
int mproc__segment_take(int fd, const char *name, const mplat_segment *segment, uint64_t from,
                        uint64_t to);

#endif
