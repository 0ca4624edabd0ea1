/* Loaded before the C library: while the file $HANG_WHILE exists, every read and write at a place, every write to and every sync
   of a file below $HANG_BELOW hangs, as on a disk that does not answer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void wait_while_hung(int fd)
{
    const char *flag = getenv("HANG_WHILE"), *below = getenv("HANG_BELOW");
    char link[64], path[PATH_MAX];
    if (!flag || !below || access(flag, F_OK) != 0)
        return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return;
    path[length] = 0;
    if (strncmp(path, below, strlen(below)) != 0)
        return;
    while (access(flag, F_OK) == 0) {
        struct timespec pause = { 0, 5 * 1000 * 1000 };
        nanosleep(&pause, NULL);
    }
}

#define HANG(type, name, parameters, arguments)                       \
    type name parameters                                              \
    {                                                                 \
        static type (*real) parameters;                               \
        if (!real)                                                    \
            real = (type (*) parameters)dlsym(RTLD_NEXT, #name);      \
        wait_while_hung(fd);                                          \
        return real arguments;                                        \
    }

HANG(int, fsync, (int fd), (fd))
HANG(int, fdatasync, (int fd), (fd))
HANG(ssize_t, write, (int fd, const void *bytes, size_t count), (fd, bytes, count))
HANG(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
HANG(ssize_t, pwrite64, (int fd, const void *bytes, size_t count, off64_t at), (fd, bytes, count, at))
HANG(ssize_t, pread64, (int fd, void *bytes, size_t count, off64_t at), (fd, bytes, count, at))
