/* SPDX-License-Identifier: Apache-2.0 */
/*
 * native.h: the system's own objects, in few words, for the tests of handles. A stream is a pipe's end or a
 * socket.
 */
#ifndef TESTS_OBJECT_NATIVE_H
#define TESTS_OBJECT_NATIVE_H

#include "object/process_test.h"

#include <stdint.h>
#include <string.h>

#ifdef _WIN32
#include <winsock2.h>

#include <windows.h>

static inline void native_close(intptr_t native)
{
    CHILD_CHECK(CloseHandle((HANDLE)native));
}

static inline void native_close_socket(intptr_t native)
{
    CHILD_CHECK(closesocket((SOCKET)native) == 0);
}

static inline intptr_t native_file(const char *path)
{
    HANDLE file =
        CreateFileA(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                    CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, NULL);
    CHILD_CHECK(file != INVALID_HANDLE_VALUE);
    return (intptr_t)file;
}

static inline void native_rewind(intptr_t native)
{
    CHILD_CHECK(SetFilePointer((HANDLE)native, 0, NULL, FILE_BEGIN) == 0);
}

static inline void native_pipe(intptr_t ret_ends[2])
{
    HANDLE read_end;
    HANDLE write_end;
    CHILD_CHECK(CreatePipe(&read_end, &write_end, NULL, 0));
    ret_ends[0] = (intptr_t)read_end;
    ret_ends[1] = (intptr_t)write_end;
}

static inline void native_socketpair(intptr_t ret_ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int size = sizeof(address);
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);
    SOCKET client = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHILD_CHECK(bind(listener, (struct sockaddr *)&address, size) == 0);
    CHILD_CHECK(listen(listener, 1) == 0);
    CHILD_CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    CHILD_CHECK(connect(client, (struct sockaddr *)&address, size) == 0);
    ret_ends[0] = (intptr_t)client;
    ret_ends[1] = (intptr_t)accept(listener, NULL, NULL);
    CHILD_CHECK((SOCKET)ret_ends[1] != INVALID_SOCKET);
    CHILD_CHECK(closesocket(listener) == 0);
}

static inline void native_write(intptr_t native, const char *text)
{
    DWORD n;
    CHILD_CHECK(WriteFile((HANDLE)native, text, (DWORD)strlen(text), &n, NULL));
}

/** What there is to read, up to 31 characters; "" at the end. */
static inline void native_read(intptr_t native, char ret_text[32])
{
    DWORD n = 0;
    bool is_read = ReadFile((HANDLE)native, ret_text, 31, &n, NULL);
    CHILD_CHECK(is_read || GetLastError() == ERROR_BROKEN_PIPE);
    ret_text[is_read ? n : 0] = '\0';
}

static inline void native_send(intptr_t native, const char *text)
{
    CHILD_CHECK(send((SOCKET)native, text, (int)strlen(text), 0) == (int)strlen(text));
}

static inline void native_receive(intptr_t native, char ret_text[32])
{
    int n = recv((SOCKET)native, ret_text, 31, 0);
    CHILD_CHECK(n >= 0);
    ret_text[n] = '\0';
}

static inline bool native_is_inherited(intptr_t native)
{
    DWORD flags = 0;
    CHILD_CHECK(GetHandleInformation((HANDLE)native, &flags));
    return (flags & HANDLE_FLAG_INHERIT) != 0;
}

/** Whether a socket becomes readable within so many milliseconds; -1: any number. */
static inline bool native_poll(intptr_t native, int milliseconds)
{
    WSAPOLLFD item = {.fd = (SOCKET)native, .events = POLLRDNORM};
    int n = WSAPoll(&item, 1, milliseconds);
    CHILD_CHECK(n >= 0 && (item.revents & POLLNVAL) == 0);
    return n > 0;
}

/** The same by the system's other call, for who waits for things of many kinds. */
static inline bool native_poll_too(intptr_t native, int milliseconds)
{
    WSAEVENT event = WSACreateEvent();
    CHILD_CHECK(WSAEventSelect((SOCKET)native, event, FD_READ | FD_CLOSE) == 0);
    DWORD rc = WaitForSingleObject(event, (DWORD)milliseconds);
    CHILD_CHECK(WSAEventSelect((SOCKET)native, NULL, 0) == 0 && WSACloseEvent(event));
    return rc == WAIT_OBJECT_0;
}

/** How many of them this process has; 0: the system does not tell. */
static inline size_t native_count(void)
{
    return 0;
}
#else
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void native_close(intptr_t native)
{
    CHILD_CHECK(close((int)native) == 0);
}

static inline void native_close_socket(intptr_t native)
{
    native_close(native);
}

static inline intptr_t native_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHILD_CHECK(fd >= 0 && unlink(path) == 0);
    return fd;
}

static inline void native_rewind(intptr_t native)
{
    CHILD_CHECK(lseek((int)native, 0, SEEK_SET) == 0);
}

static inline void native_pipe(intptr_t ret_ends[2])
{
    int fds[2];
    CHILD_CHECK(pipe2(fds, O_CLOEXEC) == 0);
    ret_ends[0] = fds[0];
    ret_ends[1] = fds[1];
}

static inline void native_socketpair(intptr_t ret_ends[2])
{
    int fds[2];
    CHILD_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    ret_ends[0] = fds[0];
    ret_ends[1] = fds[1];
}

static inline void native_write(intptr_t native, const char *text)
{
    CHILD_CHECK(write((int)native, text, strlen(text)) == (ssize_t)strlen(text));
}

/** What there is to read, up to 31 characters; "" at the end. */
static inline void native_read(intptr_t native, char ret_text[32])
{
    ssize_t n = read((int)native, ret_text, 31);
    CHILD_CHECK(n >= 0);
    ret_text[n] = '\0';
}

static inline void native_send(intptr_t native, const char *text)
{
    native_write(native, text);
}

static inline void native_receive(intptr_t native, char ret_text[32])
{
    native_read(native, ret_text);
}

static inline bool native_is_inherited(intptr_t native)
{
    return (fcntl((int)native, F_GETFD) & FD_CLOEXEC) == 0;
}

/** Whether a socket becomes readable within so many milliseconds; -1: any number. */
static inline bool native_poll(intptr_t native, int milliseconds)
{
    struct pollfd item = {.fd = (int)native, .events = POLLIN};
    int n = poll(&item, 1, milliseconds);
    CHILD_CHECK(n >= 0 && (item.revents & POLLNVAL) == 0);
    return n > 0;
}

/** The same by the system's other call, for who waits for things of many kinds. */
static inline bool native_poll_too(intptr_t native, int milliseconds)
{
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    CHILD_CHECK(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, (int)native, &event) == 0);
    int n = epoll_wait(epoll, &event, 1, milliseconds);
    CHILD_CHECK(n >= 0 && close(epoll) == 0);
    return n > 0;
}

/** How many of them this process has. */
static inline size_t native_count(void)
{
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    CHILD_CHECK(directory != NULL);
    while (readdir(directory) != NULL) {
        count++;
    }
    (void)closedir(directory);
    return count;
}
#endif

/** A handle of a native object, which is closed: from here on only the family has it. */
static inline mproc_handle *native_give(intptr_t native)
{
    mproc_handle *handle = NULL;
    CHILD_CHECK(mproc_handle_create(&handle, native) == 0);
    native_close(native);
    return handle;
}

static inline intptr_t native_open(const mproc_handle *handle)
{
    intptr_t native = -1;
    CHILD_CHECK(mproc_handle_open(handle, &native) == 0);
    CHILD_CHECK(!native_is_inherited(native));
    return native;
}

#endif
