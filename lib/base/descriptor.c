/* SPDX-License-Identifier: MIT */
#include "base/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A Linux device number fits in 32 bits, and so do the inodes of sockets, pipes and
 * anonymous files: for those the result is exact. A larger inode overlaps the device's
 * bits, and any two files on one device still differ.
 */
static uint64_t fold(const struct stat *status)
{
    uint64_t device = (uint64_t)status->st_dev;

    return (uint64_t)status->st_ino ^ (device << 32 | device >> 32);
}

int sel__identify(int fd, uint64_t *ret_identity, sel__kind *ret_kind)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    *ret_identity = fold(&status);
    *ret_kind = S_ISSOCK(status.st_mode) ? SEL__SOCKET :
                S_ISFIFO(status.st_mode) ? SEL__PIPE : SEL__OTHER;
    return 0;
}

bool sel__is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

bool sel__is_regular(int fd)
{
    struct stat status = {0}; /* if fd is closed it stays zero: not a regular file */

    fstat(fd, &status);
    return S_ISREG(status.st_mode);
}
