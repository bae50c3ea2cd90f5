/** Limit of a replica's JavaScript heap: `memoryBytes`, but at least enough for Node and a model runtime. */
import type { Resources } from '@equipoise/core/model';

const MIB = 1024 ** 2;
const leastHeapMib = 128;

/** Heap limit in MiB; undefined if the variant names no memory. */
export const heapLimitMib = ({ memoryBytes }: Resources): number | undefined =>
  memoryBytes > 0 ? Math.max(leastHeapMib, Math.ceil(memoryBytes / MIB)) : undefined;
