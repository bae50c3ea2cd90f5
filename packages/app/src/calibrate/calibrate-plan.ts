/**
 * Calibrates one plan (docs/explain/fidelity.md): warm-up, saturation throughput, rounds of loads below it, rounds of
 * overload. Segments that calibrate alternate with segments that check, at other rates. The correction comes from the
 * calibrating segments alone.
 */
import type { EdgeCount, PipelineSpec, Plan, ProfileSet } from '@equipoise/core/model';
import { AppError } from '@equipoise/core/model';
import { estimateStages, fitCorrections, fitThreadCost, requireCurves, usableCores } from '@equipoise/core/plan';
import type { ReplicaLauncher } from '@equipoise/core/ports';
import { untilCtrlC } from '../terminal/stop-signal.js';
import {
  type ComparedLoad,
  comparedLoads,
  type MeasuredInputs,
  type MeasuredPoint,
  type VariantCorrection,
} from './compared-loads.js';
import type { LoadGenerator } from './load-generator.js';
import type { LoadTask } from './load-process.js';
import { matchedCorrections } from './matched-corrections.js';
import { MOST_RPS, OVERLOAD, Raises, runOverload, SATURATING, SEARCH_TAKES, searchSaturation } from './saturation.js';
import { completedRps, type Segment, timedBatches, withMeasuredEdges } from './segment.js';
import { ServedPlan } from './served-plan.js';
import { threadIntervals } from './thread-turns.js';

/** Of a stopped calibration. */
export const NOTHING_STORED = 'No correction is stored.';

/** Loads are fractions of the saturation throughput, times in seconds of one segment. */
export interface CalibrationMethod {
  readonly warmUpS: number;
  readonly searchS: number;
  readonly rounds: number;
  readonly calibrating: readonly number[];
  readonly calibratingS: number;
  readonly checked: readonly number[];
  readonly checkedS: number;
  readonly overloadRounds: number;
  /** Counted part of a segment above saturation: at least this many seconds, and this many SLOs. */
  readonly overloadS: number;
  readonly overloadSlos: number;
  /** Fewest requests of a segment, which then takes longer. */
  readonly fewestRequests: number;
  /**
   * The same of a segment that checks, if it takes at most `mostCheckedS`. Default: no more than of others. Above
   * saturation, all rounds together count as many as below.
   */
  readonly fewestChecked?: number;
  readonly mostCheckedS?: number;
  /** Segments that check near saturation take up to this many times as long (`stretchAt`). Default: 1. */
  readonly mostStretch?: number;
  /** Further segments at higher rates, if the search or a load above saturation is no overload. Default: 0. */
  readonly mostRaises?: number;
}

/** Loads that calibrate lie between those that check. */
const usualMethod: CalibrationMethod = {
  warmUpS: 3,
  searchS: 2,
  rounds: 3,
  calibrating: [0.2, 0.4, 0.6, 0.78, 0.93],
  calibratingS: 1.2,
  checked: [0.3, 0.5, 0.7, 0.85],
  checkedS: 2,
  overloadRounds: 2,
  overloadS: 2,
  overloadSlos: 3,
  fewestRequests: 30,
  mostRaises: 8,
};

/** Rounds by the shortest duration (s) that allows them. */
const ROUNDS = [
  { fromS: 50, rounds: 3, overloadRounds: 2 },
  { fromS: 25, rounds: 2, overloadRounds: 1 },
  { fromS: 0, rounds: 1, overloadRounds: 1 },
] as const;

/** Method with about this many seconds of load, apart from rushes and from loads too low for it. */
export function methodOf(durationS: number): CalibrationMethod {
  const { rounds, overloadRounds } = ROUNDS.find(({ fromS }) => durationS >= fromS) ?? ROUNDS[2];
  const method = { ...usualMethod, rounds, overloadRounds };
  return scaledMethod(method, (1000 * durationS) / expectedMs(method, 0));
}

/** Method with segments this many times as long. */
export function scaledMethod(method: CalibrationMethod, factor: number): CalibrationMethod {
  const { warmUpS, searchS, calibratingS, checkedS, overloadS, overloadSlos, fewestChecked, mostCheckedS } = method;
  return {
    ...method,
    warmUpS: factor * warmUpS,
    searchS: factor * searchS,
    calibratingS: factor * calibratingS,
    checkedS: factor * checkedS,
    overloadS: factor * overloadS,
    overloadSlos: factor * overloadSlos,
    ...(fewestChecked !== undefined && { fewestChecked: Math.ceil(factor * fewestChecked) }),
    ...(mostCheckedS !== undefined && { mostCheckedS: factor * mostCheckedS }),
  };
}

/** Duration (s) of a segment that checks, at least `seconds`. */
function checkedSecondsOf(method: CalibrationMethod, seconds: number, arrivalRps: number): number {
  const { fewestChecked = 0, mostCheckedS = Number.POSITIVE_INFINITY } = method;
  return Math.max(seconds, Math.min(mostCheckedS, fewestChecked / arrivalRps));
}

/** Load from which segments that check take longer. */
const STRETCHED_FROM = 0.6;

/** Latencies of a queue depend on each other for a time that grows with (1 − load)⁻². */
function stretchAt(load: number, { mostStretch = 1 }: CalibrationMethod): number {
  const stretch = ((1 - STRETCHED_FROM) / (1 - load)) ** 2;
  return Math.min(mostStretch, Math.max(1, stretch));
}

/** Inputs that are sent; further samples are not. */
const MOST_INPUTS = 100;
/** A request alone may come late once or twice, and then has not passed all its stages. */
const TRIES_ALONE = 3;
const CALIBRATING_OVERLOAD = [1.35, 1.15] as const;
/** A search lasts at least this many SLOs, because the first completions come late. */
const SEARCH_SLOS = 3;
/** First load of the search, as a fraction of the estimated capacity. */
const FIRST_LOAD = 0.8;
const LEAST_LOAD = 0.1;
/** Sends a single request at once. */
const ALONE_RPS = 1000;
const LEAST_TIMEOUT_MS = 30_000;

/** Time after which a request fails. A server answers or drops a request soon after its SLO. */
export const answerTimeoutMs = ({ latencyMs }: PipelineSpec['slo']): number =>
  Math.max(LEAST_TIMEOUT_MS, 2 * latencyMs + 10_000);

/** Expected duration, and that of the method, which is shorter at rates too low for it. */
export interface SegmentTimes {
  readonly expectedMs: number;
  readonly methodMs: number;
}

export interface CalibrationInput {
  /** The pipeline as served. */
  readonly spec: PipelineSpec;
  readonly plan: Pick<Plan, 'stages'>;
  /** Without corrections. */
  readonly profiles: ProfileSet;
  readonly hostCores: number;
  readonly launcher: ReplicaLauncher;
  readonly load: LoadGenerator;
  readonly bodies: LoadTask['bodies'];
  readonly method: CalibrationMethod;
  readonly seed: number;
  /** The load generator and the server's thread share a core. */
  readonly clientSharesCore: boolean;
  /** Called when a segment begins; without times for steps of unknown duration. */
  readonly onSegment: (label: string, times?: SegmentTimes) => void;
}

/** Record of what was served. The correction and the comparison follow from it alone. */
export interface RecordedPlan {
  readonly saturationRps: number;
  readonly spec: PipelineSpec;
  readonly plan: Pick<Plan, 'stages'>;
  /** Without corrections. */
  readonly profiles: ProfileSet;
  readonly hostCores: number;
  readonly clientSharesCore: boolean;
  readonly calibrating: readonly Segment[];
  readonly checked: readonly MeasuredPoint[];
  readonly inputs: MeasuredInputs;
}

export interface PlanCalibration {
  readonly saturationRps: number;
  readonly corrections: readonly VariantCorrection[];
  readonly loads: readonly ComparedLoad[];
  /** The pipeline with the measured fan-outs and branches, which the comparison uses. */
  readonly measuredSpec: PipelineSpec;
}

/** Expected duration (ms) without starts. */
export function expectedMs(method: CalibrationMethod, sloMs: number): number {
  const { warmUpS, searchS, rounds, calibrating, calibratingS, checked, checkedS } = method;
  const { overloadRounds, overloadS, overloadSlos } = method;
  const stretched = checked.reduce((sum, load) => sum + stretchAt(load, method), 0);
  const belowS = rounds * (calibrating.length * calibratingS + stretched * checkedS);
  const aboveS = 4 * overloadRounds * (Math.max(overloadS, (overloadSlos * sloMs) / 1000) + (3 * sloMs) / 1000);
  const searchMs = (1 + SEARCH_TAKES) * Math.max(1000 * searchS, SEARCH_SLOS * sloMs);
  return 1000 * (warmUpS + belowS + aboveS) + searchMs;
}

/** Rejects with STAGE_FAILED as `recordPlan`, or INTERRUPTED after Ctrl-C during the simulations. */
export async function calibratePlan(input: CalibrationInput): Promise<PlanCalibration> {
  const recorded = await recordPlan(input);
  input.onSegment('simulating');
  return untilCtrlC(() => calibrationOf(recorded), NOTHING_STORED);
}

/** Rejects with STAGE_FAILED if requests fail or none completes. */
export async function recordPlan(input: CalibrationInput): Promise<RecordedPlan> {
  input.onSegment('starting replicas');
  const served = await ServedPlan.start(input);
  try {
    return await new Recording(input, served).run();
  } finally {
    await served.close();
  }
}

export function calibrationOf(recorded: RecordedPlan): PlanCalibration {
  const { saturationRps, spec, plan, profiles, hostCores, clientSharesCore, calibrating, checked, inputs } = recorded;
  const measuredSpec = withMeasuredEdges(spec, calibrating);
  const sum = (of: (segment: Segment) => number) => calibrating.reduce((total, segment) => total + of(segment), 0);
  const clientMs = clientSharesCore ? sum(({ clientCpuMs }) => clientCpuMs) / sum(({ requests }) => requests) : 0;
  const comparison = { spec: measuredSpec, plan, profiles, hostCores, clientMs, inputs };
  const corrections = matchedCorrections({
    ...comparison,
    corrections: fittedCorrections(recorded, measuredSpec),
    segments: calibrating,
  });
  return {
    saturationRps,
    corrections,
    loads: comparedLoads({ ...comparison, corrections, points: checked }),
    measuredSpec,
  };
}

function fittedCorrections(
  { plan, profiles, hostCores, calibrating }: RecordedPlan,
  measuredSpec: PipelineSpec,
): readonly VariantCorrection[] {
  const curves = requireCurves(measuredSpec, profiles);
  const replicas = Object.values(plan.stages)
    .flat()
    .reduce((sum, part) => sum + part.replicas, 0);
  const intervalsOf = (of: readonly Segment[]) => of.map(({ record }) => threadIntervals(record));
  const steady = calibrating.filter(({ rushing }) => rushing === 0);
  const threads = fitThreadCost(intervalsOf(calibrating), intervalsOf(steady));
  const segments = calibrating.map((segment) => timedBatches(segment, curves, threads));
  return fitCorrections({ segments, usableCores: usableCores(hostCores, replicas) }).map((one) => {
    const found = threads.find(({ stageId, variantId }) => stageId === one.stageId && variantId === one.variantId);
    return found === undefined ? one : { ...one, correction: { ...one.correction, thread: found.thread } };
  });
}

class Recording {
  readonly #input: CalibrationInput;
  readonly #served: ServedPlan;
  readonly #calibrating: Segment[] = [];
  readonly #checked = new Map<MeasuredPoint['load'], Segment[]>();
  readonly #bodies: LoadTask['bodies'];
  readonly #raises: Raises;
  #seed: number;

  constructor(input: CalibrationInput, served: ServedPlan) {
    this.#input = input;
    this.#served = served;
    this.#bodies = input.bodies.slice(0, MOST_INPUTS);
    this.#raises = new Raises(input.method.mostRaises ?? 0);
    this.#seed = 1000 * input.seed;
  }

  async run(): Promise<RecordedPlan> {
    const inputs = await this.#inputs();
    const saturationRps = await this.#overload(await this.#below(await this.#search()));
    const { spec, plan, profiles, hostCores, clientSharesCore } = this.#input;
    const checked = [...this.#checked].map(([load, segments]) => ({ load, segments }));
    return {
      saturationRps,
      spec,
      plan,
      profiles,
      hostCores,
      clientSharesCore,
      calibrating: this.#calibrating,
      checked,
      inputs,
    };
  }

  /**
   * Runs each input alone. Without bodies there are none, and synthetic stages do not look at their inputs. If an input
   * is too slow for the SLO even alone, its path is unknown, and the paths of all are drawn.
   */
  async #inputs(): Promise<MeasuredInputs> {
    this.#input.onSegment('running each sample alone');
    const inputs: (readonly EdgeCount[])[] = [];
    for (const body of this.#bodies) {
      const edges = await this.#runAlone(body);
      if (edges === undefined) return [];
      inputs.push(edges);
    }
    return inputs;
  }

  /** Undefined if the request was dropped each time. */
  async #runAlone(body: LoadTask['bodies'][number]): Promise<readonly EdgeCount[] | undefined> {
    const { load, spec } = this.#input;
    const task = { url: this.#served.url, bodies: [body], requests: 1, arrivalRps: ALONE_RPS, rushing: 0 };
    for (let tries = 0; tries < TRIES_ALONE; tries++) {
      this.#served.take();
      const answer = await load.run({ ...task, seed: this.#seed, timeoutMs: answerTimeoutMs(spec.slo) });
      const { edges } = this.#served.take();
      if (answer.failed > 0) throw failure(spec, answer.failed, answer.firstRefusal?.message);
      if (answer.ok > 0) return edges;
    }
    return undefined;
  }

  async #search(): Promise<number> {
    const { spec, profiles, plan, method } = this.#input;
    const { capacityRps } = estimateStages({ spec, curves: requireCurves(spec, profiles) }, plan.stages, 0);
    await this.#run('warm-up', { arrivalRps: Math.min(MOST_RPS, 0.3 * capacityRps), seconds: method.warmUpS });
    const firstRps = Math.min(MOST_RPS, FIRST_LOAD * capacityRps);
    const seconds = Math.max(method.searchS, (SEARCH_SLOS * spec.slo.latencyMs) / 1000);
    const foundRps = await searchSaturation(firstRps, this.#raises, (arrivalRps, isExtra) =>
      this.#run('finding the saturation throughput', { arrivalRps, seconds, isExtra }),
    );
    if (foundRps === 0) throw nothingCompleted(spec);
    return foundRps;
  }

  async #below(capacityRps: number): Promise<number> {
    const { method } = this.#input;
    const { rounds, calibrating, calibratingS, checked, checkedS } = method;
    const checkedSecondsAt = (load: number) =>
      checkedSecondsOf(method, stretchAt(load, method) * checkedS, load * capacityRps);
    for (let round = 0; round < rounds; round++) {
      const steps = [
        ...calibrating.map((load) => ({ load, seconds: calibratingS, checks: false })),
        ...checked.map((load) => ({ load, seconds: checkedSecondsAt(load), checks: true })),
      ].sort((a, b) => a.load - b.load);
      // A step after a higher load finds a warmer machine, so the order alternates.
      for (const { load, seconds, checks } of round % 2 === 0 ? steps : steps.toReversed()) {
        const label = `round ${round + 1} of ${rounds}, ${percent(load)} of saturation`;
        const segment = await this.#run(label, { arrivalRps: load * capacityRps, seconds });
        if (checks) this.#check(load, segment);
        else this.#calibrating.push(segment);
      }
    }
    return capacityRps;
  }

  /**
   * Segments begin with a rush: otherwise the queue takes seconds to reach the SLO's length. They count one SLO after it.
   */
  async #overload(firstRps: number): Promise<number> {
    const { method, spec } = this.#input;
    const { overloadRounds, overloadS, overloadSlos, rounds, fewestChecked = 0 } = method;
    const sloS = spec.slo.latencyMs / 1000;
    const countedS = Math.max(overloadS, overloadSlos * sloS);
    const checking = { ...method, fewestChecked: (fewestChecked * rounds) / overloadRounds };
    let capacityRps = firstRps;
    for (let round = 0; round < overloadRounds; round++) {
      const label = `overload ${round + 1} of ${overloadRounds}`;
      const rushing = Math.ceil((2 * spec.slo.latencyMs * capacityRps) / 1000);
      const run = (load: number, of: number) =>
        this.#run(label, { arrivalRps: load * of, seconds: sloS + countedS, rushing });
      const check = (name: MeasuredPoint['load'], load: number, ofRps: number) =>
        runOverload(name, ofRps, this.#raises, (rps, isExtra) => {
          const arrivalRps = load * rps;
          const seconds = sloS + checkedSecondsOf(checking, countedS, arrivalRps);
          return this.#run(label, { arrivalRps, seconds, rushing, isExtra });
        });
      const [more, less] = CALIBRATING_OVERLOAD;
      const first = await run(more, capacityRps);
      this.#calibrating.push(first);
      capacityRps = Math.max(capacityRps, completedRps(first));
      const saturated = await check('saturation', SATURATING, capacityRps);
      this.#check('saturation', saturated.segment);
      capacityRps = saturated.ofRps;
      const saturatedRps = Math.max(completedRps(saturated.segment), LEAST_LOAD * capacityRps);
      this.#calibrating.push(await run(less, saturatedRps));
      const overload = await check(OVERLOAD, OVERLOAD, saturatedRps);
      this.#check(OVERLOAD, overload.segment);
    }
    return capacityRps;
  }

  #check(load: MeasuredPoint['load'], segment: Segment): void {
    this.#checked.set(load, [...(this.#checked.get(load) ?? []), segment]);
  }

  async #run(
    label: string,
    of: {
      readonly arrivalRps: number;
      readonly seconds: number;
      readonly rushing?: number;
      /** Not in the time of the method. */
      readonly isExtra?: boolean;
    },
  ): Promise<Segment> {
    const { load, spec, method, onSegment } = this.#input;
    const { arrivalRps, seconds, rushing = 0, isExtra = false } = of;
    const usual = Math.max(method.fewestRequests, Math.ceil(arrivalRps * seconds));
    const requests = usual + rushing;
    const rushMs = rushing === 0 ? 0 : spec.slo.latencyMs;
    onSegment(label, {
      expectedMs: (1000 * (usual + rushing / 2)) / arrivalRps + rushMs,
      methodMs: isExtra ? 0 : 1000 * seconds + 2 * rushMs,
    });
    this.#served.take();
    this.#seed += 1;
    const { url } = this.#served;
    const timeoutMs = answerTimeoutMs(spec.slo);
    const answer = await load.run({
      ...{ url, bodies: this.#bodies, requests, arrivalRps, rushing, seed: this.#seed, timeoutMs },
    });
    if (answer.failed > 0) throw failure(spec, answer.failed, answer.firstRefusal?.message);
    const { cpuMs: clientCpuMs } = answer;
    return { record: this.#served.take(), clientCpuMs, arrivalRps, requests, rushing, sloMs: spec.slo.latencyMs };
  }
}

const percent = (fraction: number): string => `${Math.round(100 * fraction)} %`;

function failure({ name, slo }: PipelineSpec, failed: number, refusal: string | undefined): AppError {
  const first = refusal ?? `no answer within ${answerTimeoutMs(slo) / 1000} s.`;
  const message = `${failed} requests of pipeline ${name} failed during calibration, the first: ${first} Calibration needs a pipeline that answers its samples. Serve it with \`equipoise serve\` and send them with \`equipoise load\` to find the cause.`;
  return new AppError('STAGE_FAILED', message, { details: { failed } });
}

function nothingCompleted({ name, slo }: PipelineSpec): AppError {
  const message = `Pipeline ${name} completed no request within its SLO of ${slo.latencyMs} ms while its saturation throughput was sought. \`equipoise plan\` tells which SLO it can meet; raise slo.latencyMs, or calibrate a faster plan with --plan.`;
  return new AppError('STAGE_FAILED', message);
}
