/* SPDX-License-Identifier: Apache-2.0 */
/*
 * terminal.c: what a terminal shows, and Ctrl-C.
 *
 * Threads  The list of those who catch interrupts is changed and read under a lock of one word. Whoever holds it has all
 *          signals blocked, so the handler, which takes it too, never waits for the thread that it interrupts.
 */
#include "platform.h"

#include "base/atomic.h"
#include "base/status.h"
#include "posix/posix.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What a terminal is taken to have that does not say. */
#define USUAL_COLUMNS 80

int mplat_terminal_columns(int stream)
{
    struct winsize size;
    if (!isatty(stream)) {
        return 0;
    }
    bool is_known = ioctl(stream, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return is_known ? size.ws_col : USUAL_COLUMNS;
}

void mplat_terminal_write(int stream, const char *text, size_t size)
{
    int error = errno;
    while (size > 0) {
        ssize_t n = write(stream, text, size);
        if (n < 0 && errno != EINTR) {
            break;
        }
        text += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    errno = error;
}

static struct {
    uint32_t lock;
    sigset_t mask; /* of the thread that has the lock */
    mplat_interrupt *first;
    bool is_ours;            /* our handler is the process's */
    struct sigaction before; /* then: what is there without us */
} catching;

static void acquire(void)
{
    while (mproc__exchange32(&catching.lock, 1) != 0) {
        (void)sched_yield(); // for moments: who holds it is not interrupted
    }
}

static void release(void)
{
    mproc__store32_release(&catching.lock, 0);
}

void mproc__posix_interrupt_lock(void)
{
    sigset_t all;
    sigset_t old;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    acquire();
    catching.mask = old;
}

void mproc__posix_interrupt_unlock(void)
{
    sigset_t old = catching.mask;
    release();
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void on_interrupt(int number);

/** Put back what was there before us; not over what has been put there since. */
static void put_back(void)
{
    struct sigaction now;
    bool is_there = catching.is_ours && sigaction(SIGINT, NULL, &now) == 0 &&
                    (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == on_interrupt;
    if (is_there) {
        (void)sigaction(SIGINT, &catching.before, NULL);
    }
    catching.is_ours = false;
}

static void on_interrupt(int number)
{
    int error = errno;
    bool is_news = false;
    acquire();
    for (mplat_interrupt *who = catching.first; who != NULL; who = who->next) {
        if (!who->is_told) {
            who->is_told = true;
            is_news = true;
            who->fn(who->arg);
        }
    }
    if (!is_news) {
        // Delivered once more when this returns, to whatever would have got it, as it would have.
        put_back();
        (void)raise(number);
    }
    release();
    errno = error;
}

static int put_in_place(void)
{
    struct sigaction ours = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART | SA_ONSTACK};
    (void)sigfillset(&ours.sa_mask);
    if (sigaction(SIGINT, NULL, &catching.before) < 0) {
        return mproc__fail_os(errno, "cannot look what an interrupt does");
    }
    if ((catching.before.sa_flags & SA_SIGINFO) == 0 && catching.before.sa_handler == SIG_IGN) {
        return MPROC_OK; // as in the background of a shell: it is not meant for us
    }
    if (sigaction(SIGINT, &ours, NULL) < 0) {
        return mproc__fail_os(errno, "cannot catch interrupts");
    }
    catching.is_ours = true;
    return MPROC_OK;
}

int mplat_interrupt_catch(mplat_interrupt *who)
{
    mproc__posix_interrupt_lock();
    int rc = catching.is_ours ? MPROC_OK : put_in_place();
    if (rc >= 0) {
        who->is_told = false;
        who->next = catching.first;
        catching.first = who;
    }
    mproc__posix_interrupt_unlock();
    return rc;
}

void mplat_interrupt_release(mplat_interrupt *who)
{
    mproc__posix_interrupt_lock();
    mplat_interrupt **link = &catching.first;
    while (*link != NULL && *link != who) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        *link = who->next;
    }
    if (catching.first == NULL) {
        put_back();
    }
    mproc__posix_interrupt_unlock();
}

void mproc__posix_interrupt_forget(void)
{
    catching.first = NULL;
    put_back();
    mproc__posix_interrupt_unlock();
}

void mplat_interrupt_ignore(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigemptyset(&ignore.sa_mask);
    (void)sigaction(SIGINT, &ignore, NULL);
}
