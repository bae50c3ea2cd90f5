/** How large the JavaScript heap of a replica may grow: its `memoryBytes`, but never less than Node and a model runtime need to start. */
import type { Resources } from '@equipoise/core/model';

const MIB = 1024 ** 2;
const leastHeapMib = 128;

/** The limit in MiB, or undefined when the variant names no memory. */
export const heapLimitMib = ({ memoryBytes }: Resources): number | undefined =>
  memoryBytes > 0 ? Math.max(leastHeapMib, Math.ceil(memoryBytes / MIB)) : undefined;
