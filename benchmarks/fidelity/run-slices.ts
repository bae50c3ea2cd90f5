/**
 * One run of one combination: profile in a closed loop, serve, find the saturation throughput, then the loads in
 * rounds. In a round, segments that calibrate service times alternate with compared segments at other rates, so both
 * see the same machine state. Each segment starts with an empty server. Compared segments are simulated at their
 * recorded arrivals, with calibrated and with closed-loop service times.
 */
import { join } from 'node:path';
import type { PipelineSpec } from '@equipoise/core/model';
import { requireCurves, type ServiceCurves } from '@equipoise/core/plan';
import { type Combination, specOf } from './combinations.js';
import { machineTimes, othersSince, waitForCalm } from './machine-load.js';
import type { FromServer, LoadAnswer, ServedBatch } from './messages.js';
import type { LoadProcess, ServerProcess } from './processes.js';
import { measuredServiceTimes } from './service-times.js';
import { type SimulatedBy, simulateSegment } from './simulate-slice.js';
import { type Figures, figuresOf, median, medianFigures, quantile, type Timeline } from './slice-figures.js';

/** Compared loads as fractions of the saturation throughput. */
const LOADS = [0.3, 0.6, 0.85] as const;
const OVERLOAD = 1.1;
/** Higher rates cost throughput: refusals are work. */
const SATURATING = 1.25;
/** Calibrating loads and their share of a round's requests, on both sides of the compared load. */
const CALIBRATING = [
  [{ load: 0.2, part: 0.2 }],
  [{ load: 0.45, part: 0.4 }],
  [
    { load: 0.72, part: 0.4 },
    { load: 0.94, part: 0.4 },
  ],
] as const;
const CALIBRATING_OVERLOAD = [1.15, 1.35] as const;
/** Many short rounds, so that disturbances hit both kinds of segments. */
export const WHOLE_ROUNDS: Rounds = { below: 12, above: 5 };
/** Maximum uncounted part, as a fraction of the arrival time. */
const MOST_UNCOUNTED = 0.75;
/** Warm-up rate, for compilation. */
const WARM_UP_RPS = 250;
const FIRST_RPS = 700;
const SATURATION_TAKES = 2;
/**
 * A segment is disturbed if its replicas waited this many times longer per run time than in the median calibrating
 * segment.
 */
const DISTURBED_FACTOR = 1.5;
/** Maximum takes of a disturbed segment. The take with the least waiting counts. */
const MOST_TAKES = 2;
/** Maximum total wait of a run for a calm machine. */
const MOST_WAIT_MS = 12_000;
const SEEDS = 5;

export interface Rounds {
  readonly below: number;
  readonly above: number;
}

/** One load in one run. */
export interface Slice {
  readonly combination: string;
  readonly run: number;
  /** Fraction of the saturation throughput, or the search for it. */
  readonly load: number | 'saturation';
  readonly requests: number;
  readonly offeredRps: number;
  readonly served: Figures;
  /** Simulated with service times as in service, and as in the closed loop. */
  readonly simulated: Figures;
  readonly simulatedClosedLoop: Figures;
  /** Simulated with the compared segments' own times, so the remaining error is the simulation's. */
  readonly simulatedOwnTimes: Figures;
  /** Client latency, and the round trip of a single request. */
  readonly client: { readonly p50Ms: number; readonly p99Ms: number };
  readonly wayMs: number;
  /** CPU time of others and stolen time, as fractions of all cores. */
  readonly otherCpuFraction: number;
  readonly stolenFraction: number;
  /** Replica wait ÷ run time, here and in the median calibrating segment. */
  readonly waitFraction: number;
  readonly calibratedWaitFraction: number;
  /** Segments measured again. */
  readonly retaken: number;
}

/** `requests`: number per compared load. */
export interface RunSetting {
  readonly spec: PipelineSpec;
  readonly combination: Combination;
  readonly run: number;
  readonly requests: number;
  readonly rounds: Rounds;
  readonly server: ServerProcess;
  readonly load: LoadProcess;
  readonly onStep: (step: string) => void;
}

interface Recorded {
  readonly record: FromServer['record'];
  readonly answer: LoadAnswer;
  readonly requests: number;
  readonly arrivalRps: number;
  readonly rushing: number;
  readonly sloMs: number;
  readonly others: ReturnType<typeof othersSince>;
  readonly waitFraction: number;
}

interface Compared {
  readonly load: Slice['load'];
  readonly phase: number;
  readonly segments: Recorded[];
  retaken: number;
}

/** All slices of a run. */
export async function runSlices(setting: RunSetting): Promise<readonly Slice[]> {
  const spec = specOf(setting.spec, setting.combination);
  const { server } = setting;
  setting.onStep('profile');
  const profiles = await server.ask({ kind: 'profile', spec, quick: true });
  const { url } = await server.ask({ kind: 'serve', spec, profiles });
  try {
    return await new ServedRun(setting, spec, url).slices(requireCurves(spec, profiles));
  } finally {
    await server.ask({ kind: 'stop' });
  }
}

class ServedRun {
  readonly #setting: RunSetting;
  readonly #spec: PipelineSpec;
  readonly #url: string;
  /** Calibrating segments, with the phase of their compared segments. */
  readonly #calibrating: (Recorded & { readonly phase: number })[] = [];
  readonly #compared: Compared[] = [];
  #phase = 0;
  #waitedMs = 0;
  #seed: number;

  constructor(setting: RunSetting, spec: PipelineSpec, url: string) {
    this.#setting = setting;
    this.#spec = spec;
    this.#url = url;
    this.#seed = 1000 * setting.run;
  }

  async slices(closedLoop: ServiceCurves): Promise<readonly Slice[]> {
    const { requests, onStep } = this.#setting;
    onStep('warm-up');
    await this.#load(Math.ceil(requests / 2), WARM_UP_RPS);
    const single = await this.#load(Math.min(300, requests));
    const wayMs = median(single.answer.latencyMs) - median(single.record.requests.latencyMs.map((ms) => ms ?? 0));
    const capacityRps = await this.#rounds();
    onStep('overload');
    await this.#overload(capacityRps);
    onStep('simulation');
    return this.#compared.map((compared) =>
      this.#slice(compared, { wayMs, ...this.#simulatedBy(closedLoop, compared.phase) }),
    );
  }

  /** Loads below capacity. Returns the saturation throughput. */
  async #rounds(): Promise<number> {
    const { requests, rounds, onStep } = this.#setting;
    const perRound = Math.ceil(requests / rounds.below);
    let capacityRps = saturationRps(await this.#load(Math.ceil(requests / 4), FIRST_RPS));
    // Disturbances only lower the throughput.
    for (let take = 0; take < SATURATION_TAKES; take++) {
      const saturated = await this.#load(Math.ceil(requests / 2), SATURATING * capacityRps);
      capacityRps = Math.max(capacityRps, saturationRps(saturated));
    }
    for (let round = 0; round < rounds.below; round++) {
      for (const [index, load] of LOADS.entries()) {
        const calibrating = CALIBRATING[index] as (typeof CALIBRATING)[number];
        onStep(`round ${round + 1} of ${rounds.below}, ${percent(load)}`);
        const steps = [
          ...calibrating.map(({ load: beside, part }) => {
            return () => this.#calibrate(Math.ceil(part * perRound), beside * capacityRps);
          }),
          () => this.#compare(load, perRound, load * capacityRps),
        ];
        // The first step of a round follows a higher load on a warmer machine, so the order alternates.
        for (const step of round % 2 === 0 ? steps : steps.toReversed()) await step();
      }
    }
    return capacityRps;
  }

  /** Segments begin with a rush: otherwise the queue takes seconds to reach the SLO's length. */
  async #overload(firstCapacityRps: number): Promise<void> {
    const { requests, rounds, onStep } = this.#setting;
    const perRound = Math.ceil(requests / rounds.above);
    const rushing = Math.ceil((2 * this.#spec.slo.latencyMs * firstCapacityRps) / 1000);
    const [less, more] = CALIBRATING_OVERLOAD;
    const calibrate = (arrivalRps: number) =>
      this.#calibrate(Math.ceil((2 * perRound) / 3) + rushing, arrivalRps, rushing);
    let capacityRps = firstCapacityRps;
    this.#phase += 1;
    for (let round = 0; round < rounds.above; round++) {
      onStep(`round ${round + 1} of ${rounds.above}, saturation and ${percent(OVERLOAD)}`);
      capacityRps = Math.max(capacityRps, saturationRps(await calibrate(more * capacityRps)));
      const saturated = await this.#compare('saturation', perRound + rushing, SATURATING * capacityRps, rushing);
      const saturatedRps = saturationRps(saturated);
      await calibrate(less * saturatedRps);
      await this.#compare(OVERLOAD, perRound + rushing, OVERLOAD * saturatedRps, rushing);
    }
  }

  async #calibrate(requests: number, arrivalRps: number, rushing = 0): Promise<Recorded> {
    const recorded = await this.#load(requests, arrivalRps, rushing);
    this.#calibrating.push({ ...recorded, phase: this.#phase });
    return recorded;
  }

  async #compare(load: Slice['load'], requests: number, arrivalRps: number, rushing = 0): Promise<Recorded> {
    let kept = await this.#load(requests, arrivalRps, rushing);
    let takes = 1;
    for (; takes < MOST_TAKES && kept.waitFraction > DISTURBED_FACTOR * this.#calibratedWait(); takes++) {
      const again = await this.#load(requests, arrivalRps, rushing);
      if (again.waitFraction < kept.waitFraction) kept = again;
    }
    let compared = this.#compared.find((other) => other.load === load);
    if (compared === undefined) {
      compared = { load, phase: this.#phase, segments: [], retaken: 0 };
      this.#compared.push(compared);
    }
    compared.segments.push(kept);
    compared.retaken += takes - 1;
    return kept;
  }

  #calibratedWait(): number {
    return median(this.#calibrating.map(({ waitFraction }) => waitFraction));
  }

  async #load(requests: number, arrivalRps?: number, rushing = 0): Promise<Recorded> {
    const { server, load } = this.#setting;
    this.#waitedMs += await waitForCalm(MOST_WAIT_MS - this.#waitedMs);
    await server.ask({ kind: 'record' });
    const before = machineTimes();
    const folder = join(this.#spec.baseDir, 'samples');
    const seed = ++this.#seed;
    const task = { url: this.#url, folder, requests, rushing, seed };
    const answer = await load.run(arrivalRps === undefined ? task : { ...task, arrivalRps });
    const record = await server.ask({ kind: 'record' });
    if (answer.failed > 0) throw new Error(`${answer.failed} requests failed`);
    const { runMs, waitMs } = record.threads.replicas;
    const others = othersSince(before, record.cpuMs + answer.cpuMs);
    const { latencyMs: sloMs } = this.#spec.slo;
    const offered = { requests, arrivalRps: arrivalRps ?? 0, rushing, sloMs };
    return { record, answer, ...offered, others, waitFraction: waitMs / runMs };
  }

  /** Both simulations, with measured fan-outs and the curves of the server's policies. */
  #simulatedBy(
    curves: ServiceCurves,
    inPhase: number,
  ): { readonly calibrated: SimulatedBy; readonly profiled: SimulatedBy } {
    const calibrating = this.#calibrating.filter(({ phase }) => phase === inPhase);
    const records = calibrating.map(({ record }) => record);
    const profiled = { spec: withFanOut(this.#spec, records), curves };
    return { calibrated: this.#timedBy(profiled, calibrating), profiled };
  }

  #timedBy(by: SimulatedBy, segments: readonly Recorded[]): SimulatedBy {
    const stageIds = this.#spec.stages.map(({ id }) => id);
    const settled = segments.map(settledBatches);
    // On a very busy machine the last stages may get nothing after a rush.
    const hasAll = stageIds.every((id) => settled.some((batches) => batches.some(({ stageId }) => stageId === id)));
    const batches = hasAll ? settled : segments.map(({ record }) => record.batches);
    return { ...by, serviceTimes: measuredServiceTimes(stageIds, batches) };
  }

  #slice(
    { load, segments, retaken }: Compared,
    by: { readonly wayMs: number; readonly calibrated: SimulatedBy; readonly profiled: SimulatedBy },
  ): Slice {
    const latencies = segments.flatMap(({ answer }) => answer.latencyMs);
    const mean = (of: (segment: Recorded) => number) =>
      segments.reduce((sum, segment) => sum + of(segment), 0) / segments.length;
    return {
      combination: this.#setting.combination.name,
      run: this.#setting.run,
      load,
      requests: segments.reduce((sum, { requests }) => sum + requests, 0),
      offeredRps: segments[0]?.arrivalRps ?? 0,
      served: figuresOf(segments.map(servedEnds)),
      simulated: simulatedFigures(by.calibrated, segments),
      simulatedClosedLoop: simulatedFigures(by.profiled, segments),
      simulatedOwnTimes: simulatedFigures(this.#timedBy(by.profiled, segments), segments),
      client: { p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99) },
      wayMs: by.wayMs,
      otherCpuFraction: mean(({ others }) => others.otherCpuFraction),
      stolenFraction: mean(({ others }) => others.stolenFraction),
      waitFraction: mean(({ waitFraction }) => waitFraction),
      calibratedWaitFraction: this.#calibratedWait(),
      retaken,
    };
  }
}

/** Arrivals relative to the first, ascending. */
function arrivalsOf({ record }: Recorded): readonly number[] {
  const { arrivedAtMs } = record.requests;
  const firstMs = Math.min(...arrivedAtMs);
  return arrivedAtMs.map((atMs) => atMs - firstMs).sort((a, b) => a - b);
}

/** End of a segment's rush, relative to the first arrival. */
const rushEndMs = (recorded: Recorded): number =>
  recorded.rushing === 0 ? 0 : (arrivalsOf(recorded)[recorded.rushing - 1] as number);

/** Batches outside a rush, which loads the server's thread. */
function settledBatches(recorded: Recorded): readonly ServedBatch[] {
  const fromMs = Math.min(...recorded.record.requests.arrivedAtMs) + rushEndMs(recorded);
  return recorded.record.batches.filter(({ startedAtMs }) => startedAtMs >= fromMs);
}

function servedEnds(recorded: Recorded): Timeline {
  const { arrivedAtMs, latencyMs } = recorded.record.requests;
  const firstMs = Math.min(...arrivedAtMs);
  const ends = arrivedAtMs.map((atMs, i) => {
    const latency = latencyMs[i] ?? undefined;
    return { arrivedAtMs: atMs - firstMs, endedAtMs: atMs - firstMs + (latency ?? 0), latencyMs: latency };
  });
  return { ends, ...countedSpan(recorded) };
}

/** Throughput and drops count after the first quarter, or after a rush once its requests have left. */
function countedSpan(recorded: Recorded): Pick<Timeline, 'countFromMs' | 'countToMs'> {
  const countToMs = arrivalsOf(recorded).at(-1) ?? 0;
  const settledAtMs = recorded.rushing === 0 ? countToMs / 4 : rushEndMs(recorded) + recorded.sloMs;
  return { countFromMs: Math.min(settledAtMs, MOST_UNCOUNTED * countToMs), countToMs };
}

const percent = (fraction: number): string => `${Math.round(100 * fraction)} %`;

const saturationRps = (recorded: Recorded): number => figuresOf([servedEnds(recorded)]).completedRps;

function simulatedFigures(by: SimulatedBy, segments: readonly Recorded[]): Figures {
  const simulated = (recorded: Recorded, seed: number): Timeline => ({
    ends: simulateSegment(by, arrivalsOf(recorded), seed),
    ...countedSpan(recorded),
  });
  const bySeed = Array.from({ length: SEEDS }, (_, seed) =>
    figuresOf(segments.map((recorded, index) => simulated(recorded, 1000 * seed + index + 1))),
  );
  return medianFigures(bySeed);
}

/** Pipeline with the measured fan-out factors. */
function withFanOut(spec: PipelineSpec, records: readonly FromServer['record'][]): PipelineSpec {
  const edges = spec.edges.map((edge) => {
    if (edge.fanOut === undefined) return edge;
    const items = records.flatMap(({ fanOuts }) => fanOuts[edge.from] ?? []);
    const distribution = Array.from({ length: Math.max(...items) + 1 }, () => 0);
    for (const count of items) distribution[count] = (distribution[count] ?? 0) + 1 / items.length;
    const expected = items.reduce((sum, count) => sum + count, 0) / items.length;
    return { ...edge, fanOut: { expected, distribution } };
  });
  return { ...spec, edges };
}
