import { createHash } from 'node:crypto';
import { AppError, type PipelineSpec } from '@equipoise/core/model';
import { type PolicyName, requireCurves } from '@equipoise/core/plan';
import { type LoadSpec, loadDurationS } from '@equipoise/core/simulate';
import { loadSpec } from '../compose/load-spec.js';
import { profilesFor } from '../compose/profiles-for.js';
import { readPlans, requireProfiled, unpredictedPlan } from '../compose/read-plan.js';
import { type LoadRequest, resolveLoad } from '../compose/resolve-load.js';
import { type Axis, axisKinds, type SweepPoint, specAt, sweepPoints } from './sweep-axes.js';
import type { SweepCell, SweepSubject, SweptPipeline } from './sweep-cell.js';

export interface SweepRequest extends LoadRequest {
  readonly plan?: readonly string[];
  readonly policy?: readonly PolicyName[];
  readonly axis?: readonly Axis[];
  readonly seed: number;
  readonly seeds: number;
  readonly excludeFirstS: number;
  readonly profileScale?: number;
}

export interface ReadSweep {
  readonly pipeline: SweptPipeline;
  readonly axes: readonly Axis[];
  readonly points: readonly SweepPoint[];
  readonly seeds: readonly number[];
  /** Name of the load; without `arrival-rps` axis, of all points. */
  readonly loadName: string;
  /** Ordered by subject, point and seed. */
  readonly cells: readonly SweepCell[];
}

const MOST_CELLS = 100_000;
const MOST_AXES = 4;

/** Checks all input before any simulation; `codeDigest` identifies the simulating code. Throws WRONG_USAGE. */
export async function readSweep(file: string, request: SweepRequest, codeDigest: string): Promise<ReadSweep> {
  const { axis: axes = [], policy, seeds: seedCount, seed, excludeFirstS } = request;
  checkAxes(axes, policy === undefined);
  const spec = await loadSpec(file);
  const subjects = await readSubjects(spec, request);
  checkSize(axes, { subjects: subjects.length, seeds: seedCount });
  const points = sweepPoints(axes);
  const loads = await loadsOf(points, request);
  const profiles = profilesFor(spec, file, request.profileScale);
  const curves = requireCurves(spec, profiles);
  for (const { name, by } of subjects) if ('plan' in by) requireProfiled({ name, stages: by.plan.stages }, curves);
  const { baseDir: _, ...content } = spec;
  const shared = digestOf([codeDigest, content, profiles, excludeFirstS]);
  const seeds = Array.from({ length: seedCount }, (_, index) => seed + index);
  const cells = subjects.flatMap(({ by }, subject) => {
    const ofSubject = digestOf([shared, 'plan' in by ? [by.plan.stages, by.plan.routers] : by.policy]);
    return points.flatMap((at, index) => {
      const { spec: load } = loads[index] as PointLoad;
      const ofPoint = digestOf([ofSubject, at, load]);
      return seeds.map((each): SweepCell => ({ subject, at, seed: each, load, digest: digestOf([ofPoint, each]) }));
    });
  });
  const pipeline = { spec, profiles, subjects, excludeFirstS };
  return { pipeline, axes, points, seeds, loadName: loadNameOf(loads, request), cells };
}

function checkAxes(axes: readonly Axis[], isFixed: boolean): void {
  if (axes.length > MOST_AXES) throw wrongUsage(`expected at most ${MOST_AXES} times --axis, found ${axes.length}.`);
  const names = axes.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) throw wrongUsage(`--axis ${twice} is given twice; write all its values in one list.`);
  const ofPolicies = names.find((name) => 'ofPolicies' in axisKinds[name]);
  if (isFixed && ofPolicies !== undefined)
    throw wrongUsage(`--axis ${ofPolicies} changes nothing for a fixed plan; use --policy in place of --plan.`);
}

function checkSize(axes: readonly Axis[], { subjects, seeds }: { readonly subjects: number; readonly seeds: number }) {
  const points = axes.reduce((product, { values }) => product * values.length, 1);
  const cells = subjects * points * seeds;
  if (cells <= MOST_CELLS) return;
  const message = `This sweep has ${cells} simulations (${subjects} plans or policies × ${points} points × ${seeds} seeds), expected at most ${MOST_CELLS}. Use fewer values, plans or --seeds.`;
  throw wrongUsage(message);
}

async function readSubjects(spec: PipelineSpec, { plan, policy }: SweepRequest): Promise<readonly SweepSubject[]> {
  if (plan === undefined && policy === undefined) {
    const message = 'Say what to simulate: --plan P.json… (as `equipoise plan --out` writes it), or --policy NAME….';
    throw wrongUsage(message);
  }
  if (plan === undefined) return [...new Set(policy)].map((name) => ({ name, by: { policy: name } }));
  const subjects: SweepSubject[] = [];
  for (const path of plan)
    for (const named of await readPlans(path, spec))
      subjects.push({ name: named.name, by: { plan: unpredictedPlan(named) } });
  return subjects;
}

interface PointLoad {
  readonly name: string;
  readonly spec: LoadSpec;
}

/** Load of each point. */
async function loadsOf(points: readonly SweepPoint[], request: SweepRequest): Promise<readonly PointLoad[]> {
  const { load, arrivalRps, excludeFirstS } = request;
  const [first = {}] = points;
  if (first.arrivalRps !== undefined && (load !== undefined || arrivalRps !== undefined))
    throw wrongUsage(`--axis arrival-rps sets the rate; leave out ${load === undefined ? '--arrival-rps' : '--load'}.`);
  const known = new Map<number | undefined, PointLoad>();
  for (const { arrivalRps: rate } of points) {
    if (known.has(rate)) continue;
    known.set(rate, await resolveLoad({ ...request, ...(rate !== undefined && { arrivalRps: rate }) }));
  }
  const durationS = Math.min(...[...known.values()].map(({ spec }) => loadDurationS(spec)));
  if (excludeFirstS >= durationS)
    throw wrongUsage(`--exclude-first-s: expected less than the ${durationS} s of the load, found ${excludeFirstS}.`);
  return points.map(({ arrivalRps: rate }) => known.get(rate) as PointLoad);
}

const loadNameOf = (loads: readonly PointLoad[], { arrivals = 'poisson', durationS }: SweepRequest): string => {
  const names = new Set(loads.map(({ name }) => name));
  return names.size === 1 ? ([...names][0] ?? '') : `${arrivals} ${durationS} s`;
};

/** SLO at a point. */
export const pointSlo = (spec: PipelineSpec, point: SweepPoint): PipelineSpec['slo'] => specAt(spec, point).slo;

const wrongUsage = (message: string): AppError => new AppError('WRONG_USAGE', message);

const digestOf = (content: unknown): string =>
  createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 32);
