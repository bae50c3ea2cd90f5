/** How many replica threads may compute at once, as the core gate takes it. */
import { availableParallelism } from 'node:os';
import type { PipelineSpec } from '@equipoise/core';

/** On the host that the budget describes: its cores rounded up; without a budget there is no bound. A plan does not depend on this machine. */
export function plannedHostCores({ budget }: PipelineSpec): number {
  return budget.cpuCores === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.ceil(budget.cpuCores));
}

/** On this machine: as planned, as far as it has the cores. */
export function servingHostCores(spec: PipelineSpec): number {
  return Math.min(availableParallelism(), plannedHostCores(spec));
}
