/** Endpoints about what plans are made of: the frontier and the profiles. */

import type { PipelineSpec } from '@equipoise/core/model';
import type { z } from 'zod';
import type { FrontierAnswer, PipelineControl } from '../loop/pipeline-control.js';
import { ok } from '../net/answer.js';
import type { frontierQuery } from './admin-bodies.js';
import { type AdminEndpoint, pipelineOf } from './admin-endpoints.js';

export const frontier: AdminEndpoint<unknown> = async (call) => {
  const { arrivalRps: asked } = call.query as z.output<typeof frontierQuery>;
  const found = await pipelineOf(call).control.frontier(asked);
  return () => ok(frontierFacts(found));
};

export function frontierFacts({ arrivalRps, front, current }: FrontierAnswer): object {
  const here = current && {
    current: { pas: current.pas, costPerHour: current.costPerHour, cpuCores: current.cpuCores },
  };
  if (front.kind !== 'frontier') return { arrivalRps, result: front, ...here };
  const { points, complete, toleranceFraction, omittedPoints } = front;
  return { arrivalRps, points, complete, toleranceFraction, omittedPoints, ...here };
}

export const profiles: AdminEndpoint<unknown> = (call) => {
  const { spec, control } = pipelineOf(call);
  return ok(profileFacts(spec, control.profiles));
};

/** Profiles of all variants, with the fitted curve of each core count. */
export function profileFacts(
  spec: PipelineSpec,
  { profiles: measured, curves }: Pick<PipelineControl['profiles'], 'profiles' | 'curves'>,
): object {
  const all = spec.stages.flatMap(({ id: stageId, variants }) =>
    variants.map((variant) => {
      const profile = measured.find((each) => each.stageId === stageId && each.variantId === variant.id);
      const points = profile?.points ?? variant.profile ?? [];
      const cores = [...new Set(points.map(({ cpuCores }) => cpuCores))].sort((one, other) => one - other);
      return {
        ...{ stageId, variantId: variant.id, loadMs: profile?.loadMs ?? variant.loadMs ?? 0, scaled: profile?.scaled },
        curves: cores.map((cpuCores) => {
          const curve = curves.curve(stageId, variant.id, cpuCores);
          const ofCores = points.filter((point) => point.cpuCores === cpuCores);
          return {
            cpuCores,
            points: ofCores
              .toSorted((one, other) => one.batchSize - other.batchSize)
              .map(({ cpuCores: _, ...point }) => ({ ...point, fittedMs: curve?.meanMs(point.batchSize) })),
          };
        }),
      };
    }),
  );
  return { profiles: all };
}
