/*
 * The limit that the benchmarks are held against: the same work over the same image file, straight and in C.
 *
 *   limit IMAGE BASE ROOT LEVELS list
 *   limit IMAGE BASE ROOT LEVELS translate REQUESTS
 *
 * IMAGE holds physical memory from address BASE on; ROOT is the physical address of a VT-d second-stage root table of
 * LEVELS levels. For each line on stdin one round is run, and "<CPU nanoseconds> <checksum> <count>" is printed.
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
enum status { TRANSLATED, ADDRESS_WIDTH, NOT_PRESENT, ENTRY_RESERVED, READ_DENIED, WRITE_DENIED, TABLE_UNREADABLE, INTERRUPT_OUTPUT };

/* VT-d 4.1, section 9.8: second-stage paging entries. */
#define ADDRESS_BITS 0x000ffffffffff000ull
/* Section 3.14: 0xfee00000-0xfef00000. */
#define INTERRUPT_WINDOW 0xfee
#define PAGE_SIZE_BIT (1ull << 7)
#define RESERVED_TABLE ((1ull << 11) | (1ull << 62))

static const uint8_t *image;
static uint64_t image_base, image_bytes, root;
static int levels;

static const uint64_t *table_at(uint64_t address)
{
	uint64_t offset = address - image_base;

	return offset <= image_bytes - FRAME_BYTES ? (const uint64_t *)(image + offset) : NULL;
}

static int shift_of(int level)
{
	return 12 + 9 * (level - 1);
}

static bool is_leaf(uint64_t entry, int level)
{
	return level == 1 || (level <= 3 && (entry & PAGE_SIZE_BIT));
}

static bool is_reserved(uint64_t entry, int level, bool leaf)
{
	if (leaf)
		return entry & ADDRESS_BITS & ((1ull << shift_of(level)) - 1);
	return entry & (RESERVED_TABLE | (level > 3 ? PAGE_SIZE_BIT : 0));
}

/* --- merged runs --------------------------------------------------------------------------------------------------- */

struct run {
	uint64_t page, count, frame, entry_address, entry;
	int level, permission;
};

static struct run run;
/* Where the next leaf of the open run would stand, and what it would be; no word equals it when no run is open. */
static uint64_t next_page, next_entry, run_total, leaf_total;
static bool run_open;
static uint32_t list_checksum;

static uint32_t fold(const struct run *r)
{
	return (uint32_t)r->page * 0x9e3779b1u ^ (uint32_t)(r->page >> 32) * 0x85ebca6bu ^
	       (uint32_t)r->count * 0xc2b2ae35u ^ (uint32_t)r->frame * 0x27d4eb2fu ^
	       (uint32_t)(r->frame >> 32) * 0x165667b1u ^ (uint32_t)r->entry_address * 0xd3a2646du ^
	       (uint32_t)(r->entry_address >> 32) * 0xfd7046c5u ^ (uint32_t)r->entry * 0xb55a4f09u ^
	       (uint32_t)(r->entry >> 32) * 0x8da6b343u ^ (uint32_t)(r->level << 8 | r->permission) * 0xd8163841u;
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

static void add_leaf(int level, uint64_t page, uint64_t entry, int permission, uint64_t entry_address)
{
	uint64_t pages = 1ull << (shift_of(level) - 12);

	if (run_open && page == next_page && entry == next_entry && level == run.level && permission == run.permission) {
		run.count++;
	} else {
		close_run();
		run = (struct run){ page, 1, (entry & ADDRESS_BITS) >> 12, entry_address, entry, level, permission };
		run_open = true;
	}
	next_page = page + pages;
	next_entry = entry + (pages << 12);
}

static void list_table(uint64_t address, int level, uint64_t base, int permission)
{
	const uint64_t *table = table_at(address);

	if (!table) {
		close_run();
		return;
	}
	for (int index = 0; index < ENTRIES; index++) {
		uint64_t entry = table[index];
		uint64_t page = base + ((uint64_t)index << (shift_of(level) - 12));

		if (level == 1 && run_open && run.level == 1 && page == next_page &&
		    run.permission == (permission & (int)(next_entry & (READ | WRITE)))) {
			uint64_t expected = next_entry;
			int first = index;

			while (index < ENTRIES && table[index] == expected) {
				index++;
				expected += FRAME_BYTES;
			}
			run.count += index - first;
			next_page += index - first;
			next_entry = expected;
			if (index == ENTRIES)
				return;
			entry = table[index];
			page = base + index;
		}
		if (!(entry & (READ | WRITE))) {
			close_run();
			continue;
		}
		bool leaf = is_leaf(entry, level);
		if (is_reserved(entry, level, leaf)) {
			close_run();
			continue;
		}
		int allowed = permission & (int)(entry & (READ | WRITE));
		if (leaf)
			add_leaf(level, page, entry, allowed, address + 8 * index);
		else
			list_table(entry & ADDRESS_BITS, level - 1, page, allowed);
	}
}

static void list_round(void)
{
	run_open = false;
	run_total = leaf_total = 0;
	list_checksum = 0;
	list_table(root, levels, 0, READ | WRITE);
	close_run();
}

/* --- translation --------------------------------------------------------------------------------------------------- */

static uint32_t request_count, translate_checksum;
static const uint32_t *address_lo, *address_hi;
static const uint8_t *writes;
static uint64_t *paddrs, *entries;
static uint8_t *statuses, *result_levels, *permissions;

static enum status translate(uint32_t row)
{
	uint64_t iova = (uint64_t)address_hi[row] << 32 | address_lo[row];
	int needed = writes[row] ? WRITE : READ;
	int permission = READ | WRITE;
	uint64_t table_address = root;

	result_levels[row] = 0;
	if (iova >> shift_of(levels + 1))
		return ADDRESS_WIDTH;
	for (int level = levels; level > 0; level--) {
		const uint64_t *table = table_at(table_address);

		result_levels[row] = level;
		if (!table)
			return TABLE_UNREADABLE;
		uint64_t entry = table[(iova >> shift_of(level)) & (ENTRIES - 1)];
		if (!(entry & (READ | WRITE)))
			return NOT_PRESENT;
		bool leaf = is_leaf(entry, level);
		if (is_reserved(entry, level, leaf))
			return ENTRY_RESERVED;
		permission &= (int)(entry & (READ | WRITE));
		if (!(permission & needed))
			return needed == WRITE ? WRITE_DENIED : READ_DENIED;
		if (leaf) {
			uint64_t offset = (1ull << shift_of(level)) - 1;

			uint64_t paddr = (entry & ADDRESS_BITS & ~offset) | (iova & offset);

			if (paddr >> 20 == INTERRUPT_WINDOW)
				return INTERRUPT_OUTPUT;
			permissions[row] = permission;
			paddrs[row] = paddr;
			entries[row] = entry;
			return TRANSLATED;
		}
		table_address = entry & ADDRESS_BITS;
	}
	return TABLE_UNREADABLE;
}

static void translate_round(void)
{
	uint32_t sum = 0;

	for (uint32_t row = 0; row < request_count; row++)
		statuses[row] = translate(row);
	for (uint32_t row = 0; row < request_count; row++) {
		uint32_t folded = (uint32_t)(statuses[row] << 8 | result_levels[row]) * 0xd8163841u;

		if (statuses[row] == TRANSLATED)
			folded ^= (uint32_t)paddrs[row] * 0x9e3779b1u ^ (uint32_t)(paddrs[row] >> 32) * 0x85ebca6bu ^
				  (uint32_t)entries[row] * 0xc2b2ae35u ^ (uint32_t)(entries[row] >> 32) * 0x27d4eb2fu ^
				  (uint32_t)permissions[row] * 0x165667b1u;
		sum += folded * (2 * row + 1);
	}
	translate_checksum = sum;
}

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
	paddrs = calloc(request_count, sizeof *paddrs);
	entries = calloc(request_count, sizeof *entries);
	statuses = calloc(request_count, 1);
	result_levels = calloc(request_count, 1);
	permissions = calloc(request_count, 1);
	if (!paddrs || !entries || !statuses || !result_levels || !permissions)
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

	bool list = count == 6 && strcmp(arguments[5], "list") == 0;

	if (!list && (count != 7 || strcmp(arguments[5], "translate") != 0)) {
		fprintf(stderr, "usage: limit IMAGE BASE ROOT LEVELS list | translate REQUESTS\n");
		return 2;
	}
	image = map_file(arguments[1], &image_bytes);
	image_base = strtoull(arguments[2], NULL, 0);
	root = strtoull(arguments[3], NULL, 0);
	levels = atoi(arguments[4]);
	if (!list)
		load_requests(arguments[6]);
	while (fgets(line, sizeof line, stdin)) {
		uint64_t start = cpu_nanoseconds();
		if (list)
			list_round();
		else
			translate_round();
		uint64_t spent = cpu_nanoseconds() - start;
		printf("%llu %u %llu\n", (unsigned long long)spent, list ? list_checksum : translate_checksum,
		       (unsigned long long)(list ? leaf_total : request_count));
		fflush(stdout);
	}
	return 0;
}
