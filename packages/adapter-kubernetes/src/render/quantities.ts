/** Amounts in the notation of Kubernetes. Pods with equal requests and limits are evicted last. */
import type { Resources } from '@equipoise/core/model';
import type { ContainerResources, ResourceList } from './manifest-types.js';

export const GPU_RESOURCE = 'nvidia.com/gpu';

/** Memory of the server process of a stage: 190 MB if idle; the rest is for requests in flight and garbage. */
export const SERVER_MEMORY_BYTES = 402_653_184;

/** CPU in whole cores, or in thousandths (`m`). */
const cpuQuantity = (cpuCores: number): string =>
  Number.isInteger(cpuCores) ? String(cpuCores) : `${Math.round(cpuCores * 1000)}m`;

const QUANTITY = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([numkMGTPE]|[KMGTPE]i))?$/;
const DIVISORS: Readonly<Record<string, number>> = { n: 1e9, u: 1e6, m: 1e3 };
const FACTORS: Readonly<Record<string, number>> = {
  ...Object.fromEntries(
    ['k', 'M', 'G', 'T', 'P', 'E'].map((suffix, index) => [suffix, Number(`1e${3 * (index + 1)}`)]),
  ),
  ...Object.fromEntries(['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'].map((suffix, index) => [suffix, 2 ** (10 * (index + 1))])),
};

/** Parses an amount, because an API server may change its spelling. NaN for other texts. */
export function amountOf(quantity: string): number {
  const [, digits = '', exponent = '0', suffix = ''] = QUANTITY.exec(quantity) ?? [];
  if (digits === '') return Number.NaN;
  return (Number(`${digits}e${exponent}`) * (FACTORS[suffix] ?? 1)) / (DIVISORS[suffix] ?? 1);
}

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
