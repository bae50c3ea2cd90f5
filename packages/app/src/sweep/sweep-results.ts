import { type SeedFigures, type SloVerdict, seedFigures, sloVerdict } from '../cells/seed-figures.js';
import type { RunFigures } from '../compose/simulated-run.js';
import { pointSlo, type ReadSweep } from './read-sweep.js';
import { axisKinds, type SweepPoint } from './sweep-axes.js';
import type { SweepOutcome } from './sweep-cell.js';

/** One plan or policy at one point, over all seeds. `infeasible`: why it has no figures. */
export interface SweptPoint {
  readonly subject: string;
  readonly at: SweepPoint;
  readonly slo: { readonly latencyMs: number; readonly percentile: number };
  readonly verdict: SloVerdict | 'infeasible';
  readonly figures?: SeedFigures;
  readonly infeasible?: string;
}

/** Without durations: the same sweep gives the same bytes. */
export interface SweepResults {
  readonly kind: 'sweep';
  readonly pipeline: string;
  readonly load: string;
  readonly subjects: readonly string[];
  readonly axes: readonly { readonly name: string; readonly field: string; readonly values: readonly number[] }[];
  readonly seeds: readonly number[];
  readonly excludeFirstS: number;
  /** Positions in `points` of the best ones that meet the SLO. */
  readonly best: { readonly cheapest?: number; readonly mostAccurate?: number };
  readonly points: readonly SweptPoint[];
}

/** `outcomes`: in the order of the cells. */
export function sweepResults(read: ReadSweep, outcomes: readonly SweepOutcome[]): SweepResults {
  const { pipeline, axes, seeds, loadName } = read;
  const points = Array.from({ length: outcomes.length / seeds.length }, (_, index) =>
    sweptPoint(read, index, outcomes.slice(index * seeds.length, (index + 1) * seeds.length)),
  );
  return {
    kind: 'sweep',
    pipeline: pipeline.spec.name,
    load: loadName,
    subjects: pipeline.subjects.map(({ name }) => name),
    axes: axes.map(({ name, values }) => ({ name, field: axisKinds[name].field, values })),
    seeds,
    excludeFirstS: pipeline.excludeFirstS,
    best: bestOf(points),
    points,
  };
}

function sweptPoint({ pipeline, cells, seeds }: ReadSweep, index: number, outcomes: readonly SweepOutcome[]) {
  const cell = cells[index * seeds.length];
  const at = cell?.at ?? {};
  const slo = pointSlo(pipeline.spec, at);
  const named = { subject: pipeline.subjects[cell?.subject ?? 0]?.name ?? '', at, slo };
  const reason = outcomes.find((outcome) => outcome.kind === 'infeasible')?.message;
  if (reason !== undefined) return { ...named, verdict: 'infeasible', infeasible: reason } as const;
  const figures = seedFigures(outcomes.flatMap((outcome) => (outcome.kind === 'simulated' ? [outcome.figures] : [])));
  return { ...named, verdict: sloVerdict(figures.sloAttainmentFraction, slo.percentile), figures };
}

/** Of equally good points, the one that is better in the other figure, then the first one. */
export function bestOf(points: readonly SweptPoint[]): SweepResults['best'] {
  const met = points.flatMap(({ verdict, figures }, index) =>
    verdict === 'met' && figures ? [{ figures, index }] : [],
  );
  const least = (lossesOf: (figures: SeedFigures) => readonly number[]) =>
    met.reduce<(typeof met)[number] | undefined>(
      (best, each) => (best === undefined || isLess(lossesOf(each.figures), lossesOf(best.figures)) ? each : best),
      undefined,
    )?.index;
  const [cheapest, mostAccurate] = [
    least(({ costPerHourMean, pasMean }) => [costPerHourMean.mean, -pasMean.mean]),
    least(({ costPerHourMean, pasMean }) => [-pasMean.mean, costPerHourMean.mean]),
  ];
  return { ...(cheapest !== undefined && { cheapest }), ...(mostAccurate !== undefined && { mostAccurate }) };
}

/** Means over many requests differ by rounding errors, which decide nothing. */
const SAME_FRACTION = 1e-9;

/** Compares the first figure that differs. */
function isLess(a: readonly number[], b: readonly number[]): boolean {
  const differing = a.findIndex((value, i) => Math.abs(value - (b[i] as number)) > SAME_FRACTION * Math.abs(value));
  return differing >= 0 && (a[differing] as number) < (b[differing] as number);
}

/** One row per simulation. */
export function cellRows({ pipeline, cells }: ReadSweep, outcomes: readonly SweepOutcome[]): readonly object[] {
  return cells.map(({ subject, at, seed }, index) => {
    const outcome = outcomes[index];
    const result: Partial<RunFigures> | { infeasible: string } =
      outcome?.kind === 'simulated' ? outcome.figures : { infeasible: outcome?.message ?? '' };
    return { subject: pipeline.subjects[subject]?.name, ...at, seed, ...result };
  });
}

/** One row per point. */
export const pointRows = ({ points }: SweepResults): readonly object[] =>
  points.map(({ subject, at, slo, verdict, figures, infeasible }) => ({
    subject,
    ...at,
    sloMs: slo.latencyMs,
    verdict,
    ...figures,
    ...(infeasible !== undefined && { infeasible }),
  }));
