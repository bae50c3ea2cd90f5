/** Actuator of two stages; its pool records the serving replicas. */
import { AppError, type Change, type StagePlan, stageId, type VariantId, variantId } from '@equipoise/core/model';
import { FakeLauncher, FakePool, oneCore, stageNamed, variantNamed } from '@equipoise/testkit';
import { fixtures } from '../obeying-stage.test-support.js';
import { EmbeddedActuator, type EmbeddedActuatorOptions } from './embedded-actuator.js';

export const a = stageId('a');
export const small = variantId('small');
export const large = variantId('large');
export const broken = variantId('broken');

const variants = [
  variantNamed('small'),
  variantNamed('large'),
  variantNamed('broken', { parameters: { failToLoad: true } }),
];
export const pipeline = {
  baseDir: fixtures,
  stages: [stageNamed('a', variants, { module: './obey.mjs' }), stageNamed('b', variants, { module: './obey.mjs' })],
  budget: {},
  slo: { latencyMs: 100, percentile: 99 },
  control: { mode: 'auto', intervalMs: 10_000, minDwellMs: 0, canary: false },
} as const;

export const planOf = (variant: VariantId, replicas: number, over: Partial<StagePlan> = {}): StagePlan => ({
  variantId: variant,
  resources: oneCore,
  maxBatchSize: 1,
  maxBatchWaitMs: 0,
  replicas,
  trafficFraction: 1,
  ...over,
});
export const scaleTo = (to: StagePlan, stage = a): Change => ({ kind: 'scale', stageId: stage, fromReplicas: 0, to });

export function fakeLauncher(): FakeLauncher {
  const launcher = new FakeLauncher();
  launcher.failureOf = ({ variant }) =>
    variant.id === broken ? new AppError('MODEL_LOAD_FAILED', 'it cannot start') : undefined;
  return launcher;
}

const opened: EmbeddedActuator[] = [];

export async function closeOpened(): Promise<void> {
  await Promise.all(opened.splice(0).map((actuator) => actuator.close()));
}

export function open<Launcher extends EmbeddedActuatorOptions['launcher']>(
  launcher: Launcher,
  over: Partial<EmbeddedActuatorOptions> = {},
) {
  const pool = new FakePool();
  const actuator = new EmbeddedActuator(pipeline, { pool, launcher, ...over });
  opened.push(actuator);
  const statuses = (stage = a) => actuator.runningPlan().stages[stage]?.replicas.map(({ status }) => status);
  return { pool, actuator, launcher, statuses };
}

/** Runs all pending promise callbacks. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
