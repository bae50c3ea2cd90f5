/** The pipelines that an operator follows, for its page: looked at once a second, forgotten when they are gone. */
import type { FollowedPipeline } from '@equipoise/adapter-kubernetes';
import { type Decision, type DecisionRecord, type Observation, planOfRouters } from '@equipoise/core/model';
import type { ClusterPipeline, EventFeed } from '@equipoise/runtime';
import { type BoardLimits, BoardPipeline } from './board-pipeline.js';
import { BoardQuestions } from './board-questions.js';

/** Plans of an operator that leads all pipelines, or a shard of them. */
export interface BoardSource {
  readonly keys: readonly string[];
  followed(key: string): FollowedPipeline | undefined;
}

export interface ClusterBoardDeps {
  readonly feed: EventFeed;
  readonly nowEpochMs: () => number;
}

/** Memory of all histories, and number of all kept decisions: with many pipelines, each keeps less. */
const HISTORY_BYTES = 128 * 1024 * 1024;
const DECISIONS = 10_000;
const MOST_DECISIONS = 200;
const LEAST_DECISIONS = 10;
/** Histories are shortened to leave memory for a quarter more pipelines, so that this happens rarely. */
const SPARE_FACTOR = 1.25;
const EVERY_MS = 1000;

type Applied = DecisionRecord & { readonly decision: Decision };

export class ClusterBoard {
  readonly #deps: ClusterBoardDeps;
  readonly #pipelines = new Map<string, BoardPipeline>();
  readonly #questions = new BoardQuestions();
  readonly #sources = new Set<BoardSource>();
  #timer: NodeJS.Timeout | undefined;
  /** Number of pipelines among which memory is divided. */
  #shares = 0;

  constructor(deps: ClusterBoardDeps) {
    this.#deps = deps;
  }

  get pipelines(): ReadonlyMap<string, ClusterPipeline> {
    return this.#pipelines;
  }

  /** Follows the pipelines of a source, all or a shard, until the returned function is called. */
  follow(source: BoardSource): () => void {
    this.#sources.add(source);
    this.#timer ??= setInterval(() => this.look(), EVERY_MS).unref();
    return () => {
      this.#sources.delete(source);
      if (this.#sources.size === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
      this.look();
    };
  }

  /** Ends a second of each pipeline, and forgets those that are gone. */
  look(): void {
    const nowEpochMs = this.#deps.nowEpochMs();
    this.#share();
    const known = new Set<string>();
    for (const source of this.#sources)
      for (const key of source.keys) {
        const seen = source.followed(key);
        if (seen === undefined) continue;
        known.add(key);
        this.#look(key, seen, nowEpochMs);
      }
    for (const key of this.#pipelines.keys()) if (!known.has(key)) this.#pipelines.delete(key);
  }

  #followed(key: string): FollowedPipeline | undefined {
    for (const source of this.#sources) {
      const seen = source.followed(key);
      if (seen !== undefined) return seen;
    }
    return undefined;
  }

  #look(key: string, seen: FollowedPipeline, nowEpochMs: number): void {
    const pipeline = this.#pipelineOf(key, seen);
    this.#notePlan(key, pipeline, seen);
    pipeline.advance(seen, nowEpochMs);
    this.#end(key, pipeline, nowEpochMs);
  }

  /** Plans that are no decisions of the loop: the first, that of a changed object, or that after a roll-back. */
  #notePlan(key: string, pipeline: BoardPipeline, { answer, plan }: FollowedPipeline): void {
    if (answer === pipeline.noted) return;
    pipeline.noted = answer;
    if (answer.kind !== 'plan' || plan === undefined || pipeline.log.hasChosen(plan)) return;
    const { arrivalRps, plannedAtEpochMs } = answer;
    const forecast = { method: 'given', meanRps: arrivalRps, upperRps: arrivalRps };
    const isFirst = pipeline.log.newest === undefined;
    const reason = isFirst
      ? 'The plan with which the operator began to follow this pipeline.'
      : 'A plan without a decision of the loop: the pipeline object changed, or a canary was rolled back.';
    const decision = { kind: 'apply' as const, plan, changes: [], reason, evidence: { forecast } };
    const record = pipeline.decided(decision, observationBefore(pipeline), plannedAtEpochMs);
    this.#publish(key, record as Applied);
  }

  /** A change is applied once the cluster is ready with its plan. */
  #end(key: string, pipeline: BoardPipeline, nowEpochMs: number): void {
    if (!pipeline.hasSettled) return;
    const ended = pipeline.log.end((atEpochMs) => ({
      outcome: { kind: 'applied', tookMs: Math.max(0, nowEpochMs - atEpochMs) },
    }));
    if (ended?.outcome !== undefined)
      this.#deps.feed.publish(key, { kind: 'amended', id: ended.id, outcome: ended.outcome });
  }

  decided(key: string, decision: Decision, observation: Observation): void {
    const seen = this.#followed(key);
    if (seen === undefined) return;
    const { split } = seen.planned;
    const whole = decision.kind === 'apply' ? { ...decision, plan: planOfRouters(decision.plan, split) } : decision;
    const record = this.#pipelineOf(key, seen).decided(whole, observation, this.#deps.nowEpochMs());
    this.#publish(key, record as Applied);
  }

  #publish(key: string, record: Applied): void {
    this.#deps.feed.publish(key, { kind: 'decided', record });
  }

  get #limits(): BoardLimits {
    const shares = Math.max(1, this.#shares);
    return {
      decisions: Math.max(LEAST_DECISIONS, Math.min(MOST_DECISIONS, Math.floor(DECISIONS / shares))),
      historyBytes: HISTORY_BYTES / shares,
    };
  }

  /** Divides the memory again if there are more pipelines. */
  #share(): void {
    if (this.#pipelines.size === 0) this.#shares = 0;
    const count = [...this.#sources].reduce((sum, { keys }) => sum + keys.length, 0);
    if (count <= this.#shares) return;
    this.#shares = this.#shares === 0 ? count : Math.ceil(SPARE_FACTOR * count);
    for (const pipeline of this.#pipelines.values()) pipeline.limit(this.#limits);
  }

  #pipelineOf(key: string, seen: FollowedPipeline): BoardPipeline {
    const known = this.#pipelines.get(key);
    if (known !== undefined) return known;
    this.#share();
    const made = new BoardPipeline(key, seen, this.#questions, this.#limits);
    this.#pipelines.set(key, made);
    return made;
  }
}

const observationBefore = ({ runningPlan }: BoardPipeline): Observation => ({
  ...{ atMs: 0, load: { arrivalsPerSecond: [] }, stages: {}, staleSources: [] },
  runningPlan,
});
