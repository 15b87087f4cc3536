/*
 * Makes a folder a disk that does not answer, like a network's whose server is gone: preloaded into a
 * program, it lets whoever looks for a file below $HUNG_DISK wait for ever, once the file
 * $HUNG_DISK.is-hung is there. Signals are handled meanwhile.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void wait_if_below(const char *path)
{
	const char *disk = getenv("HUNG_DISK");
	char hung[4096];
	size_t length = disk ? strlen(disk) : 0;
	if (!path || !disk || strncmp(path, disk, length) || (path[length] && path[length] != '/'))
		return;
	snprintf(hung, sizeof hung, "%s.is-hung", disk);
	if (syscall(SYS_access, hung, F_OK))
		return;
	for (;;)
		pause();
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
