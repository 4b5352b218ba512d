/** Memory types of Intel processors, as EPT and VT-d second-stage leaves give them in three bits (SDM 3A §12.3). */
const MEMORY_TYPES = ['UC', 'WC', 'reserved', 'reserved', 'WT', 'WP', 'WB', 'reserved'];

export const memoryType = (value: bigint): string => `memory type ${MEMORY_TYPES[Number(value)] ?? ''}`;
