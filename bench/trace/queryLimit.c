// What a filter over columns costs at least: one plain loop a filter over flat columns, its answers as bits. The columns are those that
// query.ts writes, one after the other. Reads the number of a filter for each round; writes its milliseconds of CPU and how many rows match.
// usage: queryLimit FILE ROWS
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAP = 3, UNMAP = 4, DD = 0 };

static size_t rows;
static uint8_t *operation, *cpu, *task;
static double *when;
static uint32_t *iova, *size, *paddr;
static uint64_t *bits;

static void *column(FILE *file, size_t bytes) {
    void *data = malloc(rows * bytes + 512);
    if (!data || fread(data, bytes, rows, file) != rows) exit(2);
    return data;
}

// The answers of 64 rows are bytes first, which compilers can do many at a time, and one word then.
#define SCAN(condition)                                                                                              \
    for (size_t from = 0; from < rows; from += 64) {                                                                 \
        size_t count = rows - from < 64 ? rows - from : 64;                                                          \
        uint8_t answers[64] = {0};                                                                                   \
        for (size_t i = 0; i < count; i++) {                                                                         \
            size_t row = from + i;                                                                                   \
            answers[i] = (condition);                                                                                \
        }                                                                                                            \
        uint64_t word = 0;                                                                                           \
        for (size_t i = 0; i < 64; i++) word |= (uint64_t)answers[i] << i;                                           \
        bits[from >> 6] = word;                                                                                      \
    }

#define TOUCHES(page, from, to) ((page) < (to) && (uint64_t)(page) * 4096 + size[row] > (uint64_t)(from) * 4096)

static void scan(int filter) {
    switch (filter) {
    case 0: SCAN(operation[row] == MAP) break;
    case 1: SCAN((operation[row] == UNMAP) & (size[row] >= 65536)) break;
    case 2: SCAN(TOUCHES(iova[row], 0xc0000u, 0xc0100u)) break;
    // No row has flags here, so that none failed.
    case 3: SCAN((task[row] == DD) & ((cpu[row] == 1) | (size[row] > 65536))) break;
    case 4: SCAN(((when[row] >= 1.1e9) & (when[row] < 1.2e9)) | TOUCHES(paddr[row], 0x140000u, 0x180000u)) break;
    default: exit(2);
    }
}

int main(int argc, char **argv) {
    FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;
    if (!file) return 2;
    rows = strtoull(argv[2], NULL, 10);
    operation = column(file, 1);
    when = column(file, 8);
    cpu = column(file, 1);
    task = column(file, 1);
    iova = column(file, 4);
    size = column(file, 4);
    paddr = column(file, 4);
    bits = calloc(rows / 64 + 1, 8);
    for (int filter; scanf("%d", &filter) == 1;) {
        struct timespec start, end;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
        scan(filter);
        uint64_t matches = 0;
        for (size_t i = 0; i <= rows / 64; i++) matches += (uint64_t)__builtin_popcountll(bits[i]);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
        double ms = (double)(end.tv_sec - start.tv_sec) * 1e3 + (double)(end.tv_nsec - start.tv_nsec) / 1e6;
        printf("%.3f %llu\n", ms, (unsigned long long)matches);
        fflush(stdout);
    }
    return 0;
}
