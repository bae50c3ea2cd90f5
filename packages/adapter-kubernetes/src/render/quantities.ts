/** Resources of a plan as Kubernetes writes amounts. A container that asks for what it may use at most is evicted last. */
import type { Resources } from '@equipoise/core/model';
import type { ContainerResources, ResourceList } from './manifest-types.js';

/** Name of GPUs as the device plugin of NVIDIA offers them. */
export const GPU_RESOURCE = 'nvidia.com/gpu';

/**
 * Memory of the process around a stage that runs in our own server, in bytes: the plan counts what the stage takes. An idle one was seen to
 * take 190 MB; what is in flight and what waits to be collected comes on top.
 */
export const SERVER_MEMORY_BYTES = 402_653_184;

/** Cores as whole ones or as thousandths (`m`). */
const cpuQuantity = (cpuCores: number): string =>
  Number.isInteger(cpuCores) ? String(cpuCores) : `${Math.round(cpuCores * 1000)}m`;

/** Cores that a quantity of an API server means; it may write them otherwise than they were sent. */
export const coresOf = (quantity: string): number =>
  quantity.endsWith('m') ? Number(quantity.slice(0, -1)) / 1000 : Number(quantity);

/** What one replica gets, asked for and at most; memory only where the plan says how much, `extraMemoryBytes` on top of it. */
export function containerResources(
  { cpuCores, memoryBytes, gpus }: Resources,
  extraMemoryBytes = 0,
): ContainerResources {
  const amounts: ResourceList = {
    cpu: cpuQuantity(cpuCores),
    ...(memoryBytes > 0 ? { memory: String(memoryBytes + extraMemoryBytes) } : {}),
    ...(gpus > 0 ? { [GPU_RESOURCE]: String(gpus) } : {}),
  };
  return { requests: amounts, limits: amounts };
}
