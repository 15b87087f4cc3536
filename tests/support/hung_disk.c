/*
 * Makes a folder a disk that does not answer, like a network's whose server is gone: preloaded into a
 * program, it lets whoever looks for a file below $HUNG_DISK, or reads, writes or locks one there, wait as
 * long as the file $HUNG_DISK.is-hung is there. Signals are handled meanwhile.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const struct timespec moment = {0, 10000000};

static void wait_if_below(const char *path)
{
	const char *disk = getenv("HUNG_DISK");
	char hung[4096];
	size_t length = disk ? strlen(disk) : 0;
	if (!path || !disk || strncmp(path, disk, length) || (path[length] && path[length] != '/'))
		return;
	snprintf(hung, sizeof hung, "%s.is-hung", disk);
	while (!syscall(SYS_access, hung, F_OK))
		nanosleep(&moment, NULL);
}

/* The same for a file that was opened before. */
static void wait_if_in(int file)
{
	char name[64], path[4096];
	snprintf(name, sizeof name, "/proc/self/fd/%d", file);
	ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, name, path, sizeof path - 1);
	if (length <= 0)
		return;
	path[length] = 0;
	wait_if_below(path);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int mode_of(int flags, va_list more)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, int) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list more;
	va_start(more, flags);
	int mode = mode_of(flags, more);
	va_end(more);
	wait_if_below(path);
	return NEXT(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list more;
	va_start(more, flags);
	int mode = mode_of(flags, more);
	va_end(more);
	wait_if_below(path);
	return NEXT(open64)(path, flags, mode);
}

int statx(int dir, const char *restrict path, int flags, unsigned mask, struct statx *restrict into)
{
	wait_if_below(path);
	return NEXT(statx)(dir, path, flags, mask, into);
}

int stat64(const char *restrict path, struct stat64 *restrict into)
{
	wait_if_below(path);
	return NEXT(stat64)(path, into);
}

int lstat64(const char *restrict path, struct stat64 *restrict into)
{
	wait_if_below(path);
	return NEXT(lstat64)(path, into);
}

char *realpath(const char *restrict path, char *restrict into)
{
	wait_if_below(path);
	return NEXT(realpath)(path, into);
}

ssize_t readlink(const char *restrict path, char *restrict into, size_t size)
{
	wait_if_below(path);
	return NEXT(readlink)(path, into, size);
}

DIR *opendir(const char *path)
{
	wait_if_below(path);
	return NEXT(opendir)(path);
}

int mkdir(const char *path, mode_t mode)
{
	wait_if_below(path);
	return NEXT(mkdir)(path, mode);
}

int access(const char *path, int mode)
{
	wait_if_below(path);
	return NEXT(access)(path, mode);
}

int flock(int file, int operation)
{
	wait_if_in(file);
	return NEXT(flock)(file, operation);
}

ssize_t pread64(int file, void *into, size_t size, off64_t at)
{
	wait_if_in(file);
	return NEXT(pread64)(file, into, size, at);
}

ssize_t pwrite64(int file, const void *from, size_t size, off64_t at)
{
	wait_if_in(file);
	return NEXT(pwrite64)(file, from, size, at);
}

int rename(const char *from, const char *to)
{
	wait_if_below(to);
	return NEXT(rename)(from, to);
}

int unlink(const char *path)
{
	wait_if_below(path);
	return NEXT(unlink)(path);
}
