/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener.c: talking to a process that is no relative of ours, be it a Python program.
 *
 * Alone, this program lets a child be the other process. "listener serve" prints an address and waits for
 * listener_client.py, which is this one's other end:
 *
 *     from multiprocessing.connection import Client
 *
 *     with Client(address, authkey=b"secret password") as connection:
 *         print(connection.recv_bytes())                  # b'hello'
 *         numbers = array.array("i", [0, 0, 0, 0, 0])
 *         print(connection.recv_bytes_into(numbers))      # 8
 *         print(numbers)                                  # array('i', [42, 1729, 0, 0, 0])
 *         connection.send_bytes(b"thank you")
 */
#include <mproc/mproc.h>
#include <stdio.h>
#include <string.h>

static const char key[] = "secret password";

/* What the Python program does, in C. */
static int be_client(const mproc_args *args)
{
    const char *address;
    mproc_connection *connection;
    mproc_client_options options = {.authkey = key, .authkey_size = strlen(key)};
    int rc = MPROC_UNPACK(args, &address);
    if (rc < 0 || (rc = mproc_client_connect(&connection, address, &options, MPROC_FOREVER)) < 0) {
        return rc;
    }
    char text[16];
    int numbers[5] = {0};
    size_t size;
    rc = mproc_connection_recv_bytes_into(connection, text, sizeof(text), &size, MPROC_FOREVER);
    if (rc >= 0) {
        printf("%.*s\n", (int)size, text);
        rc = mproc_connection_recv_bytes_into(connection, numbers, sizeof(numbers), &size,
                                              MPROC_FOREVER);
    }
    if (rc >= 0) {
        printf("%d %d %d\n", numbers[0], numbers[1], numbers[2]);
        fflush(stdout);
        rc = mproc_connection_send_bytes(connection, "thank you", 9, MPROC_FOREVER);
    }
    mproc_connection_close(connection);
    return rc;
}

static int serve(mproc_listener *listener)
{
    mproc_connection *connection;
    const int numbers[] = {42, 1729};
    char text[16];
    size_t size;
    int rc = mproc_listener_accept(listener, &connection, mproc_seconds(60));
    if (rc < 0) {
        return rc;
    }
    if ((rc = mproc_connection_send_bytes(connection, "hello", 5, MPROC_FOREVER)) >= 0 &&
        (rc = mproc_connection_send_bytes(connection, numbers, sizeof(numbers), MPROC_FOREVER)) >=
            0 &&
        (rc = mproc_connection_recv_bytes_into(connection, text, sizeof(text), &size,
                                               MPROC_FOREVER)) >= 0) {
        printf("the client says: %.*s\n", (int)size, text);
    }
    mproc_connection_close(connection);
    return rc;
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);

    mproc_listener *listener;
    mproc_process *child = NULL;
    mproc_listener_options options = {.authkey = key, .authkey_size = strlen(key)};
    if (mproc_listener_create(&listener, &options) < 0) {
        return mproc_perror("listener");
    }
    const char *address = mproc_listener_address(listener);
    if (argc > 1) {
        printf("%s\n", address);
        fflush(stdout);
    } else if (mproc_process_start(&child, be_client, MPROC_ARGS(address), NULL) < 0) {
        return mproc_perror("process");
    }
    if (serve(listener) < 0) {
        return mproc_perror("serve");
    }
    mproc_listener_close(listener);
    if (child != NULL) {
        mproc_process_join(child, MPROC_FOREVER);
        mproc_process_close(child);
    }
    return 0;
}
