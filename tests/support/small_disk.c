/*
 * Makes a folder a disk of its own that is small, for where none can be mounted: preloaded into a
 * program, it lets the files below $SMALL_DISK have $SMALL_DISK_BYTES in all, in whole pages, and
 * fails a write beyond that like a file system does. Only write(2) is looked at.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, NAME = 4096 };

static long pages(long bytes) { return (bytes + PAGE - 1) / PAGE * PAGE; }

static long used(const char *folder)
{
	long sum = 0;
	DIR *entries = opendir(folder);
	struct dirent *entry;
	while (entries && (entry = readdir(entries))) {
		char path[NAME];
		struct stat file;
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		if (lstat(path, &file))
			continue;
		sum += S_ISDIR(file.st_mode) ? used(path) : pages(file.st_size);
	}
	if (entries)
		closedir(entries);
	return sum;
}

/* How much can be written to a file now; -1 if it is not on the disk. */
static long room(int fd)
{
	const char *disk = getenv("SMALL_DISK"), *size = getenv("SMALL_DISK_BYTES");
	char link[64], path[NAME];
	struct stat file;
	long length, at;
	if (!disk || !size || fstat(fd, &file) || !S_ISREG(file.st_mode))
		return -1;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof path - 1);
	if (length < 0 || strncmp(path, disk, strlen(disk)))
		return -1;
	at = fcntl(fd, F_GETFL) & O_APPEND ? file.st_size : lseek(fd, 0, SEEK_CUR);
	length = atol(size) - used(disk);
	length = pages(file.st_size) - at + (length > 0 ? length : 0);
	return length > 0 ? length : 0;
}

ssize_t write(int fd, const void *bytes, size_t count)
{
	ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
	long left = room(fd);
	if (left == 0 && count > 0) {
		errno = ENOSPC;
		return -1;
	}
	if (left > 0 && count > (size_t)left)
		count = left;
	return real(fd, bytes, count);
}
