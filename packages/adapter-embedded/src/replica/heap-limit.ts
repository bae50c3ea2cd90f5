/** Limits of a replica's JavaScript heap. */
import type { Resources } from '@equipoise/core/model';

const MIB = 1024 ** 2;
const leastHeapMib = 128;

/**
 * Largest half (MiB) of a replica's young generation, as in Node 20 and 22. Node 24 has 64: a busy replica then keeps up to
 * 192 MiB of garbage.
 */
export const SEMI_SPACE_MIB = 16;
/** V8 counts a young generation as three halves. */
export const YOUNG_GENERATION_MIB = 3 * SEMI_SPACE_MIB;

/** Limit of the old generation: `memoryBytes`, but at least enough for Node and a model runtime. In MiB; undefined if the variant names no memory. */
export const heapLimitMib = ({ memoryBytes }: Resources): number | undefined =>
  memoryBytes > 0 ? Math.max(leastHeapMib, Math.ceil(memoryBytes / MIB)) : undefined;
