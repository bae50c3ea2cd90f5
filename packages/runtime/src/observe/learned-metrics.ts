/** Metrics of what serving has taught: profiles as they are corrected, fan-outs and branches as traffic shows them. */
import type { StepInput } from '@equipoise/core/control';
import type { DecisionRecord, LearnedEdge } from '@equipoise/core/model';
import { Gauge, type Registry } from 'prom-client';

/** Keeps what the last decision rested on. */
export class LearnedMetrics {
  #edges: readonly LearnedEdge[] = [];
  /** By factor, ascending. */
  #corrections: StepInput['corrections'] = [];

  constructor(registry: Registry) {
    this.#correctionGauge(registry);
    this.#edgeGauge(registry, {
      name: 'equipoise_learned_fan_out_items',
      help: 'Items per output of a fan-out, where traffic has taught another mean than the pipeline file states.',
      kind: 'fan-out',
    });
    this.#edgeGauge(registry, {
      name: 'equipoise_learned_branch_fraction',
      help: 'Share of the outputs that take a branch, 0 to 1, where traffic has taught another than the pipeline file states.',
      kind: 'branch',
    });
  }

  /** Takes note of a decision; one by a person and the first one rest on no step, and change nothing here. */
  note({ decision, input }: Pick<DecisionRecord, 'decision' | 'input'>): void {
    if (input === undefined) return;
    const { corrections } = input as StepInput;
    this.#corrections = corrections.toSorted((a, b) => a.factor - b.factor);
    this.#edges = decision?.evidence.learnedEdges ?? [];
  }

  #correctionGauge(registry: Registry): void {
    const corrections = () => this.#corrections;
    new Gauge({
      name: 'equipoise_profile_correction_ratio',
      help: 'Service times of a variant relative to its profile, as serving has corrected it; the largest of its points, and none where none is corrected.',
      labelNames: ['stage', 'variant'],
      registers: [registry],
      collect() {
        this.reset();
        for (const { stageId, variantId, factor } of corrections())
          this.set({ stage: stageId, variant: variantId }, factor);
      },
    });
  }

  #edgeGauge(registry: Registry, { name, help, kind }: Pick<LearnedEdge, 'kind'> & Record<'name' | 'help', string>) {
    const edges = () => this.#edges.filter((edge) => edge.kind === kind);
    new Gauge({
      ...{ name, help, labelNames: ['from', 'to'], registers: [registry] },
      collect() {
        this.reset();
        for (const { from, to, value } of edges()) this.set({ from, to }, value);
      },
    });
  }
}
