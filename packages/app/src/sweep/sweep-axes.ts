/** Axes of a sweep: one quantity each, with the values that it takes. */
import { AppError, type PipelineSpec, type ProfileSet } from '@equipoise/core/model';

interface AxisKind {
  /** Name in JSON and CSV. */
  readonly field: string;
  readonly title: string;
  readonly meaning: string;
  readonly least: number;
  readonly most: number;
  readonly isWhole?: true;
  /** True if a fixed plan does not depend on it. */
  readonly ofPolicies?: true;
}

const SMALLEST = Number.MIN_VALUE;
const LARGEST = 1e12;
const DAY_MS = 86_400_000;

export const axisKinds = {
  'arrival-rps': {
    field: 'arrivalRps',
    title: 'rps',
    meaning: 'rate of the load',
    least: SMALLEST,
    most: LARGEST,
  },
  'profile-factor': {
    field: 'profileFactor',
    title: 'real ÷ profile',
    meaning: 'real service times ÷ profiled ones; plans and drop rules believe the profile',
    least: 0.01,
    most: 100,
  },
  'load-ms': {
    field: 'loadMs',
    title: 'start-up ms',
    meaning: 'time from the start of a replica until it is ready, of every variant',
    least: 0,
    most: DAY_MS,
    ofPolicies: true,
  },
  'interval-ms': {
    field: 'intervalMs',
    title: 'interval ms',
    meaning: 'time between two plans',
    least: 100,
    most: DAY_MS,
    ofPolicies: true,
  },
  routers: {
    field: 'routers',
    title: 'routers',
    meaning: 'routers behind a balancer; each has its own queues and its share of the budget or of the replicas',
    least: 1,
    most: 64,
    isWhole: true,
  },
  'slo-ms': { field: 'sloMs', title: 'SLO ms', meaning: 'latency of the SLO', least: SMALLEST, most: LARGEST },
  'budget-cores': {
    field: 'budgetCores',
    title: 'budget cores',
    meaning: 'core budget',
    least: SMALLEST,
    most: LARGEST,
    ofPolicies: true,
  },
  'service-factor': {
    field: 'serviceFactor',
    title: 'service factor',
    meaning: 'service times that plans allow for ÷ profiled ones',
    least: 1,
    most: 10,
    ofPolicies: true,
  },
} as const satisfies Readonly<Record<string, AxisKind>>;

export type AxisName = keyof typeof axisKinds;
type AxisField = (typeof axisKinds)[AxisName]['field'];

export interface Axis {
  readonly name: AxisName;
  readonly values: readonly number[];
}

/** Values of the axes, by field. */
export type SweepPoint = Readonly<Partial<Record<AxisField, number>>>;

const MOST_VALUES = 1000;
const axisNames = Object.keys(axisKinds) as readonly AxisName[];

/** Reads `NAME=V1,V2,…` or `NAME=LOW..HIGH/COUNT`. Throws WRONG_USAGE with what was expected. */
export function parseAxis(text: string): Axis {
  const [, key = '', list = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  const name = axisNames.find((known) => known === key);
  if (name === undefined) {
    const message = `--axis ${text}: expected NAME=VALUES, where NAME is one of ${axisNames.join(', ')}.`;
    throw new AppError('WRONG_USAGE', message);
  }
  const kind: AxisKind = axisKinds[name];
  const values = rangeValues(list, kind) ?? list.split(',').map(numberOf);
  const wrong = values.find((value) => !isAllowed(value, kind));
  const problem =
    values.length > MOST_VALUES
      ? `at most ${MOST_VALUES} values, found ${values.length}`
      : wrong !== undefined || values.length === 0
        ? `${expectedText(kind)}, as V1,V2,… or LOW..HIGH/COUNT with LOW below HIGH and a COUNT of 2 or more`
        : new Set(values).size < values.length
          ? 'each value once'
          : undefined;
  if (problem !== undefined) throw new AppError('WRONG_USAGE', `--axis ${text}: expected ${problem}.`);
  return { name, values };
}

/** Equal steps from `LOW` to `HIGH`; undefined for another form. */
function rangeValues(list: string, { isWhole }: AxisKind): readonly number[] | undefined {
  const [, low = '', high = '', count = ''] = /^(.+)\.\.(.+)\/(\d{1,4})$/.exec(list) ?? [];
  const [from, to, steps] = [numberOf(low), numberOf(high), Number(count) - 1];
  if (!(from < to && steps >= 1)) return undefined;
  return Array.from({ length: steps + 1 }, (_, step) => {
    const value = from + ((to - from) * step) / steps;
    return isWhole ? Math.round(value) : Number(value.toPrecision(12));
  });
}

const numberOf = (text: string): number => (/^[\d.eE+-]+$/.test(text.trim()) ? Number(text) : Number.NaN);

const isAllowed = (value: number, { least, most, isWhole }: AxisKind): boolean =>
  value >= least && value <= most && (isWhole !== true || Number.isInteger(value));

function expectedText({ least, most, isWhole }: AxisKind): string {
  const kind = isWhole ? 'whole numbers' : 'numbers';
  return least === SMALLEST ? `${kind} above 0 and at most ${most}` : `${kind} from ${least} to ${most}`;
}

/** All combinations; the last axis varies first. One point without values if there is no axis. */
export function sweepPoints(axes: readonly Axis[]): readonly SweepPoint[] {
  return axes.reduce<readonly SweepPoint[]>(
    (points, { name, values }) =>
      points.flatMap((point) => values.map((value) => ({ ...point, [axisKinds[name].field]: value }))),
    [{}],
  );
}

/** The pipeline at a point. */
export function specAt(spec: PipelineSpec, point: SweepPoint): PipelineSpec {
  const { loadMs, intervalMs, sloMs, budgetCores, serviceFactor } = point;
  return {
    ...spec,
    ...(sloMs !== undefined && { slo: { ...spec.slo, latencyMs: sloMs } }),
    ...(budgetCores !== undefined && { budget: { ...spec.budget, cpuCores: budgetCores } }),
    ...(serviceFactor !== undefined && { robustness: { serviceFactor } }),
    ...(intervalMs !== undefined && { control: controlAt(spec, intervalMs) }),
    ...(loadMs !== undefined && { stages: spec.stages.map((stage) => withLoadMs(stage, loadMs)) }),
  };
}

/** Bursts are detected at least as often as plans are made. */
function controlAt({ control }: PipelineSpec, intervalMs: number): PipelineSpec['control'] {
  const { fastIntervalMs } = control;
  return {
    ...control,
    intervalMs,
    ...(fastIntervalMs !== undefined && { fastIntervalMs: Math.min(fastIntervalMs, intervalMs) }),
  };
}

const withLoadMs = (stage: PipelineSpec['stages'][number], loadMs: number) => ({
  ...stage,
  variants: stage.variants.map((variant) => ({ ...variant, loadMs })),
});

export const profilesAt = (profiles: ProfileSet, { loadMs }: SweepPoint): ProfileSet =>
  loadMs === undefined ? profiles : profiles.map((profile) => ({ ...profile, loadMs }));

export const pointText = (point: SweepPoint): string =>
  axisNames
    .flatMap((name) => {
      const value = point[axisKinds[name].field];
      return value === undefined ? [] : [`${name} ${value}`];
    })
    .join(', ');
