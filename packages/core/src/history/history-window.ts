/** Seconds of a history as plain data, oldest first: the input of the diagnosis and of the admin API. */
import {
  dropReasons,
  type EdgeField,
  type HistoryShape,
  type PipelineField,
  placeOf,
  placeOfEdge,
  placeOfStage,
  rowWidth,
  type StageField,
} from './history-layout.js';
import type { HistoryPoint, StagePoint } from './history-point.js';

/** `atEpochMs` is the end of each second. `rows` has one row per second (see `history-layout`). */
export interface HistoryRows {
  readonly shape: HistoryShape;
  readonly atEpochMs: Float64Array;
  readonly rows: Float32Array;
}

export const STEP_MS = 1000;

export class HistoryWindow {
  readonly #data: HistoryRows;
  readonly #width: number;

  constructor(data: HistoryRows) {
    this.#data = data;
    this.#width = rowWidth(data.shape);
  }

  /** Plain data, for another thread. */
  get data(): HistoryRows {
    return this.#data;
  }

  get shape(): HistoryShape {
    return this.#data.shape;
  }

  get length(): number {
    return this.#data.atEpochMs.length;
  }

  atEpochMs(second: number): number {
    return this.#data.atEpochMs[second] as number;
  }

  figure(second: number, field: PipelineField): number {
    return this.#at(second, placeOf(field));
  }

  stageFigure(second: number, stage: number, field: StageField): number {
    return this.#at(second, placeOfStage(stage, field));
  }

  edgeFigure(second: number, edge: number, field: EdgeField): number {
    return this.#at(second, placeOfEdge(this.shape, edge, field));
  }

  /** Requests that missed the SLO: late, dropped or failed. Drops of a server that stops do not count. */
  missed(second: number): number {
    let sum = this.figure(second, 'late') + this.figure(second, 'failed');
    for (const reason of dropReasons) if (reason !== 'draining') sum += this.figure(second, reason);
    return sum;
  }

  ended(second: number): number {
    return this.figure(second, 'completed') - this.figure(second, 'late') + this.missed(second);
  }

  /** Seconds `from` (inclusive) to `to` (exclusive). */
  slice(from: number, to: number): HistoryWindow {
    const { shape, atEpochMs, rows } = this.#data;
    const data = {
      shape,
      atEpochMs: atEpochMs.slice(from, to),
      rows: rows.slice(from * this.#width, to * this.#width),
    };
    return new HistoryWindow(data);
  }

  /** Length (ms) of each of at most `maxPoints` points. */
  stepMs(maxPoints: number): number {
    return STEP_MS * this.#secondsPerPoint(maxPoints);
  }

  #secondsPerPoint(maxPoints: number): number {
    return Math.max(1, Math.ceil(this.length / maxPoints));
  }

  /** At most `maxPoints` points: sums of counts, maxima of latencies, the last value of all else. */
  points(maxPoints: number): readonly HistoryPoint[] {
    return [...this.eachPoint(maxPoints)];
  }

  /** The points of `points`, each computed when it is asked for. */
  *eachPoint(maxPoints: number): Generator<HistoryPoint, undefined> {
    const perPoint = this.#secondsPerPoint(maxPoints);
    for (let from = 0; from < this.length; from += perPoint)
      yield this.#point(from, Math.min(this.length, from + perPoint));
  }

  #point(from: number, to: number): HistoryPoint {
    const last = to - 1;
    const seconds = to - from;
    const rate = (field: PipelineField) => rounded(sumOf(from, to, (at) => this.figure(at, field)) / seconds);
    const known = (field: PipelineField) => numberOr(this.figure(last, field));
    const most = (field: 'p50Ms' | 'p99Ms') => maxOf(from, to, (at) => this.figure(at, field));
    const drops = dropReasons.map((reason) => [reason, rate(reason)] as const).filter(([, rps]) => rps > 0);
    const used = rate('usedCores');
    return {
      atEpochMs: this.atEpochMs(last),
      arrivalRps: rate('arrived'),
      ...optional('forecastRps', known('forecastRps')),
      ...optional('forecastUpperRps', known('forecastUpperRps')),
      completedRps: rate('completed'),
      lateRps: rate('late'),
      failedRps: rate('failed'),
      drops: Object.fromEntries(drops),
      p50Ms: most('p50Ms'),
      p99Ms: most('p99Ms'),
      ...optional('accuracy', known('accuracy')),
      ...optional('cost', known('costPerHour')),
      cpuCores: { used, ...optional('planned', known('plannedCores')) },
      stages: Object.fromEntries(this.shape.stageIds.map((id, stage) => [id, this.#stagePoint(stage, from, to)])),
    };
  }

  #stagePoint(stage: number, from: number, to: number): StagePoint {
    const last = to - 1;
    const sum = (field: StageField) => sumOf(from, to, (at) => this.stageFigure(at, stage, field));
    const now = (field: StageField) => this.stageFigure(last, stage, field);
    const p99Ms = maxOf(from, to, (at) => this.stageFigure(at, stage, 'p99Ms'));
    const batches = sum('batches');
    const limit = now('batchLimit');
    const batchSize = sum('items') / batches;
    return {
      arrivalRps: rounded(sum('arrived') / (to - from)),
      droppedRps: rounded(sum('dropped') / (to - from)),
      ...optional('p99Ms', p99Ms ?? undefined),
      queueLength: maxOf(from, to, (at) => this.stageFigure(at, stage, 'queueLength')) ?? 0,
      batchLimit: limit,
      ...(batches > 0 && { batchSize: rounded(batchSize) }),
      ...(batches > 0 && limit > 0 && batchSize <= limit && { batchFill: rounded(batchSize / limit) }),
      cpuCores: rounded(now('cpuCores')),
      replicas: {
        starting: now('starting'),
        ready: now('ready'),
        draining: now('draining'),
        unhealthy: now('unhealthy'),
      },
    };
  }

  #at(second: number, place: number): number {
    return this.#data.rows[second * this.#width + place] as number;
  }
}

function sumOf(from: number, to: number, figure: (second: number) => number): number {
  let sum = 0;
  for (let second = from; second < to; second++) sum += figure(second);
  return sum;
}

/** Null if no figure is known. */
function maxOf(from: number, to: number, figure: (second: number) => number): number | null {
  let most = Number.NEGATIVE_INFINITY;
  for (let second = from; second < to; second++) {
    const value = figure(second);
    if (value > most) most = value;
  }
  return most === Number.NEGATIVE_INFINITY ? null : rounded(most);
}

/** Rows are 32-bit floats, so further digits mean nothing. */
const rounded = (figure: number): number => Math.round(figure * 1e4) / 1e4;

const numberOr = (figure: number): number | undefined => (Number.isFinite(figure) ? rounded(figure) : undefined);

const optional = <Name extends string>(name: Name, value: number | undefined): { readonly [Key in Name]?: number } =>
  (value === undefined ? {} : { [name]: value }) as { readonly [Key in Name]?: number };
