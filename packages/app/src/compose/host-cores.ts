/**
 * How many replica threads may compute at once, as the core gate takes it, and what that leaves of the budget on this machine.
 * Synthetic replicas and servers elsewhere only wait, so a pipeline without a module or a command is not bound by the machine.
 */
import { availableParallelism } from 'node:os';
import type { PipelineSpec } from '@equipoise/core/model';

/** On the host that the budget describes: its cores rounded up; without a budget there is no bound. A plan does not depend on this machine. */
export function plannedHostCores({ budget }: PipelineSpec): number {
  return budget.cpuCores === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.ceil(budget.cpuCores));
}

/** On this machine: as planned, as far as it has the cores. */
export function servingHostCores(spec: PipelineSpec, machineCores = availableParallelism()): number {
  return computes(spec) ? Math.min(machineCores, plannedHostCores(spec)) : plannedHostCores(spec);
}

/** The spec that plans for this machine are made from: its CPU budget is no more than the machine has. */
export function servingSpec(spec: PipelineSpec, machineCores = availableParallelism()): PipelineSpec {
  const { cpuCores = Number.POSITIVE_INFINITY } = spec.budget;
  if (!computes(spec) || cpuCores <= machineCores) return spec;
  return { ...spec, budget: { ...spec.budget, cpuCores: machineCores } };
}

const computes = ({ stages }: PipelineSpec): boolean =>
  stages.some(
    ({ module, variants }) => module !== undefined || variants.some(({ server }) => server?.command !== undefined),
  );
