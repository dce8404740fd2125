/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zombies.h: children that have ended and that nobody has collected. POSIX only.
 */
#ifndef TESTS_OBJECT_ZOMBIES_H
#define TESTS_OBJECT_ZOMBIES_H

#include "support/testlib.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

/** How many this process has; they are printed. */
static inline size_t count_zombies(void)
{
    size_t count = 0;
    DIR *directory = opendir("/proc");
    CHILD_CHECK(directory != NULL);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char path[300];
        char text[400] = "";
        (void)snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        FILE *file = strtol(entry->d_name, NULL, 10) > 0 ? fopen(path, "re") : NULL;
        if (file != NULL) {
            text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
            (void)fclose(file);
        }
        const char *behind = strrchr(text, ')');
        if (behind != NULL && behind[2] == 'Z' && strtol(behind + 4, NULL, 10) == getpid()) {
            fprintf(stderr, "zombie: %s", text);
            count++;
        }
    }
    (void)closedir(directory);
    return count;
}

#endif
