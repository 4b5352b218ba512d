/*
 * The limit that the benchmarks are held against: the same work over the same image file, straight and in C.
 *
 *   limit IMAGE BASE FORMAT ROOT BELOW LEVELS list
 *   limit IMAGE BASE FORMAT ROOT BELOW LEVELS translate REQUESTS
 *
 * IMAGE holds physical memory from address BASE on; ROOT is the address of a root table of LEVELS levels, BELOW that of the
 * second-stage root which translates the tables' addresses (FORMAT nested) or 0. For each line on stdin one round is run,
 * and "<CPU nanoseconds> <checksum> <count>" is printed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { READ = 1, WRITE = 2, FRAME_BYTES = 4096, ENTRIES = 512 };
enum status {
	TRANSLATED, ADDRESS_WIDTH, NOT_PRESENT, ENTRY_RESERVED, READ_DENIED, WRITE_DENIED, TABLE_UNREADABLE,
	INTERRUPT_OUTPUT, LEVEL_SKIP, ACCESS_FLAG, DIRTY_FLAG
};

#include "formats.h"

static const uint8_t *image;
static uint64_t image_base, image_bytes, root, second_root;
static int levels;

static inline const uint64_t *table_at(uint64_t address)
{
	uint64_t offset = address - image_base;

	return offset <= image_bytes - FRAME_BYTES ? (const uint64_t *)(image + offset) : NULL;
}

/* --- what lists and translations share ------------------------------------------------------------------------------ */

struct run {
	uint64_t page, count, frame, entry_address, entry;
	int level, shift, marks, permission;
};

static struct run run;
/* Where the next leaf of the open run would stand, and what it would be, with and without its marks. */
static uint64_t next_page, next_entry, next_same, run_total, leaf_total;
static bool run_open;
static uint32_t list_checksum;

static uint32_t fold(const struct run *r)
{
	return (uint32_t)r->page * 0x9e3779b1u ^ (uint32_t)(r->page >> 32) * 0x85ebca6bu ^
	       (uint32_t)r->count * 0xc2b2ae35u ^ (uint32_t)r->frame * 0x27d4eb2fu ^
	       (uint32_t)(r->frame >> 32) * 0x165667b1u ^ (uint32_t)r->entry_address * 0xd3a2646du ^
	       (uint32_t)(r->entry_address >> 32) * 0xfd7046c5u ^ (uint32_t)r->entry * 0xb55a4f09u ^
	       (uint32_t)(r->entry >> 32) * 0x8da6b343u ^
	       (uint32_t)(r->level << 16 | r->shift << 8 | r->marks << 4 | r->permission) * 0xd8163841u;
}

static void close_run(void)
{
	if (!run_open)
		return;
	list_checksum += fold(&run) * (2 * (uint32_t)run_total + 1);
	leaf_total += run.count;
	run_total++;
	run_open = false;
}

struct answer {
	uint64_t paddr, entry;
	uint8_t level, permission, shift;
};

static uint32_t request_count, translate_checksum;
static const uint32_t *address_lo, *address_hi;
static const uint8_t *writes;
static struct answer *answers;
static uint8_t *statuses;

static void fold_answers(void)
{
	uint32_t sum = 0;

	for (uint32_t row = 0; row < request_count; row++) {
		const struct answer *a = &answers[row];
		uint32_t folded = (uint32_t)(statuses[row] << 8 | a->level) * 0xd8163841u;

		if (statuses[row] == TRANSLATED)
			folded ^= (uint32_t)a->paddr * 0x9e3779b1u ^ (uint32_t)(a->paddr >> 32) * 0x85ebca6bu ^
				  (uint32_t)a->entry * 0xc2b2ae35u ^ (uint32_t)(a->entry >> 32) * 0x27d4eb2fu ^
				  (uint32_t)(a->shift << 8 | a->permission) * 0x165667b1u;
		sum += folded * (2 * row + 1);
	}
	translate_checksum = sum;
}

/* --- one walker for each format ------------------------------------------------------------------------------------ */

#define NESTED 0
#define TABLE_AT table_at
static enum status below(int needed, struct answer *answer);

#define F(name) vtd_##name
#include "walker.h"
#undef F
#define F(name) x86_##name
#include "walker.h"
#undef F
#define F(name) amd_##name
#include "walker.h"
#undef F
#define F(name) arm_##name
#include "walker.h"
#undef F
#define F(name) rv_##name
#include "walker.h"
#undef F

/* The result of the first stage, put through the second one. */
static enum status below(int needed, struct answer *answer)
{
	struct answer second = { 0 };
	enum status status = vtd_translate(second_root, answer->paddr, needed, &second);

	if (status != TRANSLATED) {
		answer->level = second.level;
		return status;
	}
	answer->paddr = second.paddr;
	answer->permission &= second.permission;
	return TRANSLATED;
}

/* A table of the first stage, whose address the second stage translates; the last ones are kept, direct-mapped. */
static const uint64_t *nested_table_at(uint64_t address)
{
	enum { KEPT = 1 << 15 };
	static struct { uint64_t address; const uint64_t *table; } kept[KEPT];
	uint64_t slot = address / FRAME_BYTES % KEPT;

	if (!kept[slot].table || kept[slot].address != address) {
		struct answer second = { 0 };

		if (vtd_translate(second_root, address, READ, &second) != TRANSLATED)
			return NULL;
		kept[slot].address = address;
		kept[slot].table = table_at(second.paddr);
	}
	return kept[slot].table;
}

#undef NESTED
#undef TABLE_AT
#define NESTED 1
#define TABLE_AT nested_table_at
#define F(name) nested_##name
#include "walker.h"
#undef F

static const struct {
	const char *name;
	void (*list)(void), (*translate)(void);
} formats[] = {
	{ "vtd", vtd_list_round, vtd_translate_round }, { "x86", x86_list_round, x86_translate_round },
	{ "amd", amd_list_round, amd_translate_round }, { "arm", arm_list_round, arm_translate_round },
	{ "riscv", rv_list_round, rv_translate_round }, { "nested", nested_list_round, nested_translate_round },
};

/* --- the program --------------------------------------------------------------------------------------------------- */

static void *map_file(const char *path, uint64_t *bytes)
{
	struct stat status;
	int file = open(path, O_RDONLY);

	if (file < 0 || fstat(file, &status) < 0) {
		perror(path);
		exit(1);
	}
	void *memory = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
	if (memory == MAP_FAILED) {
		perror(path);
		exit(1);
	}
	*bytes = status.st_size;
	return memory;
}

/* A file of 32-bit low halves, then high halves, then bytes: 1 is a write. */
static void load_requests(const char *path)
{
	uint64_t bytes;
	const uint8_t *file = map_file(path, &bytes);

	request_count = bytes / 9;
	address_lo = (const uint32_t *)file;
	address_hi = address_lo + request_count;
	writes = (const uint8_t *)(address_hi + request_count);
	answers = calloc(request_count, sizeof *answers);
	statuses = calloc(request_count, 1);
	if (!answers || !statuses)
		exit(1);
}

static uint64_t cpu_nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

int main(int count, char **arguments)
{
	char line[16];
	size_t format = 0, all = sizeof formats / sizeof *formats;

	bool list = count == 8 && strcmp(arguments[7], "list") == 0;

	if (!list && (count != 9 || strcmp(arguments[7], "translate") != 0)) {
		fprintf(stderr, "usage: limit IMAGE BASE FORMAT ROOT BELOW LEVELS list | translate REQUESTS\n");
		return 2;
	}
	image = map_file(arguments[1], &image_bytes);
	image_base = strtoull(arguments[2], NULL, 0);
	while (format < all && strcmp(formats[format].name, arguments[3]) != 0)
		format++;
	if (format == all)
		return 2;
	root = strtoull(arguments[4], NULL, 0);
	second_root = strtoull(arguments[5], NULL, 0);
	levels = atoi(arguments[6]);
	if (!list)
		load_requests(arguments[8]);
	while (fgets(line, sizeof line, stdin)) {
		uint64_t start = cpu_nanoseconds();
		(list ? formats[format].list : formats[format].translate)();
		uint64_t spent = cpu_nanoseconds() - start;
		printf("%llu %u %llu\n", (unsigned long long)spent, list ? list_checksum : translate_checksum,
		       (unsigned long long)(list ? leaf_total : request_count));
		fflush(stdout);
	}
	return 0;
}
