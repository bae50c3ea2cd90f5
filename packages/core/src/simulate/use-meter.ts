/** Mean use of a simulated pipeline. Starting and draining replicas hold resources. */
import type { Resources } from '../model/pipeline-spec.js';
import type { StageUse } from './simulated-fleet.js';

/** Means over the metered time, by stage index. */
export interface MeanUse {
  readonly resources: Resources;
  readonly stages: readonly { readonly replicas: number; readonly capacityRps: number }[];
  readonly durationMs: number;
}

export class UseMeter {
  readonly #fromMs: number;
  readonly #replicas: Float64Array;
  readonly #capacityRps: Float64Array;
  readonly #resources = { cpuCores: 0, memoryBytes: 0, gpus: 0 };
  #current: readonly StageUse[] = [];
  #sinceMs: number;

  constructor(stageCount: number, fromMs: number) {
    this.#fromMs = fromMs;
    this.#sinceMs = fromMs;
    this.#replicas = new Float64Array(stageCount);
    this.#capacityRps = new Float64Array(stageCount);
  }

  note(uses: readonly StageUse[], nowMs: number): void {
    this.#integrate(nowMs);
    this.#current = uses;
  }

  /** 0 if no time has passed. */
  means(nowMs: number): MeanUse {
    this.#integrate(nowMs);
    const durationMs = Math.max(0, nowMs - this.#fromMs);
    const perMs = durationMs === 0 ? 0 : 1 / durationMs;
    const { cpuCores, memoryBytes, gpus } = this.#resources;
    return {
      resources: { cpuCores: cpuCores * perMs, memoryBytes: memoryBytes * perMs, gpus: gpus * perMs },
      stages: Array.from(this.#replicas, (replicas, stage) => ({
        replicas: replicas * perMs,
        capacityRps: (this.#capacityRps[stage] as number) * perMs,
      })),
      durationMs,
    };
  }

  #integrate(nowMs: number): void {
    const ms = nowMs - this.#sinceMs;
    if (ms <= 0) return;
    this.#sinceMs = nowMs;
    for (const [stage, { replicas, capacityRps, resources }] of this.#current.entries()) {
      this.#replicas[stage] = (this.#replicas[stage] as number) + ms * replicas;
      this.#capacityRps[stage] = (this.#capacityRps[stage] as number) + ms * capacityRps;
      for (const { cpuCores, memoryBytes, gpus } of resources) {
        this.#resources.cpuCores += ms * cpuCores;
        this.#resources.memoryBytes += ms * memoryBytes;
        this.#resources.gpus += ms * gpus;
      }
    }
  }
}
