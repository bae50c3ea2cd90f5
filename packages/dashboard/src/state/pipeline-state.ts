/**
 * Everything that the page knows about one pipeline. Readings come once a second while the page is visible; events say
 * when there are new decisions. After a lost connection all is read again, because the server may be a new process.
 */
import { batch, computed, signal } from '@preact/signals';
import type { AdminApi, ApiFailure, ApiResult } from '../api/admin-client.js';
import type {
  DecisionPage,
  DecisionRecord,
  DecisionSummary,
  HistoryAnswer,
  HistoryPoint,
  PipelineCounts,
  PipelineFacts,
  PipelineGraph,
  Plan,
  RunningPlan,
} from '../api/answers.js';
import { EventParser, type ServerEvent } from '../api/event-parser.js';
import type { StreamState } from './connection.js';
import { type DecisionList, NO_DECISIONS, withNewest, withOlder } from './decision-list.js';
import { indexAt, mergeHistory, missTotals } from './history.js';
import { type Rates, ratesBetween } from './rates.js';

const POLL_MS = 1000;
/** Events ask for a reading at once, but many of them not for more than about four a second. */
const LEAST_PAUSE_MS = 250;
const RETRY_MS = 2000;
const RECONNECT_MS = 1500;
/** Without events, decisions are read at this interval. */
const UNTOLD_MS = 5000;
/** Rates are means over this many seconds: single seconds of a slow stream say little. */
const RATE_SECONDS = 5;
const PAGE = 100;
/** Pages of older decisions that are searched for the running plan: about five hours of decisions every ten seconds. */
const MOST_OLDER_PAGES = 10;
const OLDER_PAGE = 200;
/** The first answer covers an hour in points of three seconds; later ones bring every second. */
const FIRST_POINTS = 1200;
const MORE_POINTS = 600;

/** Part of the page that an older server may not offer. */
export type Offer = 'unknown' | 'offered' | 'missing';

const failureIn = (answer: ApiResult<unknown>): ApiFailure | undefined => (answer.ok ? undefined : answer.failure);

type Identified = Pick<DecisionSummary, 'id' | 'atEpochMs'>;

/** A newly made log has the same numbers again. */
const isSame = (one: Identified, other: Identified | undefined): boolean =>
  one.id === other?.id && one.atEpochMs === other.atEpochMs;

const isApplied = ({ outcome }: DecisionSummary): boolean => outcome?.kind === 'applied';

export class PipelineState {
  readonly name: string;
  readonly facts = signal<PipelineFacts | undefined>(undefined);
  readonly graph = signal<PipelineGraph | undefined>(undefined);
  readonly running = signal<RunningPlan | undefined>(undefined);
  readonly counts = signal<PipelineCounts | undefined>(undefined);
  readonly rates = signal<Rates | undefined>(undefined);
  readonly decisions = signal<DecisionList>(NO_DECISIONS);
  readonly history = signal<readonly HistoryPoint[]>([]);
  readonly missTotals = computed(() => missTotals(this.history.value));
  readonly historyOffer = signal<Offer>('unknown');
  /** Set while the history cannot be read: then its last point is not the present. */
  readonly historyFailure = signal<ApiFailure | undefined>(undefined);
  /** The present as a point; undefined if it is not known. */
  readonly newest = computed(() => (this.historyFailure.value === undefined ? this.history.value.at(-1) : undefined));
  /** The newest decision that planned, with its evidence. */
  readonly latest = signal<DecisionRecord | undefined>(undefined);
  /** The plan of the newest applied decision, and the number of that decision. */
  readonly plan = signal<Plan | undefined>(undefined);
  readonly planId = signal<number | undefined>(undefined);
  /** Set while readings fail. */
  readonly failure = signal<ApiFailure | undefined>(undefined);
  readonly stream = signal<StreamState>('connecting');
  /** Local time of the last reading. */
  readonly readAtMs = signal<number | undefined>(undefined);
  /** Time of the server minus time of this machine. */
  readonly skewMs = signal(0);
  /** Time that is replayed; undefined if the page is live. */
  readonly replayAt = signal<number | undefined>(undefined);
  /** Point of the history that is replayed. */
  readonly replayed = computed(() => {
    const at = this.replayAt.value;
    return at === undefined ? undefined : this.history.value[Math.max(0, indexAt(this.history.value, at))];
  });
  readonly #client: AdminApi;
  readonly #path: string;
  readonly #readings: PipelineCounts[] = [];
  #isStopped = false;
  #wake: (() => void) | undefined;
  #endStream: () => void = () => {};
  #decisionsReadAtMs = Number.NEGATIVE_INFINITY;
  #decisionsReading: Promise<void> | undefined;
  #isDecisionsDue = false;
  /** The decision of `plan`. */
  #applied: DecisionSummary | undefined;
  #hasLookedBack = false;
  /** True if the server does not describe graphs: then it has no counts either. */
  #isOlder = false;
  /** True after a change of the pipeline, by a reload of its file or on a cluster. */
  #isGraphOld = false;

  constructor(client: AdminApi, name: string) {
    this.#client = client;
    this.name = name;
    this.#path = `/admin/pipelines/${encodeURIComponent(name)}`;
  }

  path(route: string): string {
    return `${this.#path}${route}`;
  }

  get client(): AdminApi {
    return this.#client;
  }

  /** Time of the server. */
  nowMs(): number {
    return Date.now() + this.skewMs.peek();
  }

  start(): void {
    void this.#poll();
    void this.#listen();
    document.addEventListener('visibilitychange', this.#look);
  }

  stop(): void {
    this.#isStopped = true;
    document.removeEventListener('visibilitychange', this.#look);
    this.#endStream();
    this.#wake?.();
  }

  /** Reads now instead of at the next poll, for example after an action. */
  readonly refresh = (): void => this.#wake?.();

  readonly #look = (): void => {
    if (document.hidden) this.#endStream();
    else this.#wake?.();
  };

  async #poll(): Promise<void> {
    while (!this.#isStopped) {
      if (!document.hidden) await this.#read();
      await this.#pause(this.failure.value === undefined ? POLL_MS : RETRY_MS);
    }
  }

  #pause(ms: number): Promise<void> {
    const beganAtMs = Date.now();
    return new Promise((resolve) => {
      let timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        timer = setTimeout(resolve, Math.max(0, beganAtMs + LEAST_PAUSE_MS - Date.now()));
      };
    });
  }

  async #read(): Promise<void> {
    const hadFailed = this.failure.peek() !== undefined;
    await this.#readGraphIfDue(hadFailed);
    const [facts, running, counts, noteHistory] = await Promise.all([
      this.#client.get<PipelineFacts>(this.path('')),
      this.#client.get<RunningPlan>(this.path('/running-plan')),
      this.#isOlder ? undefined : this.#client.get<PipelineCounts>(this.path('/counts')),
      this.#readHistory(),
    ]);
    if (this.#isStopped) return;
    const failure = failureIn(facts) ?? failureIn(running) ?? (counts && failureIn(counts));
    // One rendering for all readings.
    batch(() => {
      this.failure.value = failure;
      if (failure !== undefined) return;
      if (facts.ok) this.#noteFacts(facts.value);
      if (running.ok) this.running.value = running.value;
      if (counts?.ok) this.#count(counts.value);
      noteHistory();
      this.readAtMs.value = Date.now();
    });
    // A stream that seems open may belong to a connection that is gone.
    if (failure?.kind === 'unreachable') this.#endStream();
    if (failure !== undefined) return;
    const isUntold = this.stream.peek() !== 'open' && Date.now() - this.#decisionsReadAtMs >= UNTOLD_MS;
    if (hadFailed || isUntold || this.decisions.peek() === NO_DECISIONS) await this.refreshDecisions();
  }

  #noteFacts(facts: PipelineFacts): void {
    const before = this.facts.peek();
    this.#isGraphOld ||= before !== undefined && before.specDigest !== facts.specDigest;
    this.facts.value = facts;
  }

  /** After a lost connection, the server may be another one. */
  async #readGraphIfDue(hadFailed: boolean): Promise<void> {
    if (hadFailed) {
      this.#isOlder = false;
      this.historyOffer.value = 'unknown';
    }
    const isKnown = this.#isOlder || (this.graph.peek() !== undefined && !this.#isGraphOld);
    if (!hadFailed && isKnown) return;
    const answer = await this.#client.get<PipelineGraph>(this.path('/graph'));
    if (answer.ok) {
      this.graph.value = answer.value;
      this.#isGraphOld = false;
    }
    this.#isOlder = !answer.ok && answer.failure.kind === 'not-found' && answer.failure.isRoute;
  }

  #count(counts: PipelineCounts): void {
    this.skewMs.value = counts.atEpochMs - Date.now();
    this.counts.value = counts;
    const last = this.#readings.at(-1);
    // A restarted server counts from zero, and a clock that was set back gives no time between readings.
    if (last !== undefined && (counts.requests.arrived < last.requests.arrived || counts.atEpochMs < last.atEpochMs)) {
      this.#readings.length = 0;
      this.rates.value = undefined;
    }
    this.#readings.push(counts);
    const from = counts.atEpochMs - RATE_SECONDS * 1000 - POLL_MS / 2;
    while (this.#readings.length > 2 && (this.#readings[0] as PipelineCounts).atEpochMs < from) this.#readings.shift();
    const graph = this.graph.peek();
    const [first] = this.#readings;
    if (graph !== undefined && first !== undefined && first !== counts) {
      this.rates.value = ratesBetween(first, counts, graph) ?? this.rates.peek();
    }
  }

  /** Returns a function that notes what was read. */
  async #readHistory(): Promise<() => void> {
    if (this.historyOffer.peek() === 'missing') return () => {};
    const last = this.history.peek().at(-1)?.atEpochMs;
    if (last !== undefined) {
      const answer = await this.#points(`fromEpochMs=${last - 1}&maxPoints=${MORE_POINTS}`);
      if (!answer.ok) return () => this.#noteHistory(answer);
      // The last known point comes again, unless its time has changed: then later ones may have earlier times.
      const [known, ...later] = answer.value;
      if (known?.atEpochMs === last) return () => this.#noteHistory({ ok: true, value: later });
    }
    const all = await this.#points(`maxPoints=${FIRST_POINTS}`);
    return () => {
      this.#noteHistory(all);
      const end = this.history.peek().at(-1)?.atEpochMs ?? 0;
      if (all.ok && (this.replayAt.peek() ?? 0) > end) this.replayAt.value = undefined;
    };
  }

  #noteHistory(answer: ApiResult<readonly HistoryPoint[]>): void {
    const failure = failureIn(answer);
    const isMissing = failure?.kind === 'not-found' && failure.isRoute;
    if (isMissing || answer.ok) this.historyOffer.value = isMissing ? 'missing' : 'offered';
    this.historyFailure.value = isMissing ? undefined : failure;
    if (answer.ok) this.history.value = mergeHistory(this.history.peek(), answer.value);
  }

  async #points(range: string): Promise<ApiResult<readonly HistoryPoint[]>> {
    const answer = await this.#client.get<HistoryAnswer>(this.path(`/history?${range}`));
    return answer.ok ? { ok: true, value: answer.value.points } : answer;
  }

  /**
   * Reads the newest decisions, and the evidence of the newest plans if it has changed. Calls during a reading share one
   * more reading, so that answers come in order and many events ask once.
   */
  refreshDecisions(): Promise<void> {
    if (this.#decisionsReading === undefined) this.#decisionsReading = this.#readDecisionsWhileDue();
    else this.#isDecisionsDue = true;
    return this.#decisionsReading;
  }

  async #readDecisionsWhileDue(): Promise<void> {
    try {
      do {
        this.#isDecisionsDue = false;
        await this.#readDecisions();
      } while (this.#isDecisionsDue && !this.#isStopped);
    } finally {
      this.#decisionsReading = undefined;
    }
  }

  async #readDecisions(): Promise<void> {
    const answer = await this.#client.get<DecisionPage>(this.path(`/decisions?limit=${PAGE}`));
    if (!answer.ok) return;
    this.#decisionsReadAtMs = Date.now();
    this.decisions.value = withNewest(this.decisions.peek(), answer.value);
    const { decisions } = this.decisions.peek();
    const newest = decisions.find(({ kind }) => kind !== undefined);
    if (newest !== undefined && !isSame(newest, this.latest.peek())) {
      const found = await this.decision(newest.id);
      if (found.ok) this.latest.value = found.value;
    }
    const applied = decisions.find(isApplied) ?? (await this.#olderApplied());
    if (applied === undefined || isSame(applied, this.#applied)) return;
    const found = await this.decision(applied.id);
    if (!found.ok || found.value.decision?.kind !== 'apply') return;
    this.#applied = applied;
    this.plan.value = found.value.decision.plan;
    this.planId.value = applied.id;
  }

  /** The newest applied decision before the listed ones. Once is enough: a later one will be listed. */
  async #olderApplied(): Promise<DecisionSummary | undefined> {
    if (this.#hasLookedBack || this.plan.peek() !== undefined) return undefined;
    this.#hasLookedBack = true;
    let before = this.decisions.peek().nextBefore;
    for (let page = 0; page < MOST_OLDER_PAGES && before !== undefined; page++) {
      const path = this.path(`/decisions?limit=${OLDER_PAGE}&before=${before}`);
      const answer = await this.#client.get<DecisionPage>(path);
      if (!answer.ok) return undefined;
      const found = answer.value.decisions.find(isApplied);
      if (found !== undefined) return found;
      before = answer.value.nextBefore;
    }
    return undefined;
  }

  async olderDecisions(): Promise<void> {
    const { nextBefore } = this.decisions.peek();
    if (nextBefore === undefined) return;
    const answer = await this.#client.get<DecisionPage>(this.path(`/decisions?limit=${PAGE}&before=${nextBefore}`));
    if (answer.ok) this.decisions.value = withOlder(this.decisions.peek(), answer.value);
  }

  decision(id: number): Promise<ApiResult<DecisionRecord>> {
    return this.#client.get<DecisionRecord>(this.path(`/decisions/${id}`));
  }

  /** A hidden page does not listen: a browser has six connections to a server for all its tabs. */
  async #listen(): Promise<void> {
    while (!this.#isStopped) {
      const ending = new AbortController();
      this.#endStream = () => ending.abort();
      this.stream.value = document.hidden ? 'connecting' : await this.#events(ending.signal);
      // A stream that the page no longer reads would keep its connection.
      ending.abort();
      if (!this.#isStopped) await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
    }
  }

  /** Follows the events until the stream ends. */
  async #events(signal: AbortSignal): Promise<StreamState> {
    try {
      return await this.#stream(signal);
    } catch {
      // The connection ended; the readings say whether the server answers.
      return 'connecting';
    }
  }

  async #stream(signal: AbortSignal): Promise<StreamState> {
    const path = `/admin/events?pipeline=${encodeURIComponent(this.name)}`;
    const response = await this.#client.stream(path, signal);
    const reader = response?.body?.pipeThrough(new TextDecoderStream()).getReader();
    if (reader === undefined) return 'refused';
    this.stream.value = 'open';
    // Decisions may have been made before the stream began.
    void this.refreshDecisions();
    const parser = new EventParser();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return 'connecting';
      this.#note(parser.take(value));
    }
  }

  #note(events: readonly ServerEvent[]): void {
    if (events.length === 0) return;
    const isOfDecision = events.some(({ kind }) => ['decided', 'amended', 'manual', 'in-force'].includes(kind));
    if (isOfDecision) void this.refreshDecisions();
    this.refresh();
  }
}
