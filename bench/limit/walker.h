/* One list and one translation for the format F(...); included once for each. TABLE_AT finds a table by its address. */

/* --- merged runs --------------------------------------------------------------------------------------------------- */

static inline void F(add)(int level, int shift, uint64_t page, uint64_t entry, int marks, int permission,
			  uint64_t entry_address)
{
	uint64_t same = entry & ~F(changing)(entry);

	if (run_open && page == next_page && same == next_same && shift == run.shift && level == run.level &&
	    marks == run.marks && permission == run.permission) {
		run.count++;
	} else {
		close_run();
		uint64_t frame = F(address)(entry) >> 12 >> (shift - 12) << (shift - 12);
		run = (struct run){ page, 1, frame, entry_address, entry, level, shift, marks, permission };
		run_open = true;
	}
	next_page = page + (1ull << (shift - 12));
	next_entry = entry + (1ull << (shift - F(word_shift)));
	next_same = same + (1ull << (shift - F(word_shift)));
}

/* Adds the page of several entries that begins at an entry; gives how many it took. */
static int F(add_run)(const uint64_t *table, int index, int level, int shift, uint64_t page, int permission,
		      uint64_t entry_address)
{
	int count = 1 << (shift - shift_of(level)), marks = 0;
	uint64_t entry = table[index], step = F(run_step) ? 1ull << shift_of(level) : 0;
	bool whole = index % count == 0;

	for (int part = 0; whole && part < count; part++) {
		uint64_t other = table[index + part];

		marks |= F(marks)(other);
		whole = (other & ~F(changing)(other)) == (entry & ~F(changing)(entry)) + part * step;
	}
	if (!whole)
		exit(3);
	F(add)(level, shift, page, entry, marks, permission, entry_address);
	return count;
}

static void F(list_table)(uint64_t address, int level, uint64_t base, int permission)
{
	const uint64_t *table = TABLE_AT(address);

	if (!table) {
		close_run();
		return;
	}
	for (int index = 0; index < ENTRIES;) {
		uint64_t entry = table[index];
		uint64_t page = base + ((uint64_t)index << (shift_of(level) - 12));

		if (level == 1 && run_open && run.shift == 12 && page == next_page &&
		    run.permission == (permission & F(allows)(next_entry, true))) {
			uint64_t expected = next_entry;
			int first = index;

			while (index < ENTRIES && table[index] == expected) {
				index++;
				expected += 1ull << (12 - F(word_shift));
			}
			run.count += index - first;
			next_page += index - first;
			next_same += (uint64_t)(index - first) << (12 - F(word_shift));
			next_entry = expected;
			if (index == ENTRIES)
				return;
			entry = table[index];
			page = base + index;
		}
		bool leaf = F(leaf)(entry, level);
		if (!F(present)(entry) || F(check)(entry, level, leaf) != TRANSLATED) {
			close_run();
			index++;
			continue;
		}
		int allowed = permission & F(allows)(entry, leaf);
		if (!leaf) {
			F(list_table)(F(address)(entry), F(next)(entry, level), page, allowed);
			index++;
			continue;
		}
		int shift = F(page_shift)(entry, level);
		if (shift == shift_of(level)) {
			F(add)(level, shift, page, entry, F(marks)(entry), allowed, address + 8 * index);
			index++;
		} else {
			index += F(add_run)(table, index, level, shift, page, allowed, address + 8 * index);
		}
	}
}

static void F(list_round)(void)
{
	run_open = false;
	run_total = leaf_total = 0;
	list_checksum = 0;
	F(list_table)(root, levels, 0, READ | WRITE);
	close_run();
}

/* --- translation --------------------------------------------------------------------------------------------------- */

static inline enum status F(translate)(uint64_t root, uint64_t iova, int needed, struct answer *answer)
{
	int permission = READ | WRITE;
	uint64_t table_address = root;

	answer->level = 0;
	if (!F(takes)(iova, levels))
		return ADDRESS_WIDTH;
	for (int level = levels; level > 0;) {
		const uint64_t *table = TABLE_AT(table_address);

		answer->level = level;
		if (!table)
			return TABLE_UNREADABLE;
		uint64_t entry = table[(iova >> shift_of(level)) & (ENTRIES - 1)];
		if (!F(present)(entry))
			return NOT_PRESENT;
		bool leaf = F(leaf)(entry, level);
		enum status status = F(check)(entry, level, leaf);
		if (status != TRANSLATED)
			return status;
		permission &= F(allows)(entry, leaf);
		if (leaf && (status = F(marks_fault)(entry, permission, needed)) != TRANSLATED)
			return status;
		if (!(permission & needed) && (leaf || !F(denies_at_leaf)))
			return needed == WRITE ? WRITE_DENIED : READ_DENIED;
		if (leaf) {
			int shift = F(page_shift)(entry, level);
			uint64_t offset = (1ull << (F(run_step) ? shift_of(level) : shift)) - 1;
			uint64_t paddr = (F(address)(entry) & ~offset) | (iova & offset);

			if (F(forbidden)(paddr))
				return INTERRUPT_OUTPUT;
			answer->permission = permission;
			answer->paddr = paddr;
			answer->entry = entry;
			answer->shift = shift;
			return TRANSLATED;
		}
		int next = F(next)(entry, level);
		if (next < level - 1 && iova >> shift_of(next + 1) & (BIT(shift_of(level) - shift_of(next + 1)) - 1))
			return LEVEL_SKIP;
		table_address = F(address)(entry);
		level = next;
	}
	return TABLE_UNREADABLE;
}

static void F(translate_round)(void)
{
	for (uint32_t row = 0; row < request_count; row++) {
		uint64_t iova = (uint64_t)address_hi[row] << 32 | address_lo[row];
		int needed = writes[row] ? WRITE : READ;

		statuses[row] = F(translate)(root, iova, needed, &answers[row]);
		if (NESTED && statuses[row] == TRANSLATED)
			statuses[row] = below(needed, &answers[row]);
	}
	fold_answers();
}
