/* Loaded before the C library: while the file $HANG_WHILE exists, every read and write at a place, every write to and every sync
   of a file below $HANG_BELOW hangs, as on a disk that does not answer. While the file $FULL_WHILE exists, every write that makes
   such a file longer fails, as on a disk that is full. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int is_set(const char *name)
{
    const char *flag = getenv(name);
    return flag && access(flag, F_OK) == 0;
}

static int is_below(int fd)
{
    const char *below = getenv("HANG_BELOW");
    char link[64], path[PATH_MAX];
    if (!below)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strncmp(path, below, strlen(below)) == 0;
}

static void wait_while_hung(int fd)
{
    int before = errno;
    if (is_set("HANG_WHILE") && is_below(fd))
        while (is_set("HANG_WHILE")) {
            struct timespec pause = { 0, 5 * 1000 * 1000 };
            nanosleep(&pause, NULL);
        }
    errno = before;
}

/* Whether there is no room for what would be written at this place; -1 is where the file stands. */
static int is_full(int fd, off64_t at, size_t count)
{
    struct stat64 file;
    if (!is_set("FULL_WHILE") || !is_below(fd) || fstat64(fd, &file) != 0)
        return 0;
    if (at < 0)
        at = fcntl(fd, F_GETFL) & O_APPEND ? file.st_size : lseek64(fd, 0, SEEK_CUR);
    if (at < 0)
        return 0;
    return at + (off64_t)count > file.st_size;
}

#define DISK(type, name, parameters, arguments, at, count)            \
    type name parameters                                              \
    {                                                                 \
        static type (*real) parameters;                               \
        if (!real)                                                    \
            real = (type (*) parameters)dlsym(RTLD_NEXT, #name);      \
        wait_while_hung(fd);                                          \
        if ((count) && is_full(fd, at, count))                        \
            return errno = ENOSPC, -1;                                \
        return real arguments;                                        \
    }

static size_t sum(const struct iovec *parts, int count)
{
    size_t bytes = 0;
    for (int part = 0; part < count; ++part)
        bytes += parts[part].iov_len;
    return bytes;
}

DISK(int, fsync, (int fd), (fd), 0, 0)
DISK(int, fdatasync, (int fd), (fd), 0, 0)
DISK(ssize_t, write, (int fd, const void *bytes, size_t count), (fd, bytes, count), -1, count)
DISK(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count), -1, sum(parts, count))
DISK(ssize_t, pwrite64, (int fd, const void *bytes, size_t count, off64_t at), (fd, bytes, count, at), at, count)
DISK(ssize_t, pread64, (int fd, void *bytes, size_t count, off64_t at), (fd, bytes, count, at), 0, 0)
