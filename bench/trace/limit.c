// What indexing ftrace text costs at least: the columns of src/trace/model/columns.ts out of the same lines, packed as chunk.ts packs
// them. One pass over each line, no copies, no allocation in the loop. Reads a line from standard input for each round.
// usage: limit FILE
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK_ROWS = 65536, CHUNK_BYTES = 8 << 20, BLOCK = 1 << 20, LONGEST = 1 << 16, TASKS = 4096 };
enum { OFFSET, LENGTH, OPERATION, EVENT, TIME, CPU, TASK, IOVA, IOVA_LOW, SIZE, PADDR, PADDR_LOW, DONE, COLUMNS };
enum { UNKNOWN = 0, MAP = 3, UNMAP = 4 };

static double column[COLUMNS][CHUNK_ROWS];
static int rows;
static struct task { uint64_t hash; uint32_t bytes; int id; char text[64]; } tasks[TASKS];
static int task_count;
static uint64_t total_rows, total_maps, total_unmaps, total_packed, checksum;
static uint8_t *packed;

static const int8_t hex_digit[256] = {
    ['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7, ['7'] = 8, ['8'] = 9, ['9'] = 10,
    ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

static inline bool decimal(const char **at, const char *end, uint64_t *value) {
    const char *p = *at;
    uint64_t v = 0;
    while (p < end && (unsigned)(*p - '0') < 10) v = v * 10 + (uint64_t)(*p++ - '0');
    if (p == *at) return false;
    *at = p;
    *value = v;
    return true;
}

static inline bool hexadecimal(const char **at, const char *end, uint64_t *value) {
    const char *p = *at;
    uint64_t v = 0;
    int digit;
    while (p < end && (digit = hex_digit[(uint8_t)*p]) != 0) v = v << 4 | (uint64_t)(digit - 1), p++;
    if (p == *at || p - *at > 16) return false;
    *at = p;
    *value = v;
    return true;
}

static inline bool text(const char **at, const char *end, const char *what, size_t bytes) {
    if ((size_t)(end - *at) < bytes || memcmp(*at, what, bytes) != 0) return false;
    *at += bytes;
    return true;
}
#define TEXT(at, end, what) text(at, end, what, sizeof(what) - 1)

static inline const char *blanks(const char *p, const char *end) {
    while (p < end && *p == ' ') p++;
    return p;
}

// Name, number and group of a task, as they are padded, give its number.
static int task_of(const char *start, const char *end) {
    uint64_t hash = 0xcbf29ce484222325ull;
    const char *p = start;
    for (; end - p >= 8; p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
        hash ^= hash >> 32;
    }
    for (; p < end; p++) hash = (hash ^ (uint8_t)*p) * 0x100000001b3ull;
    uint32_t bytes = (uint32_t)(end - start);
    for (uint32_t slot = (uint32_t)(hash >> 32) % TASKS;; slot = (slot + 1) % TASKS) {
        struct task *task = &tasks[slot];
        if (task->hash == hash && task->bytes == bytes && memcmp(task->text, start, bytes < 64 ? bytes : 64) == 0) return task->id;
        if (task->bytes != 0) continue;
        task->hash = hash;
        task->bytes = bytes;
        task->id = task_count++;
        memcpy(task->text, start, bytes < 64 ? bytes : 64);
        return task->id;
    }
}

// TASK-PID (TGID) [CPU] flags time: event: what it says
static bool parse(const char *start, const char *end, int row) {
    const char *p = start + 16;
    uint64_t pid, cpu, seconds, fraction, iova, behind, paddr = 0, size, done;
    if (end - start < 17 || *p != '-') {
        for (p = start; p < end && !(*p == '-' && p + 1 < end && (unsigned)(p[1] - '0') < 10);) p++;
        if (p == end) return false;
    }
    p++;
    if (!decimal(&p, end, &pid)) return false;
    p = blanks(p, end);
    if (p < end && *p == '(') {
        while (p < end && *p != ')') p++;
        p = blanks(p + 1, end);
    }
    if (p >= end || *p != '[') return false;
    int task = task_of(start, p);
    p++;
    if (!decimal(&p, end, &cpu) || !TEXT(&p, end, "] ")) return false;
    while (p < end && *p != ' ') p++;
    p = blanks(p, end);
    if (!decimal(&p, end, &seconds) || !TEXT(&p, end, ".")) return false;
    const char *point = p;
    if (!decimal(&p, end, &fraction) || p - point != 6 || !TEXT(&p, end, ": ")) return false;
    int operation = TEXT(&p, end, "map: ") ? MAP : TEXT(&p, end, "unmap: ") ? UNMAP : UNKNOWN;
    if (operation == UNKNOWN) return false;
    if (!TEXT(&p, end, "IOMMU: iova=0x") || !hexadecimal(&p, end, &iova)) return false;
    if (!TEXT(&p, end, " - 0x") || !hexadecimal(&p, end, &behind)) return false;
    if (operation == MAP && !(TEXT(&p, end, " paddr=0x") && hexadecimal(&p, end, &paddr))) return false;
    if (!TEXT(&p, end, " size=") || !decimal(&p, end, &size) || behind != iova + size) return false;
    column[DONE][row] = __builtin_nan("");
    if (operation == UNMAP) {
        if (!TEXT(&p, end, " unmapped_size=") || !decimal(&p, end, &done)) return false;
        if (done != size) column[DONE][row] = (double)done;
    }
    if (p != end) return false;
    column[OPERATION][row] = operation;
    column[EVENT][row] = operation - MAP;
    column[TIME][row] = (double)(seconds * 1000000000 + fraction * 1000);
    column[CPU][row] = (double)cpu;
    column[TASK][row] = task;
    column[IOVA][row] = (double)(iova >> 12);
    column[IOVA_LOW][row] = (double)(iova & 4095);
    column[SIZE][row] = (double)size;
    column[PADDR][row] = operation == MAP ? (double)(paddr >> 12) : __builtin_nan("");
    column[PADDR_LOW][row] = operation == MAP ? (double)(paddr & 4095) : __builtin_nan("");
    return true;
}

static uint64_t pack(const double *numbers, double scale) {
    double low = __builtin_inf(), high = -__builtin_inf();
    int absent = 0;
    for (int row = 0; row < rows; row++) {
        double n = numbers[row];
        absent += n != n;
        if (n < low) low = n;
        if (n > high) high = n;
    }
    if (absent == rows || (low == high && absent == 0)) return 8;
    if (scale > 1) {
        double inverse = 1 / scale;
        for (int row = 0; row < rows; row++) {
            double n = numbers[row];
            if (n == n && (double)(int64_t)((n - low) * inverse) * scale != n - low) {
                scale = 1;
                break;
            }
        }
    }
    double span = (high - low) / scale, inverse = 1 / scale;
    if (span < 255) {
        for (int row = 0; row < rows; row++) {
            double n = numbers[row];
            packed[row] = n != n ? 255 : (uint8_t)((n - low) * inverse);
        }
        return (uint64_t)rows;
    }
    if (span < 65535) {
        uint16_t *values = (uint16_t *)packed;
        for (int row = 0; row < rows; row++) {
            double n = numbers[row];
            values[row] = n != n ? 65535 : (uint16_t)((n - low) * inverse);
        }
        return 2 * (uint64_t)rows;
    }
    if (span < 4294967295.0) {
        uint32_t *values = (uint32_t *)packed;
        for (int row = 0; row < rows; row++) {
            double n = numbers[row];
            values[row] = n != n ? 4294967295u : (uint32_t)(int64_t)((n - low) * inverse);
        }
        return 4 * (uint64_t)rows;
    }
    memcpy(packed, numbers, 8 * (size_t)rows);
    return 8 * (uint64_t)rows;
}

// Counts, the zone, and the packed columns: what a chunk is when it has been read.
static void finish_chunk(void) {
    double first_page = __builtin_inf(), last_page = -__builtin_inf();
    uint64_t counts[16] = {0};
    for (int row = 0; row < rows; row++) {
        counts[(int)column[OPERATION][row] & 15]++;
        double last = column[IOVA][row] + column[SIZE][row] / 4096;
        if (column[IOVA][row] < first_page) first_page = column[IOVA][row];
        if (last > last_page) last_page = last;
        checksum += (uint64_t)column[IOVA][row];
    }
    total_maps += counts[MAP];
    total_unmaps += counts[UNMAP];
    total_rows += (uint64_t)rows;
    for (int c = 0; c < COLUMNS; c++) total_packed += pack(column[c], c == TIME ? 1000 : c == SIZE || c == DONE ? 4096 : 1);
    rows = 0;
}

static void read_all(const char *path) {
    static char block[BLOCK];
    int file = open(path, O_RDONLY);
    if (file < 0) exit(1);
    size_t filled = 0;
    uint64_t base = 0, chunk_start = 0;
    for (;;) {
        ssize_t got = read(file, block + filled, BLOCK - filled);
        if (got < 0) exit(1);
        filled += (size_t)got;
        const char *at = block, *limit = block + filled;
        while (at < limit) {
            const char *end = memchr(at, '\n', (size_t)(limit - at));
            if (!end) {
                if (got != 0) break;
                end = limit;
            }
            if (*at != '#') {
                column[OFFSET][rows] = (double)(base + (uint64_t)(at - block));
                column[LENGTH][rows] = (double)(end - at);
                if (!parse(at, end, rows)) {
                    for (int c = OPERATION; c < COLUMNS; c++) column[c][rows] = __builtin_nan("");
                    column[OPERATION][rows] = UNKNOWN;
                }
                rows++;
            }
            at = end < limit ? end + 1 : limit;
            uint64_t here = base + (uint64_t)(at - block);
            if (rows == CHUNK_ROWS || here - chunk_start >= CHUNK_BYTES) {
                finish_chunk();
                chunk_start = here;
            }
        }
        size_t used = (size_t)(at - block);
        memmove(block, at, filled - used);
        base += used;
        filled -= used;
        if (got == 0) break;
    }
    if (rows > 0) finish_chunk();
    close(file);
}

int main(int count, char **arguments) {
    if (count != 2) return 1;
    packed = aligned_alloc(64, 8 * CHUNK_ROWS);
    char line[16];
    while (fgets(line, sizeof line, stdin)) {
        struct timespec before, after;
        total_rows = total_maps = total_unmaps = total_packed = checksum = 0;
        task_count = 0;
        memset(tasks, 0, sizeof tasks);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
        read_all(arguments[1]);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
        int64_t nanoseconds = (after.tv_sec - before.tv_sec) * 1000000000ll + (after.tv_nsec - before.tv_nsec);
        printf("%lld %llu %llu %llu %llu %llu\n", (long long)nanoseconds, (unsigned long long)total_rows, (unsigned long long)total_maps,
               (unsigned long long)total_unmaps, (unsigned long long)total_packed, (unsigned long long)checksum);
        fflush(stdout);
    }
    return 0;
}
