/*
 * What the limit knows of each format: small functions that the compiler puts in their places. Levels are depths, 1 =
 * leaf-most; all tables here have 512 entries and pages of 4 KiB. Numbers of bits are those of docs/formats/.
 */
#define BIT(n) (1ull << (n))
#define BITS(high, low) ((~0ull >> (63 - (high))) & (~0ull << (low)))

static inline int shift_of(int level)
{
	return 12 + 9 * (level - 1);
}

/* Bits 51:12 in their place: VT-d, x86-64, AMD. */
#define PLAIN_ADDRESS BITS(51, 12)

/* --- VT-d second stage: VT-d 4.1, section 9.8 ---------------------------------------------------------------------- */

/* Section 3.14: 0xfee00000-0xfef00000. */
static inline bool vtd_forbidden(uint64_t paddr) { return paddr >> 20 == 0xfee; }
static inline bool vtd_takes(uint64_t iova, int levels) { return iova >> shift_of(levels + 1) == 0; }
static inline bool vtd_present(uint64_t e) { return e & 3; }
static inline bool vtd_leaf(uint64_t e, int level) { return level == 1 || (level <= 3 && (e & BIT(7))); }
static inline enum status vtd_check(uint64_t e, int level, bool leaf)
{
	uint64_t reserved = leaf ? (BIT(shift_of(level)) - 1) & PLAIN_ADDRESS
				 : BIT(11) | BIT(62) | (level > 3 ? BIT(7) : 0);
	return e & reserved ? ENTRY_RESERVED : TRANSLATED;
}
static inline int vtd_allows(uint64_t e, bool leaf) { (void)leaf; return e & 3; }
static inline enum status vtd_marks_fault(uint64_t e, int permission, int needed) { (void)e; (void)permission; (void)needed; return TRANSLATED; }
static inline int vtd_next(uint64_t e, int level) { (void)e; return level - 1; }
static inline uint64_t vtd_address(uint64_t e) { return e & PLAIN_ADDRESS; }
static inline uint64_t vtd_changing(uint64_t e) { (void)e; return BIT(8) | BIT(9); }
static inline int vtd_marks(uint64_t e) { return (e & BIT(8) ? 1 : 0) | (e & BIT(9) ? 2 : 0); }
static inline int vtd_page_shift(uint64_t e, int level) { (void)e; return shift_of(level); }
enum { vtd_run_step = 0, vtd_word_shift = 0, vtd_denies_at_leaf = 0 };

/* --- x86-64: VT-d 4.1, section 9.7 --------------------------------------------------------------------------------- */

static inline bool x86_forbidden(uint64_t paddr) { (void)paddr; return false; }
static inline bool x86_takes(uint64_t iova, int levels)
{
	int unused = 64 - shift_of(levels + 1);
	return (uint64_t)((int64_t)(iova << unused) >> unused) == iova;
}
static inline bool x86_present(uint64_t e) { return e & 1; }
static inline bool x86_leaf(uint64_t e, int level) { return vtd_leaf(e, level); }
static inline enum status x86_check(uint64_t e, int level, bool leaf)
{
	uint64_t reserved = leaf ? (level > 1 ? BITS(shift_of(level) - 1, 13) : 0) : level > 3 ? BIT(7) : 0;
	return e & reserved ? ENTRY_RESERVED : TRANSLATED;
}
static inline int x86_allows(uint64_t e, bool leaf)
{
	(void)leaf;
	return e & BIT(2) ? READ | (int)(e & BIT(1)) : 0;
}
static inline enum status x86_marks_fault(uint64_t e, int permission, int needed) { return vtd_marks_fault(e, permission, needed); }
static inline int x86_next(uint64_t e, int level) { (void)e; return level - 1; }
static inline uint64_t x86_address(uint64_t e) { return e & PLAIN_ADDRESS; }
static inline uint64_t x86_changing(uint64_t e) { (void)e; return BIT(5) | BIT(6); }
static inline int x86_marks(uint64_t e) { return (e & BIT(5) ? 1 : 0) | (e & BIT(6) ? 2 : 0); }
static inline int x86_page_shift(uint64_t e, int level) { (void)e; return shift_of(level); }
enum { x86_run_step = 0, x86_word_shift = 0, x86_denies_at_leaf = 0 };

/* --- AMD host tables: AMD 48882, section 2.2.3 --------------------------------------------------------------------- */

static inline bool amd_forbidden(uint64_t paddr) { (void)paddr; return false; }
static inline bool amd_takes(uint64_t iova, int levels) { return vtd_takes(iova, levels); }
static inline bool amd_present(uint64_t e) { return e & 1; }
static inline int amd_next(uint64_t e, int level) { (void)level; return (e >> 9) & 7; }
static inline bool amd_leaf(uint64_t e, int level) { (void)level; return amd_next(e, 0) == 0 || amd_next(e, 0) == 7; }
/* Next level 7: the lowest clear bit of the address says the size. */
static inline int amd_page_shift(uint64_t e, int level)
{
	return amd_next(e, 0) == 7 ? 1 + __builtin_ctzll(~(e | BITS(11, 0))) : shift_of(level);
}
static inline enum status amd_check(uint64_t e, int level, bool leaf)
{
	if (leaf) {
		int shift = amd_page_shift(e, level);
		bool legal = amd_next(e, 0) == 0 || (shift > shift_of(level) && shift < shift_of(level + 1));
		return e & BITS(56, 52) || !legal ? ENTRY_RESERVED : TRANSLATED;
	}
	if (amd_next(e, 0) >= level)
		return LEVEL_SKIP;
	return e & BITS(60, 52) ? ENTRY_RESERVED : TRANSLATED;
}
static inline int amd_allows(uint64_t e, bool leaf) { (void)leaf; return (e >> 61) & 3; }
static inline enum status amd_marks_fault(uint64_t e, int permission, int needed) { return vtd_marks_fault(e, permission, needed); }
static inline uint64_t amd_address(uint64_t e) { return e & PLAIN_ADDRESS; }
static inline uint64_t amd_changing(uint64_t e) { return x86_changing(e); }
static inline int amd_marks(uint64_t e) { return x86_marks(e); }
enum { amd_run_step = 0, amd_word_shift = 0, amd_denies_at_leaf = 0 };

/* --- Arm stage 1, 4K granule: Arm DDI 0487, section D8.3.1 --------------------------------------------------------- */

static inline bool arm_forbidden(uint64_t paddr) { (void)paddr; return false; }
static inline bool arm_takes(uint64_t iova, int levels) { return vtd_takes(iova, levels); }
static inline bool arm_present(uint64_t e) { return e & 1; }
static inline bool arm_leaf(uint64_t e, int level) { return level == 1 || !(e & BIT(1)); }
static inline enum status arm_check(uint64_t e, int level, bool leaf)
{
	if (!leaf)
		return TRANSLATED;
	return (level == 1 && !(e & BIT(1))) || level == 4 ? ENTRY_RESERVED : TRANSLATED;
}
static inline int arm_allows(uint64_t e, bool leaf)
{
	if (leaf)
		return e & BIT(6) ? (e & BIT(7) ? READ : READ | WRITE) : 0;
	return e & BIT(61) ? 0 : e & BIT(62) ? READ : READ | WRITE;
}
static inline enum status arm_marks_fault(uint64_t e, int permission, int needed)
{
	(void)permission;
	(void)needed;
	return e & BIT(10) ? TRANSLATED : ACCESS_FLAG;
}
static inline int arm_next(uint64_t e, int level) { (void)e; return level - 1; }
static inline uint64_t arm_address(uint64_t e) { return e & BITS(47, 12); }
static inline uint64_t arm_changing(uint64_t e) { return BIT(10) | (e & BIT(51) ? BIT(7) : 0); }
static inline int arm_marks(uint64_t e) { return (e & BIT(10) ? 1 : 0) | ((e & (BIT(51) | BIT(7))) == BIT(51) ? 2 : 0); }
static inline int arm_page_shift(uint64_t e, int level) { return shift_of(level) + (e & BIT(52) && level < 4 ? 4 : 0); }
enum { arm_run_step = 1, arm_word_shift = 0, arm_denies_at_leaf = 1 };

/* --- RISC-V Sv48: RISC-V Privileged, sections 4.5, 5 and 6 --------------------------------------------------------- */

static inline bool rv_forbidden(uint64_t paddr) { (void)paddr; return false; }
static inline bool rv_takes(uint64_t iova, int levels) { return x86_takes(iova, levels); }
static inline bool rv_present(uint64_t e) { return e & 1; }
static inline bool rv_leaf(uint64_t e, int level) { return level == 1 || (e & 0xe); }
static inline enum status rv_check(uint64_t e, int level, bool leaf)
{
	if (!leaf)
		return e & (BITS(58, 54) | BIT(4) | BIT(6) | BIT(7) | BITS(63, 61)) ? ENTRY_RESERVED : TRANSLATED;
	uint64_t reserved = BITS(58, 54) | (level > 1 ? BIT(63) | BITS(shift_of(level) - 3, 10) : 0);
	bool illegal = (e & 6) == 4 || (e & BITS(62, 61)) == BITS(62, 61) ||
		       (level == 1 && (!(e & 0xe) || (e & BIT(63) && (e & BITS(13, 10)) != BIT(13))));
	return e & reserved || illegal ? ENTRY_RESERVED : TRANSLATED;
}
static inline int rv_allows(uint64_t e, bool leaf)
{
	if (!leaf)
		return READ | WRITE;
	return e & BIT(4) ? (int)(e >> 1) & 3 : 0;
}
static inline enum status rv_marks_fault(uint64_t e, int permission, int needed)
{
	if (!(permission & needed))
		return TRANSLATED;
	return !(e & BIT(6)) ? ACCESS_FLAG : needed == WRITE && !(e & BIT(7)) ? DIRTY_FLAG : TRANSLATED;
}
static inline int rv_next(uint64_t e, int level) { (void)e; return level - 1; }
static inline uint64_t rv_address(uint64_t e) { return (e & BITS(53, 10)) << 2; }
static inline uint64_t rv_changing(uint64_t e) { (void)e; return BIT(6) | BIT(7); }
static inline int rv_marks(uint64_t e) { return (e & BIT(6) ? 1 : 0) | (e & BIT(7) ? 2 : 0); }
static inline int rv_page_shift(uint64_t e, int level) { return shift_of(level) + (e & BIT(63) ? 4 : 0); }
enum { rv_run_step = 0, rv_word_shift = 2, rv_denies_at_leaf = 0 };

/* --- x86-64 over VT-d second stage --------------------------------------------------------------------------------- */

#define nested_forbidden x86_forbidden
#define nested_takes x86_takes
#define nested_present x86_present
#define nested_leaf x86_leaf
#define nested_check x86_check
#define nested_allows x86_allows
#define nested_marks_fault x86_marks_fault
#define nested_next x86_next
#define nested_address x86_address
#define nested_changing x86_changing
#define nested_marks x86_marks
#define nested_page_shift x86_page_shift
enum { nested_run_step = 0, nested_word_shift = 0, nested_denies_at_leaf = 0 };
