/**
 * Synthetic replicas with the faults of an incident: slow, wrong by the profile, or failing. Their outputs have the items
 * and the conditions that the edges of the pipeline state, or those of the incident.
 */
import { AppError, type EdgeSpec, type PipelineSpec, type SeededRng, type TensorMap } from '@equipoise/core/model';
import type { ItemResult, LaunchRequest, ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import { watchedRunner } from '../../../packages/app/src/compose/watched-runner.js';
import type { Injection } from '../../../packages/core/src/diagnose/simulated-incident.test-support.js';

export interface FaultyReplicasOptions {
  readonly spec: PipelineSpec;
  readonly injections: readonly Injection[];
  readonly rng: SeededRng;
  /** Time (s) since the start of the load; negative before. */
  readonly nowS: () => number;
}

/** Replicas of a stage are numbered in the order of their starts, from 1. */
export function faultyReplicas(options: FaultyReplicasOptions): (launcher: ReplicaLauncher) => ReplicaLauncher {
  const started = new Map<string, number>();
  return (launcher) => ({
    launch: async (request) => {
      const order = (started.get(request.stage.id) ?? 0) + 1;
      started.set(request.stage.id, order);
      const launched = await launcher.launch(request);
      return { ...launched, runner: faultyRunner(launched.runner, { ...options, request, order }) };
    },
  });
}

interface Faulty extends FaultyReplicasOptions {
  readonly request: LaunchRequest;
  readonly order: number;
}

function faultyRunner(runner: ModelRunner, faulty: Faulty): ModelRunner {
  return watchedRunner(runner, async (batch, traceHeaders) => {
    const result = await runner.run(batch, traceHeaders);
    const factor = slownessOf(faulty);
    const serviceMs = result.serviceMs * factor;
    if (factor > 1) await new Promise((resolve) => setTimeout(resolve, serviceMs - result.serviceMs));
    const items = fails(faulty) ? result.items.map(failed) : result.items.map((item) => withEdges(item, faulty));
    return { items, serviceMs };
  });
}

const isOn = ({ fromS = 0, untilS = Number.POSITIVE_INFINITY }: Injection, nowS: number): boolean =>
  fromS <= nowS && nowS < untilS;

const active = ({ injections, nowS }: FaultyReplicasOptions): readonly Injection[] =>
  injections.filter((each) => isOn(each, nowS()));

function slownessOf(faulty: Faulty): number {
  const { request, order } = faulty;
  return active(faulty).reduce((factor, each) => {
    if (each.kind === 'slow-replica' && each.stage === request.stage.id && (each.replica ?? 1) === order)
      return factor * each.factor;
    const isOwn = each.kind === 'service-times' && each.stage === request.stage.id;
    return isOwn && (each.variant ?? request.variant.id) === request.variant.id ? factor * each.factor : factor;
  }, 1);
}

const fails = (faulty: Faulty): boolean =>
  active(faulty).some(
    (each) =>
      each.kind === 'failing-variant' &&
      each.stage === faulty.request.stage.id &&
      (each.variant ?? faulty.request.variant.id) === faulty.request.variant.id &&
      faulty.rng.next() < (each.fraction ?? 1),
  );

const failed = (): ItemResult => ({ kind: 'failed', error: new AppError('STAGE_FAILED', 'the model is broken') });

/** Output of a stage whose edges fan out or have a condition; other stages pass their input on. */
function withEdges(item: ItemResult, faulty: Faulty): ItemResult {
  if (item.kind !== 'ok') return item;
  const { spec, request, rng } = faulty;
  const edges = spec.edges.filter(({ from }) => from === request.stage.id);
  const tensors = edges.flatMap((edge) => {
    const factor = active(faulty).reduce((all, each) => (isOf(each, edge) ? all * each.factor : all), 1);
    if (edge.fanOut !== undefined) return [items(countOf(edge.fanOut.expected * factor, rng))];
    const probability = edge.when?.probability;
    return typeof probability === 'number' ? [unsure(rng.next() < Math.min(1, probability * factor))] : [];
  });
  return tensors.length === 0 ? item : { kind: 'ok', output: Object.assign({}, ...tensors) as TensorMap };
}

const isOf = (each: Injection, { from, to }: EdgeSpec): each is Extract<Injection, { kind: 'fan-out' }> =>
  each.kind === 'fan-out' && each.from === from && each.to === to;

/** The whole number below or above the mean, by chance. */
const countOf = (mean: number, rng: SeededRng): number => Math.floor(mean) + Number(rng.next() < mean % 1);

const items = (count: number): TensorMap => ({
  item: { datatype: 'FP32', shape: [count, 1], data: new Float32Array(count) },
});

const unsure = (is: boolean): TensorMap => ({
  unsure: { datatype: 'FP32', shape: [], data: Float32Array.of(is ? 0.9 : 0.1) },
});
