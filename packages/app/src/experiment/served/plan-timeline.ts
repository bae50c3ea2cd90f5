/** Running plans of a served cell over time, as a step function. Starting and draining replicas hold resources. */
import { runningAsPlan } from '@equipoise/core/control';
import type { PipelineSpec, RunningPlan } from '@equipoise/core/model';
import { costPerHour } from '@equipoise/core/simulate';

/** `accuracy` is 0 while a stage has no ready replica, as in the simulator. */
export interface PlanState {
  readonly accuracy: number;
  readonly cpuCores: number;
  readonly costPerHour: number;
}

const NOTHING: PlanState = { accuracy: 0, cpuCores: 0, costPerHour: 0 };

export class PlanTimeline {
  readonly #spec: PipelineSpec;
  readonly #states: (PlanState & { readonly fromEpochMs: number })[] = [];

  constructor(spec: PipelineSpec) {
    this.#spec = spec;
  }

  note(running: RunningPlan, fromEpochMs: number): void {
    const state = stateOf(this.#spec, running);
    const last = this.#states.at(-1);
    const isSame =
      last !== undefined &&
      last.accuracy === state.accuracy &&
      last.cpuCores === state.cpuCores &&
      last.costPerHour === state.costPerHour;
    if (!isSame) this.#states.push({ fromEpochMs, ...state });
  }

  /** State at an instant; that of the first note before it. */
  at(epochMs: number): PlanState {
    return this.#states.findLast(({ fromEpochMs }) => fromEpochMs <= epochMs) ?? this.#states[0] ?? NOTHING;
  }

  /** Time-weighted means between two instants. */
  means(fromEpochMs: number, toEpochMs: number): Pick<PlanState, 'cpuCores' | 'costPerHour'> {
    const spanMs = toEpochMs - fromEpochMs;
    if (spanMs <= 0) return this.at(fromEpochMs);
    const inside = this.#states.filter((state) => state.fromEpochMs > fromEpochMs && state.fromEpochMs < toEpochMs);
    const steps = [{ ...this.at(fromEpochMs), fromEpochMs }, ...inside];
    let [cpuCores, costPerHour] = [0, 0];
    for (const [index, step] of steps.entries()) {
      const weight = ((steps[index + 1]?.fromEpochMs ?? toEpochMs) - step.fromEpochMs) / spanMs;
      cpuCores += weight * step.cpuCores;
      costPerHour += weight * step.costPerHour;
    }
    return { cpuCores, costPerHour };
  }
}

function stateOf(spec: PipelineSpec, running: RunningPlan): PlanState {
  let [cpuCores, cost] = [0, 0];
  for (const { replicas } of Object.values(running.stages)) {
    for (const { resources, status } of replicas) {
      if (status === 'failed') continue;
      cpuCores += resources.cpuCores;
      cost += costPerHour(resources, spec.prices);
    }
  }
  return { accuracy: runningAsPlan(spec, running)?.predicted.pas ?? 0, cpuCores, costPerHour: cost };
}
