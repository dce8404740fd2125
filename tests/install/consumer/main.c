// SPDX-License-Identifier: Apache-2.0
/*
 * A user's program, as small as it can be: it asks the library that it runs with for its version, which must
 * be that of the headers it was compiled with.
 */
#include <stdio.h>
#include <string.h>

#include "mproc/mproc.h"

int main(void)
{
    printf("compiled with mproc %s, running with %s\n", MPROC_VERSION_STRING, mproc_version());
    return strcmp(mproc_version(), MPROC_VERSION_STRING) != 0;
}
