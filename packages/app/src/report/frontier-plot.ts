import type { Frontier } from '@equipoise/core/plan';
import { plotPicture } from './plot/picture.js';
import type { PlotPoint, PlotSpec } from './plot/plot-spec.js';

export interface FrontierCaption {
  readonly pipeline: string;
  readonly arrivalRps: number;
  readonly latencyMs: number;
  readonly percentile: number;
}

export const frontierSvg = (points: Frontier['points'], caption: FrontierCaption): string =>
  plotPicture(frontierPlot(points, caption));

/** Accuracy against cost. Plans that were verified by simulation are discs, estimated ones rings. */
function frontierPlot(
  points: Frontier['points'],
  { pipeline, arrivalRps, latencyMs, percentile }: FrontierCaption,
): PlotSpec {
  const sorted = points.toSorted((a, b) => a.costPerHour - b.costPerHour);
  const marks = (isVerified: boolean) =>
    sorted
      .filter(({ plan }) => (plan.verified !== undefined) === isVerified)
      .map(({ costPerHour, pas }): PlotPoint => ({ x: costPerHour, y: pas }));
  return {
    title: `${pipeline} at ${arrivalRps} rps, p${percentile} within ${latencyMs} ms`,
    isWide: true,
    x: { label: 'cost per hour', isLoose: true },
    y: { label: 'accuracy of the pipeline', isLoose: true },
    layers: [
      {
        ...{ kind: 'line', name: 'frontier', color: 'c3', isStep: true },
        xs: sorted.map(({ costPerHour }) => costPerHour),
        values: sorted.map(({ pas }) => pas),
      },
      { kind: 'points', name: 'verified by simulation', color: 'c1', shape: 'disc', points: marks(true) },
      { kind: 'points', name: 'estimated', color: 'c2', shape: 'ring', points: marks(false) },
    ],
  };
}
