/** `equipoise explain`: reasons and outcome of a decision. */
import { AppError, type DecisionRecord, invariant } from '@equipoise/core/model';
import { explainPlan } from '@equipoise/core/plan';
import { type LoggedDecision, LogReplay, type RecordedLog, readDecisionLog } from '@equipoise/runtime';
import { decisionText } from '../terminal/decision-text.js';
import type { Explained } from '../terminal/plan-explanation.js';
import type { CommandResult } from '../terminal/run-command.js';

interface ExplainOptions {
  readonly log: string;
  readonly pipeline?: string;
}

/** Explains a decision; default: the newest. */
export async function explain(id: number | undefined, { log: path, pipeline }: ExplainOptions): Promise<CommandResult> {
  const log = await readDecisionLog(path, {
    ...(pipeline !== undefined && { pipelineName: pipeline }),
    ...(id === undefined ? { newest: 1 } : { id }),
  });
  if (log.decisions.length === 0) throw await nothingFound(path, id, pipeline);
  const { pipelineName, record } = chosen(log, id);
  const why = whyOf(log, record);
  return {
    json: { pipeline: pipelineName, record, ...(why && { lost: why.explanation.stages }) },
    text: decisionText({ pipelineName, record, ...(why && { why }) }),
  };
}

async function nothingFound(path: string, id: number | undefined, pipeline: string | undefined): Promise<AppError> {
  const what = id === undefined ? 'no decisions' : `no decision ${id}`;
  const of = pipeline === undefined ? '' : ` of a pipeline ${pipeline}`;
  return new AppError('NOT_FOUND', `${path} has ${what}${of}; ${await newestText(path)}.`);
}

function chosen({ decisions }: RecordedLog, id: number | undefined): LoggedDecision {
  const [first, ...more] = decisions.toSorted((a, b) => b.record.atEpochMs - a.record.atEpochMs);
  invariant(first !== undefined, 'there is a decision to choose');
  if (id === undefined || more.length === 0) return first;
  const names = decisions.map(({ pipelineName }) => pipelineName).join(', ');
  throw new AppError('WRONG_USAGE', `There is a decision ${id} of each of ${names}; say which with --pipeline.`);
}

/** Explanation by solving again; undefined without a feasible result, or if the log lacks the decision's input. */
function whyOf({ setups }: RecordedLog, record: DecisionRecord): Explained | undefined {
  const result = record.decision?.evidence.result;
  if (result?.kind !== 'feasible') return undefined;
  const problem = new LogReplay(setups).problemOf(record);
  if (problem === undefined) return undefined;
  return {
    explanation: explainPlan(problem, result).explanation,
    plan: result.plan,
    objective: problem.spec.objective,
  };
}

/** Newest decision number of each pipeline, as the end of a sentence. */
export async function newestText(path: string): Promise<string> {
  const { decisions } = await readDecisionLog(path, { newest: 1 });
  const newest = decisions.map(({ pipelineName, record }) => `${pipelineName} (newest ${record.id})`);
  return newest.length === 0 ? 'the log is empty' : `it has those of ${newest.join(', ')}`;
}
