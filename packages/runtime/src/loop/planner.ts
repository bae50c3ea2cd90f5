/**
 * Planner of one pipeline: both sides of its protocol. `Planner` sends questions. `PlannerWorker` answers all pipelines
 * of a thread: bursts first, then the pipeline that was answered longest ago. Bursts of other pipelines are
 * answered between two verifications.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { ControllerSnapshot } from '@equipoise/core/control';
import type { Observation } from '@equipoise/core/model';
import { PROGRESS, type RpcReply } from '../worker-rpc.js';
import { yieldToServing } from '../yield-to-serving.js';
import { failureOf, PlannerPool, type PlanningFailure, type PooledSession, YIELD } from './planner-pool.js';
import {
  type PlanningAnswer,
  PlanningSession,
  type PlanningSetup,
  type PlanningTask,
  type ReloadedSetup,
} from './planning-session.js';

/**
 * `show` passes an observation newer than the current tick. `abandon` drops questions, ends the current plan, and
 * undoes a tick whose answer was not delivered.
 */
export type PlannerMessage = { readonly session: number } & (
  | { readonly kind: 'open'; readonly setup: PlanningSetup; readonly kept?: ControllerSnapshot | undefined }
  | { readonly kind: 'close' }
  | { readonly kind: 'abandon'; readonly ids: readonly number[] }
  | { readonly kind: 'ask'; readonly id: number; readonly task: PlanningTask }
  | { readonly kind: 'show'; readonly observation: Observation }
);

export class PlanPreempted extends Error {
  constructor() {
    super('a person preempted the plan that was being made');
  }
}

/**
 * Uses its own thread unless planners share a `pool`. A crash or a late answer rejects all waiting questions; the next
 * question starts a new session from the last snapshot.
 */
export class Planner {
  readonly #pool: PlannerPool;
  #setup: PlanningSetup;
  #session: PooledSession | undefined;
  #kept: ControllerSnapshot | undefined;

  constructor(setup: PlanningSetup, pool = new PlannerPool()) {
    this.#setup = setup;
    this.#pool = pool;
  }

  async ask<Task extends PlanningTask>(task: Task): Promise<PlanningAnswer<Task>> {
    // Ticks watch a pipeline that serves.
    if (task.kind === 'tick') this.#pool.yieldToServing();
    const { thread, session } = this.#openSession ?? this.#open();
    const { id, answer } = thread.expectAnswer<PlanningAnswer<Task>>(this);
    thread.postMessage({ kind: 'ask', session, id, task } satisfies PlannerMessage);
    const given = await answer;
    // With its first plan, a pipeline begins to serve.
    if (task.kind === 'plan') this.#pool.yieldToServing();
    return given;
  }

  /** Passes an observation newer than the current tick's; a burst in it preempts the plan. */
  show(observation: Observation): void {
    this.#notify((session) => ({ kind: 'show', session, observation }));
  }

  /** Rejects all waiting questions with `PlanPreempted`; the worker ends its plan at the next verification. */
  preempt(): void {
    const ids = this.#openSession?.thread.abandon(this, new PlanPreempted()) ?? [];
    if (ids.length > 0) this.#notify((session) => ({ kind: 'abandon', session, ids }));
  }

  /** Keeps a snapshot, or a part of one, for the next session. */
  remember(kept: ControllerSnapshot): void {
    this.#kept = { ...this.#kept, ...kept };
  }

  /** Resumes from another planner's snapshot, or a part of it. */
  follow(kept: ControllerSnapshot): void {
    this.remember(kept);
    if (this.#kept !== undefined && this.#openSession !== undefined)
      void this.ask({ kind: 'resume', kept: this.#kept }).catch(() => {});
  }

  /** Rejects and changes nothing if the new description allows no plans. */
  async reload({ spec, hostCores }: ReloadedSetup): Promise<void> {
    const before = this.#setup;
    this.#setup = { ...before, spec, hostCores };
    try {
      await this.ask({ kind: 'reload', spec, hostCores });
    } catch (error) {
      this.#setup = before;
      throw error;
    }
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    if (session === undefined) return;
    session.thread.abandon(this);
    session.thread.postMessage({ kind: 'close', session: session.session } satisfies PlannerMessage);
    await this.#pool.close(session);
  }

  /** Undefined before the first question and after the thread has ended. */
  get #openSession(): PooledSession | undefined {
    return this.#session?.thread.isOver === false ? this.#session : undefined;
  }

  #open(): PooledSession {
    this.#session = this.#pool.open();
    this.#notify((session) => ({ kind: 'open', session, setup: this.#setup, kept: this.#kept }));
    return this.#session;
  }

  /** Sends a message without an answer; no effect without a thread. */
  #notify(messageTo: (session: number) => PlannerMessage): void {
    const { thread, session } = this.#openSession ?? {};
    if (thread !== undefined && session !== undefined) thread.postMessage(messageTo(session));
  }
}

export interface PlannerWorkerDeps {
  readonly post: (reply: RpcReply<PlanningFailure>) => void;
  /** Passes all arrived messages to `take`. */
  readonly takeIn: () => void;
  readonly nowMs: () => number;
  /** Tells that the worker is not stuck. Called between verifications, at most once a second. */
  readonly progress?: () => void;
  /** `betweenVerdicts` is called before each verification, and may throw. */
  readonly sessionFor?: (setup: PlanningSetup, betweenVerdicts: () => void) => PlanningSession;
}

type Question = PlannerMessage & { readonly kind: 'ask' };

class Place {
  readonly setup: PlanningSetup;
  readonly kept: ControllerSnapshot | undefined;
  questions: Question[] = [];
  /** Created at the first question, whose answer reports set-up errors. */
  session: PlanningSession | undefined;
  answered = 0;
  /** Id of the last question, if it is a tick. */
  lastTickId: number | undefined;
  isAnswering = false;
  isAbandoned = false;
  trainingSteps = 0;
  /** The newest observation passed since the last answer. */
  shown: Observation | undefined;

  constructor(setup: PlanningSetup, kept: ControllerSnapshot | undefined) {
    this.setup = setup;
    this.kept = kept;
  }

  takeShown(): Observation | undefined {
    const { shown } = this;
    this.shown = undefined;
    return shown;
  }
}

/** Pause after a training step, as a multiple of its duration. */
const PAUSE_FACTOR = 9;
const PROGRESS_EVERY_MS = 1000;

export class PlannerWorker {
  readonly #deps: PlannerWorkerDeps;
  readonly #places = new Map<number, Place>();
  /** Cached burst verdict per observation. */
  readonly #bursts = new WeakMap<Observation, boolean>();
  #answers = 0;
  #isAnsweringBetween = false;
  #nextTrainingAtMs = Number.NEGATIVE_INFINITY;
  #nextProgressAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: PlannerWorkerDeps) {
    this.#deps = deps;
  }

  take(message: PlannerMessage): void {
    const place = this.#places.get(message.session);
    switch (message.kind) {
      case 'open':
        this.#places.set(message.session, new Place(message.setup, message.kept));
        break;
      case 'close':
        this.#places.delete(message.session);
        if (place !== undefined) place.isAbandoned = true;
        break;
      case 'abandon':
        if (place !== undefined) this.#abandon(place, message.ids);
        break;
      case 'ask':
        place?.questions.push(message);
        break;
      case 'show':
        if (place !== undefined) place.shown = message.observation;
    }
  }

  /** Answers all waiting questions; trains if none waits. */
  work(): void {
    do {
      for (let place = this.#next(); place !== undefined; place = this.#next()) this.#answer(place);
    } while (this.#train());
  }

  #next(): Place | undefined {
    this.#deps.takeIn();
    const waiting = [...this.#places.values()].filter(({ questions }) => questions.length > 0);
    if (waiting.length < 2) return waiting[0];
    const urgent = waiting.find((place) => this.#isUrgent(place));
    return urgent ?? waiting.reduce((first, place) => (place.answered < first.answered ? place : first));
  }

  /** True if a waiting tick or a newer observation shows a burst. */
  #isUrgent({ questions, session, shown }: Place): boolean {
    const task = questions[0]?.task;
    if (task?.kind !== 'tick' || session === undefined) return false;
    const seen = shown === undefined ? [task.observation] : [task.observation, shown];
    return seen.some((observation) => {
      const known = this.#bursts.get(observation) ?? showsBurst(session, { ...task, observation });
      this.#bursts.set(observation, known);
      return known;
    });
  }

  #answer(place: Place): void {
    const question = place.questions.shift();
    if (question === undefined) return;
    const { id, task } = question;
    place.answered = ++this.#answers;
    place.isAbandoned = false;
    place.isAnswering = true;
    place.lastTickId = task.kind === 'tick' ? id : undefined;
    let reply: RpcReply<PlanningFailure>;
    try {
      const session = this.#sessionOf(place);
      const later = () => place.takeShown();
      reply = { id, answer: task.kind === 'tick' ? session.control.tick(task, later) : session.answer(task) };
      if (task.kind === 'tick') place.trainingSteps++;
    } catch (error) {
      reply = { id, failure: failureOf(error) };
    }
    // Observations that came before this answer are outdated.
    this.#deps.takeIn();
    place.takeShown();
    place.isAnswering = false;
    if (!place.isAbandoned) this.#deps.post(reply);
    else if (task.kind === 'tick') place.session?.control.forgetTick();
  }

  #abandon(place: Place, ids: readonly number[]): void {
    place.questions = place.questions.filter(({ id }) => !ids.includes(id));
    if (place.isAnswering) place.isAbandoned = true;
    else if (place.lastTickId !== undefined && ids.includes(place.lastTickId)) place.session?.control.forgetTick();
  }

  #sessionOf(place: Place): PlanningSession {
    if (place.session !== undefined) return place.session;
    const { sessionFor = (setup, between) => new PlanningSession(setup, between) } = this.#deps;
    place.session = sessionFor(place.setup, () => this.#betweenVerdicts(place));
    // If a snapshot does not fit, only learned data is lost.
    if (place.kept !== undefined) place.session.answer({ kind: 'resume', kept: place.kept });
    return place.session;
  }

  /** Answers bursts of other pipelines, and ends an abandoned plan of this one. */
  #betweenVerdicts(planning: Place): void {
    this.#deps.takeIn();
    this.#reportProgress();
    if (planning.isAbandoned) throw new Error('the plan was abandoned');
    if (this.#isAnsweringBetween) return;
    this.#isAnsweringBetween = true;
    try {
      for (const place of [...this.#places.values()])
        if (place !== planning && this.#isUrgent(place)) this.#answer(place);
    } finally {
      this.#isAnsweringBetween = false;
    }
  }

  #reportProgress(): void {
    const nowMs = this.#deps.nowMs();
    if (nowMs < this.#nextProgressAtMs) return;
    this.#nextProgressAtMs = nowMs + PROGRESS_EVERY_MS;
    this.#deps.progress?.();
  }

  /** Trains the session that has waited longest; false if none needs it or during a pause. */
  #train(): boolean {
    const beganAtMs = this.#deps.nowMs();
    if (beganAtMs < this.#nextTrainingAtMs) return false;
    const owed = [...this.#places].find(([, { trainingSteps }]) => trainingSteps > 0);
    if (owed === undefined) return false;
    const [number, place] = owed;
    place.trainingSteps--;
    this.#places.delete(number);
    this.#places.set(number, place);
    try {
      place.session?.control.train();
    } catch {
      // A defect in training must not cost the answers of other pipelines.
    }
    const endedAtMs = this.#deps.nowMs();
    this.#nextTrainingAtMs = endedAtMs + PAUSE_FACTOR * (endedAtMs - beganAtMs);
    return true;
  }
}

/** A defect counts as no burst; the answer reports it. */
function showsBurst({ control }: PlanningSession, tick: PlanningTask & { readonly kind: 'tick' }): boolean {
  try {
    return control.isUrgent(tick);
  } catch {
    return false;
  }
}

export function servePlanners(port: MessagePort): void {
  const worker = new PlannerWorker({
    takeIn: () => {
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port))
        take(next.message);
    },
    nowMs: () => performance.now(),
    post: (reply) => port.postMessage(reply),
    progress: () => port.postMessage(PROGRESS),
  });
  const take = (message: PlannerMessage | typeof YIELD): void =>
    message === YIELD ? yieldToServing() : worker.take(message);
  port.on('message', (message) => {
    take(message);
    worker.work();
  });
}
