/**
 * One run of one combination: profile in a closed loop, serve, calibrate, find the saturation throughput, then the loads. After every
 * slice the recorded instants of arrival go through the simulator, once with the closed loop's profile and once with service times as
 * they are in service; the calibration slices are none of those that are compared.
 */
import { join } from 'node:path';
import { type PipelineSpec, requireCurves, type ServiceCurves } from '@equipoise/core';
import { type Combination, specOf } from './combinations.js';
import { inServiceCurves } from './in-service-curves.js';
import { machineTimes, othersSince } from './machine-load.js';
import type { FromServer, LoadAnswer, ServedBatch } from './messages.js';
import type { LoadProcess, ServerProcess } from './processes.js';
import { simulateSlice } from './simulate-slice.js';
import { type Figures, figuresOf, median, medianFigures, quantile } from './slice-figures.js';

/** Loads that are compared, as fractions of the saturation throughput; the last one overloads. */
export const LOADS = [0.3, 0.6, 0.85, 1.1] as const;
const SATURATING = 1.5;
/** Code is compiled while it is used: requests at this rate come before anything is measured. */
const WARM_UP_RPS = 200;
/** A slice in which the replicas waited more than this part of their running time for other work is measured again, … */
const DISTURBED_FRACTION = 0.1;
/** … so often in all; the take with the least waiting counts, whatever it shows. */
const MOST_TAKES = 2;

/** One slice of one run. */
export interface Slice {
  readonly combination: string;
  readonly run: number;
  /** A fraction of the saturation throughput, or the search for it. */
  readonly load: number | 'saturation';
  readonly requests: number;
  readonly offeredRps: number;
  readonly served: Figures;
  /** By the simulator with service times as in service, and with those of the closed loop. */
  readonly simulated: Figures;
  readonly simulatedClosedLoop: Figures;
  /** Beside the server's latency: the client's, and the way to the server and back of a single request. */
  readonly client: { readonly p50Ms: number; readonly p99Ms: number };
  readonly wayMs: number;
  readonly otherCpuFraction: number;
  readonly stolenFraction: number;
  /** Time that the replicas' threads waited for their core ÷ time they ran: nobody else is pinned there, so they waited for other work. */
  readonly waitFraction: number;
  /** How often it was measured; the take in which the replicas waited least is this one. */
  readonly takes: number;
}

/** What a run works with. */
export interface RunSetting {
  readonly spec: PipelineSpec;
  readonly combination: Combination;
  readonly run: number;
  readonly requests: number;
  readonly server: ServerProcess;
  readonly load: LoadProcess;
}

interface Recorded {
  readonly record: FromServer['record'];
  readonly answer: LoadAnswer;
  readonly others: ReturnType<typeof othersSince> & Pick<Slice, 'waitFraction'>;
}

/** All slices of a run. */
export async function runSlices(setting: RunSetting): Promise<readonly Slice[]> {
  const spec = specOf(setting.spec, setting.combination);
  const { server } = setting;
  const profiles = await server.ask({ kind: 'profile', spec, quick: true });
  const closedLoop = requireCurves(spec, profiles);
  const { url } = await server.ask({ kind: 'serve', spec, profiles });
  try {
    return await new ServedRun(setting, spec, url).slices(closedLoop);
  } finally {
    await server.ask({ kind: 'stop' });
  }
}

class ServedRun {
  readonly #setting: RunSetting;
  readonly #spec: PipelineSpec;
  readonly #url: string;
  #seed: number;

  constructor(setting: RunSetting, spec: PipelineSpec, url: string) {
    this.#setting = setting;
    this.#spec = spec;
    this.#url = url;
    this.#seed = 1000 * setting.run;
  }

  async slices(closedLoop: ServiceCurves): Promise<readonly Slice[]> {
    const { requests } = this.#setting;
    const third = Math.ceil(requests / 3);
    await this.#load(third, WARM_UP_RPS);
    const single = await this.#load(Math.min(300, third));
    const wayMs = median(single.answer.latencyMs) - median(single.record.requests.latencyMs.map((ms) => ms ?? 0));
    const burst = await this.#load(third, SATURATING * singleCapacityRps(single));
    const about = completedRps(burst);
    const calm = await this.#load(third, about / 2);
    const batches = [...burst.record.batches, ...calm.record.batches];
    const curves = inServiceCurves(this.#spec.stages, closedLoop, batches);
    const spec = withFanOut(this.#spec, batches);
    const slice = async (load: Slice['load'], count: number, offeredRps: number): Promise<Slice> => {
      const { recorded, takes } = await this.#undisturbed(count, offeredRps);
      const compared = this.#compared(recorded, { spec, curves, closedLoop });
      return { ...compared, load, requests: count, offeredRps, wayMs, takes };
    };
    const saturation = await slice('saturation', Math.ceil(requests / 2), SATURATING * about);
    const slices: Slice[] = [saturation];
    for (const load of LOADS) slices.push(await slice(load, requests, load * saturation.served.completedRps));
    return slices;
  }

  async #undisturbed(requests: number, arrivalRps: number): Promise<{ recorded: Recorded; takes: number }> {
    let recorded = await this.#load(requests, arrivalRps);
    let takes = 1;
    for (; takes < MOST_TAKES && recorded.others.waitFraction > DISTURBED_FRACTION; takes++) {
      const again = await this.#load(requests, arrivalRps);
      if (again.others.waitFraction < recorded.others.waitFraction) recorded = again;
    }
    return { recorded, takes };
  }

  async #load(requests: number, arrivalRps?: number): Promise<Recorded> {
    const { server, load } = this.#setting;
    await server.ask({ kind: 'record' });
    const before = machineTimes();
    const folder = join(this.#spec.baseDir, 'samples');
    const seed = ++this.#seed;
    const task = { url: this.#url, folder, requests, seed };
    const answer = await load.run(arrivalRps === undefined ? task : { ...task, arrivalRps });
    const record = await server.ask({ kind: 'record' });
    if (answer.failed > 0) throw new Error(`${answer.failed} requests failed`);
    const { runMs, waitMs } = record.threads.replicas;
    const others = { ...othersSince(before, record.cpuMs + answer.cpuMs), waitFraction: waitMs / runMs };
    return { record, answer, others };
  }

  #compared(
    { record, answer, others }: Recorded,
    by: { readonly spec: PipelineSpec; readonly curves: ServiceCurves; readonly closedLoop: ServiceCurves },
  ) {
    const { arrivedAtMs, latencyMs } = record.requests;
    const firstMs = Math.min(...arrivedAtMs);
    const arrivals = arrivedAtMs.map((atMs) => atMs - firstMs).sort((a, b) => a - b);
    const lastMs = arrivals.at(-1) ?? 0;
    const simulated = (curves: ServiceCurves) =>
      medianFigures(simulateSlice(by.spec, curves, arrivals).map((ends) => figuresOf(ends, lastMs)));
    const served = {
      endedAtMs: arrivedAtMs.map((atMs, i) => atMs - firstMs + (latencyMs[i] ?? 0)),
      latencyMs: latencyMs.map((ms) => ms ?? undefined),
    };
    const { combination, run } = this.#setting;
    return {
      combination: combination.name,
      run,
      served: figuresOf(served, lastMs),
      simulated: simulated(by.curves),
      simulatedClosedLoop: simulated(by.closedLoop),
      client: { p50Ms: quantile(answer.latencyMs, 0.5), p99Ms: quantile(answer.latencyMs, 0.99) },
      ...others,
    };
  }
}

/** With one request at a time the core works on nothing else: its rate is a first guess at the capacity. */
const singleCapacityRps = ({ record }: Recorded): number => {
  const busyMs = record.batches.reduce((sum, { ms }) => sum + ms, 0);
  return (1000 * record.requests.latencyMs.length) / busyMs;
};

const completedRps = ({ record }: Recorded): number => {
  const { arrivedAtMs, latencyMs } = record.requests;
  const ends = arrivedAtMs.map((atMs, i) => atMs + (latencyMs[i] ?? 0));
  const completed = latencyMs.filter((ms) => ms !== null).length;
  return (1000 * completed) / (Math.max(...ends) - Math.min(...arrivedAtMs));
};

/** The pipeline with the mean number of garments that the detector really found. */
function withFanOut(spec: PipelineSpec, batches: readonly ServedBatch[]): PipelineSpec {
  const items = (stage: string) =>
    batches.filter(({ stageId }) => stageId === stage).reduce((sum, { size }) => sum + size, 0);
  const expected = items('classify') / items('detect');
  return {
    ...spec,
    edges: spec.edges.map((edge) => (edge.fanOut === undefined ? edge : { ...edge, fanOut: { expected } })),
  };
}
