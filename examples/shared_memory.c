/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared_memory.c: memory by name: by the name alone, a child finds what its parent has written; so could
 * any other program of the same user, Python among them. A lock of the same name says whose turn it is.
 *
 * Python's twin:
 *
 *     def shout(name): memory = SharedMemory(name); memory.buf[:5] = bytes(memory.buf[:5]).upper()
 *     memory = SharedMemory(create=True, size=5); memory.buf[:] = b"hello"
 *     p = Process(target=shout, args=(memory.name,)); p.start(); p.join()
 *     print(bytes(memory.buf)); memory.close(); memory.unlink()
 */
#include <mproc/mproc.h>
#include <stdio.h>
#include <string.h>

static int shout(const mproc_args *args)
{
    const char *name;
    mproc_named_lock *turn;
    mproc_shared_memory *memory;
    int rc = MPROC_UNPACK(args, &name);
    if (rc < 0 || (rc = mproc_named_lock_open(&turn, name, NULL)) < 0 ||
        (rc = mproc_shared_memory_open(&memory, name, NULL)) < 0 ||
        (rc = mproc_named_lock_acquire(turn, mproc_seconds(10))) < 0) {
        return rc;
    }
    char *text = mproc_shared_memory_data(memory);
    for (size_t i = 0; i < mproc_shared_memory_size(memory); i++) {
        text[i] = (char)(text[i] - 'a' + 'A');
    }
    mproc_named_lock_release(turn);
    mproc_shared_memory_close(memory);
    mproc_named_lock_close(turn);
    return 0;
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);

    mproc_shared_memory *memory;
    const mproc_shared_memory_options options = {.auto_unlink = true};
    if (mproc_shared_memory_create(&memory, NULL, 5, &options) < 0) {
        return mproc_perror("create");
    }
    mproc_process *child;
    mproc_named_lock *turn;
    const char *name = mproc_shared_memory_name(memory);
    if (mproc_named_lock_open(&turn, name, NULL) < 0 ||
        mproc_named_lock_acquire(turn, MPROC_FOREVER) < 0 ||
        mproc_process_start(&child, shout, MPROC_ARGS(name), NULL) < 0) {
        return mproc_perror("start");
    }
    memcpy(mproc_shared_memory_data(memory), "hello", 5);
    mproc_named_lock_release(turn); // what is written before is there for who acquires it next
    if (mproc_process_join(child, mproc_seconds(10)) < 0) {
        return mproc_perror("shout");
    }
    printf("%s says %.5s\n", name, (const char *)mproc_shared_memory_data(memory));
    mproc_process_close(child);
    mproc_shared_memory_close(memory); // the last user: the name goes, too
    mproc_named_lock_close(turn);      // and the lock's
    return 0;
}
