/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c: mproc_main: the fork in the road between the user's program and its children.
 */
#include "base/log.h"
#include "base/status.h"
#include "family/family.h"
#include "mproc/main.h"
#include "mproc/version.h"
#include "object/leaks.h"
#include "object/process.h"
#include "object/server.h"
#include "object/start.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_main;
static char program[4096];

/** A process that cannot become what it was started for says so, unless nobody waits for it any more. */
static MPROC__NORETURN void die(int rc)
{
    if (rc != MPROC_EPEER) {
        fprintf(stderr, "mproc: %s\n", mproc_last_error());
    }
    exit(EXIT_FAILURE);
}

int mproc_main(int argc, char **argv)
{
    mplat_boot boot;
    mplat_arena arena;
    mplat_child parent;
    mplat_handle extra;
    int rc = mplat_init();
    if (rc < 0) {
        return rc;
    }
    rc = mplat_boot_take(argc, argv, &boot, &arena, &parent, &extra);
    has_main = true;
    if (rc == 0) {
        mproc__log_begin();
        mproc__leaks_watch_exit();
        return mproc__family_enter();
    }
    if (rc < 0 || (rc = mproc__family_join(&arena, boot.member)) < 0) {
        die(rc);
    }
    if (boot.purpose == MPROC__PURPOSE_SERVER) {
        mproc__server_run(extra, &parent);
    }
    mproc__server_adopt(extra);
    (void)atexit(mproc__child_note_exit);
    mproc__child_end(mproc__child_run(&parent, false), false);
}

int mproc_set_executable(const char *path)
{
    if (path == NULL) {
        program[0] = '\0';
        return MPROC_OK;
    }
    mplat_handle file;
    if (strlen(path) >= sizeof(program)) {
        return mproc__fail(MPROC_EINVAL, "the program's path is too long");
    }
    int rc = mplat_file_open(path, false, &file);
    if (rc < 0) {
        return rc;
    }
    mplat_handle_close(file);
    (void)snprintf(program, sizeof(program), "%s", path);
    return MPROC_OK;
}

int mproc__program(const char **ret_program)
{
    *ret_program = program[0] != '\0' ? program : NULL;
    return has_main || program[0] != '\0'
               ? MPROC_OK
               : mproc__fail(MPROC_ENOMAIN, "call mproc_main(argc, argv) first thing in main(), or "
                                            "mproc_set_executable(), before starting a process");
}

const char *mproc_version(void)
{
    return MPROC_VERSION_STRING;
}
