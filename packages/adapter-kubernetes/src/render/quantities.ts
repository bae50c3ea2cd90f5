/** Amounts in the notation of Kubernetes. Pods with equal requests and limits are evicted last. */
import type { Resources } from '@equipoise/core/model';
import type { ContainerResources, ResourceList } from './manifest-types.js';

export const GPU_RESOURCE = 'nvidia.com/gpu';

/** Memory of the server process of a stage: 190 MB if idle; the rest is for requests in flight and garbage. */
export const SERVER_MEMORY_BYTES = 402_653_184;

/** CPU in whole cores, or in thousandths (`m`). */
const cpuQuantity = (cpuCores: number): string =>
  Number.isInteger(cpuCores) ? String(cpuCores) : `${Math.round(cpuCores * 1000)}m`;

/** Parses CPU amounts, because an API server may change their spelling. */
export const coresOf = (quantity: string): number =>
  quantity.endsWith('m') ? Number(quantity.slice(0, -1)) / 1000 : Number(quantity);

/**
 * Resources of a container. Memory is set only if the plan has it, plus `extraMemoryBytes`. Without a CPU limit, a pod
 * may use idle cores of its node.
 */
export function containerResources(
  { cpuCores, memoryBytes, gpus }: Resources,
  { extraMemoryBytes = 0, hasCpuLimits = true }: { extraMemoryBytes?: number; hasCpuLimits?: boolean | undefined } = {},
): ContainerResources {
  const amounts: ResourceList = {
    cpu: cpuQuantity(cpuCores),
    ...(memoryBytes > 0 ? { memory: String(memoryBytes + extraMemoryBytes) } : {}),
    ...(gpus > 0 ? { [GPU_RESOURCE]: String(gpus) } : {}),
  };
  const { cpu: _, ...withoutCpu } = amounts;
  return { requests: amounts, limits: hasCpuLimits ? amounts : withoutCpu };
}
