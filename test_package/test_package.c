// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include <mproc/mproc.h>

int main(void)
{
    printf("mproc %s\n", mproc_version());
    return strcmp(mproc_version(), MPROC_VERSION_STRING) != 0;
}
