import {
  type DecisionEvidence,
  type Plan,
  type PlanVerification,
  type ProfileSet,
  variantChoice,
} from '@equipoise/core/model';
import { profileEvidence } from '@equipoise/core/plan';
import pc from 'picocolors';
import { counted } from './counted.js';
import { textTable } from './text-table.js';

export function planTable(plan: Plan): string {
  const settings = (['threshold', 'quorum'] as const).filter((name) =>
    Object.values(plan.stages).some(([part]) => part?.[name] !== undefined),
  );
  const rows = Object.entries(plan.stages).flatMap(([id, stagePlans]) =>
    stagePlans.map(({ variantId, resources, replicas, maxBatchSize, ...chosen }) => [
      ...(replicas === 0
        ? [id, pc.dim('omitted'), '', 0, '']
        : [id, pc.bold(variantId), resources.cpuCores, replicas, maxBatchSize]),
      ...settings.map((name) => chosen[name] ?? ''),
    ]),
  );
  const columns = ['stage', 'variant', { right: 'cores' }, { right: 'replicas' }, { right: 'max batch' }];
  return textTable([...columns, ...settings.map((name) => ({ right: name }))], rows);
}

export function planSummary(plan: Plan): string {
  const { latencyMs, percentile, pas, capacityRps, cpuCores, costPerHour } = plan.predicted;
  const use = `accuracy ${pc.bold(fractionText(pas))} · cost ${costText(costPerHour, cpuCores)} · ${coresText(cpuCores)}`;
  // A plan read from running replicas has no estimate.
  if (capacityRps === 0) return `${use} · capacity and latency not estimated`;
  const lines = [
    `${use} · capacity ${capacityRps.toFixed(1)} rps`,
    keepsUp(latencyMs)
      ? `latency p${percentile} estimated ${msText(latencyMs)}${verificationText(plan.verified)}`
      : `latency p${percentile} ${pc.yellow('without bound: it does not keep up with the load')}${overloadText(plan.verified)}`,
  ];
  return lines.join('\n');
}

export function choiceText(plan: Plan): string {
  return Object.entries(variantChoice(plan.stages))
    .map(([id, choice]) => `${id}=${choice}`)
    .join(' ');
}

/** Milliseconds with three significant digits. JSON has null for Infinity (load above capacity). */
export const msText = (ms: number | null): string =>
  ms === null || !Number.isFinite(ms) ? 'without bound' : `${Number(ms.toPrecision(3))} ms`;

/** Rate with one decimal; below 0.1 with two significant digits. */
export const rateText = (rps: number): string =>
  rps > 0 && rps < 0.1 ? String(Number(rps.toPrecision(2))) : rps.toFixed(1);

export const fractionText = (fraction: number): string => fraction.toFixed(3);

export const percentText = (fraction: number): string => `${(100 * fraction).toFixed(fraction > 0.99 ? 2 : 1)} %`;

export const coresText = (cpuCores: number): string =>
  `${Number(cpuCores.toFixed(2))} ${cpuCores === 1 ? 'core' : 'cores'}`;

/** Without prices in the pipeline file, a core costs 1 per hour, so the cost is in core-hours. */
export const costText = (costPerHour: number, cpuCores: number): string =>
  `${costPerHour.toFixed(2)} ${Math.abs(costPerHour - cpuCores) < 1e-9 ? 'core-hours per hour' : 'per hour'}`;

type Uncertain = NonNullable<DecisionEvidence['uncertainPoints']>[number];

export function uncertainText({ stageId, variantId, cpuCores, batchSize, halfWidthFraction }: Uncertain): string {
  const width =
    halfWidthFraction === undefined ? 'too few batches to tell' : `±${(100 * halfWidthFraction).toFixed(0)} %`;
  return `${stageId}/${variantId}, batch ${batchSize} on ${coresText(cpuCores)}: ${width}`;
}

/** Most uncertain mean, and the number of other uncertain means; undefined if all are precise. */
export function doubtText(profiles: ProfileSet): string | undefined {
  const [widest, ...others] = profileEvidence(profiles).uncertainPoints ?? [];
  if (widest === undefined) return undefined;
  const more = others.length === 0 ? '' : `, and ${counted(others.length, 'more point')}`;
  return `uncertain mean service time: ${uncertainText(widest)}${more}`;
}

/** Above capacity queues grow without limit, so latency has no meaning. */
const keepsUp = (latencyMs: number | null): boolean => latencyMs !== null && Number.isFinite(latencyMs);

function overloadText(verified: PlanVerification | undefined): string {
  if (verified === undefined) return pc.dim(' (not verified by simulation)');
  return `, ${percentText(verified.sloAttainmentFraction)} within the SLO as simulated`;
}

function verificationText(verified: PlanVerification | undefined): string {
  if (verified === undefined) return pc.dim(' (not verified by simulation)');
  const { latencyMs, sloAttainmentFraction, conclusive } = verified;
  return `, simulated ${msText(latencyMs)}, ${percentText(sloAttainmentFraction)} within the SLO${conclusive ? '' : pc.yellow(' (inconclusive)')}`;
}
