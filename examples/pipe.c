/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipe.c: a pipe between two processes, and two messages each way.
 *
 * Python's twin:
 *
 *     def answer(conn):
 *         print(conn.recv())
 *         conn.send([42, None, 'hello'])
 *         print(conn.recv_bytes())
 *         conn.send_bytes(b'bye')
 *
 *     ours, theirs = Pipe()
 *     p = Process(target=answer, args=(theirs,))
 *     p.start()
 *     theirs.close()
 *     ours.send("what is in your list?")
 *     print(ours.recv())
 *     ours.send_bytes(b'thank you')
 *     print(ours.recv_bytes())
 *     try:
 *         ours.recv()
 *     except EOFError:
 *         print('the other end is gone')
 *     p.join()
 */
#include <inttypes.h>
#include <mproc/mproc.h>
#include <stdio.h>

/** Receive a value, and print it. */
static int show_next(mproc_connection *connection)
{
    mproc_value value;
    int rc = mproc_connection_recv(connection, &value, MPROC_FOREVER);
    if (rc < 0) {
        return rc;
    }
    if (value.type == MPROC_LIST && value.as.list.count == 3) {
        const mproc_value *items = value.as.list.items;
        printf("[%" PRId64 ", %s, '%s']\n", items[0].as.integer, mproc_type_name(items[1].type),
               items[2].as.string.data);
    } else if (value.type == MPROC_STRING) {
        printf("%s\n", value.as.string.data);
    }
    fflush(stdout);
    mproc_value_clear(&value);
    return 0;
}

/** The same of bytes. */
static int show_next_bytes(mproc_connection *connection)
{
    char bytes[100];
    size_t size;
    int rc =
        mproc_connection_recv_bytes_into(connection, bytes, sizeof(bytes), &size, MPROC_FOREVER);
    if (rc < 0) {
        return rc;
    }
    printf("%.*s\n", (int)size, bytes);
    fflush(stdout);
    return 0;
}

static int answer(const mproc_args *args)
{
    mproc_connection *conn;
    int rc = MPROC_UNPACK(args, &conn);
    if (rc < 0 || (rc = show_next(conn)) < 0) {
        return rc;
    }
    rc = mproc_connection_send(conn, MPROC_LIST(42, MPROC_NIL_VALUE, "hello"), MPROC_FOREVER);
    if (rc < 0 || (rc = show_next_bytes(conn)) < 0) {
        return rc;
    }
    return mproc_connection_send_bytes(conn, "bye", 3, MPROC_FOREVER);
}

/** Two messages to the other end, and two from there. */
static int talk(mproc_connection *ours)
{
    int rc = mproc_connection_send(ours, MPROC_VALUE("what is in your list?"), MPROC_FOREVER);
    if (rc < 0 || (rc = show_next(ours)) < 0) {
        return rc;
    }
    rc = mproc_connection_send_bytes(ours, "thank you", 9, MPROC_FOREVER);
    return rc < 0 ? rc : show_next_bytes(ours);
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);

    mproc_connection *ours, *theirs;
    mproc_process *child;
    mproc_value nothing;
    if (mproc_pipe_create(&ours, &theirs, NULL) < 0) {
        return mproc_perror("pipe");
    }
    if (mproc_process_start(&child, answer, MPROC_ARGS(theirs), NULL) < 0) {
        return mproc_perror("process");
    }
    mproc_connection_close(theirs); // or we would have both ends, and never see the end
    if (talk(ours) < 0) {
        return mproc_perror("talk");
    }
    if (mproc_connection_recv(ours, &nothing, MPROC_FOREVER) == MPROC_ECLOSED) {
        printf("the other end is gone\n");
    }
    if (mproc_process_join(child, MPROC_FOREVER) < 0) {
        return mproc_perror("join");
    }
    mproc_process_close(child);
    mproc_connection_close(ours);
    return 0;
}
