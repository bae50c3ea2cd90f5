/** Answers "why were requests missed?" for a served pipeline. The planner thread diagnoses, so no request waits. */
import type { DatedDecision, DiagnosisInput, IncidentCard } from '@equipoise/core/diagnose';
import type { HistoryRecorder } from '@equipoise/core/history';
import { AppError, type DecisionSummary } from '@equipoise/core/model';
import type { DecisionPage } from '@equipoise/core/ports';

/** Times in ms since 1970. Default: the last ten minutes. */
export interface AskedWindow {
  readonly fromEpochMs?: number | undefined;
  readonly toEpochMs?: number | undefined;
}

/** Measurements and decisions; the planner knows the pipeline. */
export type DiagnosisQuestion = Omit<DiagnosisInput, 'spec' | 'profiles' | 'hostCores'>;

export interface PipelineDiagnosisDeps {
  readonly recorder: Pick<HistoryRecorder, 'history' | 'replicas'>;
  readonly decisions: (page: DecisionPage) => Promise<readonly DecisionSummary[]>;
  readonly ask: (question: DiagnosisQuestion) => Promise<IncidentCard>;
  readonly epochNowMs: () => number;
}

const DEFAULT_MS = 600_000;
/** Earlier time for comparison. */
const BEFORE_MS = 600_000;
/** Decisions are read in pages, at most an hour of ticks of a second with as many bursts. */
const PAGE = 200;
const MOST_PAGES = 36;
const MOST_QUESTIONS = 2;

export class PipelineDiagnosis {
  readonly #deps: PipelineDiagnosisDeps;
  #asked = 0;

  constructor(deps: PipelineDiagnosisDeps) {
    this.#deps = deps;
  }

  /**
   * Rejects with AppError CONFLICT if too many questions wait, or INVALID_FIELDS for an empty window. `countWork` runs
   * the work that this takes here after a wait.
   */
  async why(
    { fromEpochMs, toEpochMs }: AskedWindow = {},
    countWork: <T>(step: () => T) => T = (step) => step(),
  ): Promise<IncidentCard> {
    const { epochNowMs, recorder, decisions, ask } = this.#deps;
    const to = toEpochMs ?? epochNowMs();
    const from = fromEpochMs ?? to - DEFAULT_MS;
    if (from >= to) {
      const message = `The window must end after it begins; it begins at ${from} and ends at ${to}.`;
      throw new AppError('INVALID_FIELDS', message, { details: { problems: [{ path: 'toEpochMs', message }] } });
    }
    if (this.#asked >= MOST_QUESTIONS)
      throw new AppError('CONFLICT', `Not possible now: ${MOST_QUESTIONS} diagnoses are already under way.`);
    this.#asked += 1;
    try {
      const range = { fromEpochMs: from - BEFORE_MS, toEpochMs: to };
      const found = await decisionsSince(from - BEFORE_MS, decisions);
      return await countWork(() =>
        ask({
          ...{ fromEpochMs: from, toEpochMs: to },
          history: recorder.history.window(range).data,
          replicas: recorder.replicas.window(range),
          decisions: datedDecisions(found, to),
        }),
      );
    } finally {
      this.#asked -= 1;
    }
  }
}

/** Newest first, from the last one before an instant on: it was in force then. */
async function decisionsSince(
  fromEpochMs: number,
  decisions: PipelineDiagnosisDeps['decisions'],
): Promise<readonly DecisionSummary[]> {
  const found: DecisionSummary[] = [];
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const beforeId = found.at(-1)?.id;
    const page = await decisions({ limit: PAGE, ...(beforeId !== undefined && { beforeId }) });
    found.push(...page);
    if (page.length < PAGE || (page.at(-1) as DecisionSummary).atEpochMs < fromEpochMs) break;
  }
  const before = found.findIndex(({ atEpochMs }) => atEpochMs < fromEpochMs);
  return before === -1 ? found : found.slice(0, before + 1);
}

/** Oldest first. */
function datedDecisions(found: readonly DecisionSummary[], toEpochMs: number): readonly DatedDecision[] {
  return found.toReversed().flatMap(({ atEpochMs, decision, runningPlan, mode, outcome }) => {
    if (decision === undefined || atEpochMs > toEpochMs) return [];
    const isUnapplied = mode === 'advise' || (outcome !== undefined && outcome.kind !== 'applied');
    return [{ atEpochMs, runningPlan, decision, isUnapplied }];
  });
}
