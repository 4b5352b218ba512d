/*
 * The limit of the search for roots: reads a file whole, by pieces of 256 KiB as ours, and ORs each frame to the first
 * word that is not 0, then looks at that word. Every search has to do at least this. One round for each line of input:
 * prints CPU nanoseconds, frames of zeros, frames.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { FRAME = 4096, PIECE = 64 * FRAME };

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
	uint64_t *piece = aligned_alloc(FRAME, PIECE);
	char line[8];

	if (fd < 0 || piece == NULL)
		return 1;
	while (fgets(line, sizeof line, stdin)) {
		uint64_t start = now(), zeros = 0, frames = 0, odd = 0;
		ssize_t got;
		off_t at = 0;

		while ((got = pread(fd, piece, PIECE, at)) > 0) {
			for (ssize_t f = 0; f + FRAME <= got; f += FRAME, frames++) {
				const uint64_t *words = piece + f / 8;
				int i = 0;
				while (i < FRAME / 8 && words[i] == 0)
					i++;
				if (i == FRAME / 8)
					zeros++;
				else
					odd += words[i] & 1;
			}
			at += got;
		}
		/* The count of odd words keeps the look at them in the program. */
		if (odd > frames)
			return 1;
		printf("%llu %llu %llu\n", (unsigned long long)(now() - start), (unsigned long long)zeros,
		       (unsigned long long)frames);
		fflush(stdout);
	}
	return 0;
}
