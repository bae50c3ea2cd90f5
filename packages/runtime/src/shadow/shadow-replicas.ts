/**
 * Shadows: one replica of another variant per stage, outside of the plan, which runs copies of some items. Its answers
 * are compared with those that went to clients. It never delays a request: items that do not fit into its short queue
 * are skipped.
 */
import {
  type AlarmClock,
  AppError,
  boundedMessage,
  boundedName,
  doubledDelayMs,
  type PipelineSpec,
  type Rng,
  type ShadowSpec,
  type StageId,
  type StageSpec,
  type TensorMap,
} from '@equipoise/core/model';
import type { ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import {
  AgreementWatch,
  type ItemShadows,
  type ShadowedItem,
  type WatchedAgreement,
} from '../accuracy/agreement-watch.js';
import { tensorBytes } from '../data-plane/bytes-in-flight.js';
import { copyTensors } from '../data-plane/payload-algebra.js';
import { answerAsLabel } from '../evaluate/answer-as-label.js';
import { metricScore } from '../evaluate/metric-score.js';

export interface ShadowDeps {
  readonly launcher: ReplicaLauncher;
  readonly clock: AlarmClock;
  readonly rng: Rng;
  /** Shadows do not run, or their answers cannot be compared; undefined once all work again. */
  readonly onProblem: (problem: Error | undefined) => void;
}

/** Per stage. */
const [MOST_WAITING, MOST_WAITING_BYTES] = [16, 32 * 1024 * 1024];
/** About 20 ms of the thread that serves. */
const MOST_PAIRS = { units: 5e7, boxes: 5e4 };
const RETRIES = { shortestMs: 5_000, longestMs: 300_000 };
/** Wait for a running item when the server closes. Then the replica is given up, because nothing needs its answer. */
const CLOSE_PATIENCE_MS = 1_000;
/** Failed comparisons in a row that are a problem of the shadow, not of an item. */
const PROBLEM = 5;

export class ShadowReplicas implements ItemShadows {
  readonly agreement: AgreementWatch;
  readonly #shadows: ReadonlyMap<StageId, StageShadow>;

  constructor(spec: Pick<PipelineSpec, 'stages' | 'baseDir' | 'accuracyTable'>, deps: ShadowDeps) {
    this.agreement = new AgreementWatch(spec);
    const problems = new Map<StageId, string>();
    const tell = (stageId: StageId, problem: string | undefined) => {
      if (problem === undefined) problems.delete(stageId);
      else problems.set(stageId, problem);
      deps.onProblem(problems.size === 0 ? undefined : new Error([...problems.values()].join(' ')));
    };
    this.#shadows = new Map(
      spec.stages.flatMap((stage) => {
        const { shadow } = stage;
        if (shadow === undefined) return [];
        const place = { stage, shadow, baseDir: spec.baseDir };
        return [[stage.id, new StageShadow(place, { ...deps, agreement: this.agreement, tell })]];
      }),
    );
  }

  /** Launches the replicas. Until they are ready, items are skipped. */
  start(): void {
    for (const shadow of this.#shadows.values()) void shadow.launch();
  }

  /** Takes a copy of some items. */
  offer(stageId: StageId, item: ShadowedItem): void {
    this.#shadows.get(stageId)?.offer(item);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#shadows.values()].map((shadow) => shadow.close()));
  }
}

interface ShadowPlace {
  readonly stage: StageSpec;
  readonly shadow: ShadowSpec;
  readonly baseDir: string;
}

interface WaitingItem extends Pick<ShadowedItem, 'input' | 'output'> {
  readonly watched: WatchedAgreement;
  readonly bytes: number;
}

interface StageShadowDeps extends Omit<ShadowDeps, 'onProblem'> {
  readonly agreement: AgreementWatch;
  readonly tell: (stageId: StageId, problem: string | undefined) => void;
}

class StageShadow {
  readonly #place: ShadowPlace;
  readonly #deps: StageShadowDeps;
  readonly #score: (samples: readonly { outputs: TensorMap; label: unknown }[]) => number;
  readonly #waiting: WaitingItem[] = [];
  #bytes = 0;
  #runner: ModelRunner | undefined;
  #running: Promise<void> | undefined;
  #launching: Promise<void> | undefined;
  #failures = 0;
  #launches = 0;
  /** Since the start. A hung thread never ends and keeps its core, so each hang makes later starts rarer. */
  #hangs = 0;
  #hasProblem = false;
  #isClosed = false;
  #cancelRetry = () => {};

  constructor(place: ShadowPlace, deps: StageShadowDeps) {
    this.#place = place;
    this.#deps = deps;
    this.#score = metricScore(place.shadow.metric, MOST_PAIRS);
  }

  launch(): Promise<void> {
    this.#launching = this.#launch();
    return this.#launching;
  }

  async #launch(): Promise<void> {
    const { stage, shadow, baseDir } = this.#place;
    const variant = stage.variants.find(({ id }) => id === shadow.variantId);
    if (variant === undefined || this.#isClosed) return;
    const { memoryBytes, gpus } = variant;
    const resources = { cpuCores: shadow.cpuCores, memoryBytes, gpus };
    try {
      const { runner } = await this.#deps.launcher.launch({ stage, variant, resources, baseDir });
      if (this.#isClosed) {
        await runner.close();
        return;
      }
      this.#runner = runner;
      runner.onLost((error) => this.#lose(runner, error));
      this.#solve();
    } catch (error) {
      this.#retryAfter(error);
    }
  }

  #lose(runner: ModelRunner, error: AppError): void {
    if (this.#runner !== runner) return;
    this.#runner = undefined;
    if (error.details['trouble'] === 'hung') this.#hangs += 1;
    runner.close().catch(() => undefined);
    for (const { watched } of this.#waiting) watched.skipped += 1;
    this.#waiting.length = 0;
    this.#bytes = 0;
    this.#retryAfter(error);
  }

  #retryAfter(error: unknown): void {
    if (this.#isClosed) return;
    this.#tell(error);
    const { clock } = this.#deps;
    this.#launches += 1;
    const delayMs = doubledDelayMs(this.#launches + this.#hangs, RETRIES);
    this.#cancelRetry = clock.ringAt(clock.nowMs() + delayMs, () => void this.launch());
  }

  offer({ variantId, isNew, input, output }: ShadowedItem): void {
    const { stage, shadow } = this.#place;
    const watched = this.#deps.agreement.of(stage.id, variantId);
    if (watched === undefined || this.#isClosed) return;
    if (this.#deps.rng.next() >= shadow.fraction && !isNew()) return;
    const bytes = tensorBytes(input) + tensorBytes(output);
    const hasPlace = this.#waiting.length < MOST_WAITING && this.#bytes + bytes <= MOST_WAITING_BYTES;
    if (this.#runner === undefined || !hasPlace) {
      watched.skipped += 1;
      return;
    }
    // The originals may share memory with larger tensors.
    this.#waiting.push({ watched, bytes, input: copyTensors(input), output: copyTensors(output) });
    this.#bytes += bytes;
    this.#running ??= this.#runAll();
  }

  async #runAll(): Promise<void> {
    for (let item = this.#waiting[0]; item !== undefined && !this.#isClosed; item = this.#waiting[0]) {
      const runner = this.#runner;
      if (runner === undefined) break;
      this.#waiting.shift();
      this.#bytes -= item.bytes;
      await this.#compare(runner, item);
    }
    // In the same turn as the last look at the queue, so that no item is left there.
    this.#running = undefined;
  }

  async #compare(runner: ModelRunner, { watched, input, output }: WaitingItem): Promise<void> {
    try {
      const { items } = await runner.run([input]);
      const [result] = items;
      if (result === undefined) throw new AppError('STAGE_FAILED', 'The shadow gave no answer.');
      if (result.kind === 'failed') throw result.error;
      const label = answerAsLabel(this.#place.shadow.metric, result.output);
      const score = this.#score([{ outputs: output, label }]);
      // Undefined if both answers have nothing, such as no boxes.
      this.#deps.agreement.note(watched, Number.isNaN(score) ? 1 : score, this.#deps.clock.nowMs());
      this.#failures = 0;
      this.#launches = 0;
      this.#solve();
    } catch (error) {
      watched.failed += 1;
      // A replica that is lost during a run tells only the run.
      if (error instanceof AppError && error.code === 'REPLICA_LOST') {
        this.#lose(runner, error);
        return;
      }
      this.#failures += 1;
      if (this.#failures === PROBLEM) this.#tell(error);
    }
  }

  #tell(error: unknown): void {
    const { stage, shadow } = this.#place;
    this.#hasProblem = true;
    const reason = error instanceof Error ? error.message : String(error);
    const text = `The shadow ${shadow.variantId} of stage ${boundedName(stage.id)} compares nothing: ${reason}`;
    this.#deps.tell(stage.id, boundedMessage(text));
  }

  #solve(): void {
    if (!this.#hasProblem || this.#failures >= PROBLEM) return;
    this.#hasProblem = false;
    this.#deps.tell(this.#place.stage.id, undefined);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRetry();
    this.#waiting.length = 0;
    await this.#launching;
    const { clock } = this.#deps;
    const cancel = clock.ringAt(clock.nowMs() + CLOSE_PATIENCE_MS, () => this.#runner?.abandon?.());
    await this.#running;
    cancel();
    await this.#runner?.close();
  }
}
