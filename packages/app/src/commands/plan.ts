/**
 * `equipoise plan`: the best plan for a load, or the binding constraint and remedies. Several files are planned
 * separately.
 */
import { MOST_USUAL_STAGES, type PlanResult, planOfRouters, type RouterSplit } from '@equipoise/core/model';
import {
  explainPlan,
  type Frontier,
  frontier,
  optimize,
  type PlanningProblem,
  type Policy,
  policies,
  problemOfRouter,
  profileEvidence,
  resultOfRouters,
  type VerifierAt,
} from '@equipoise/core/plan';
import type { JoinedStream } from '@equipoise/core/simulate';
import pc from 'picocolors';
import { outputFile } from '../report/output-file.js';
import { counted } from '../terminal/counted.js';
import { explanationText } from '../terminal/plan-explanation.js';
import { frontierText } from '../terminal/plan-frontier.js';
import { PlanProgress } from '../terminal/plan-progress.js';
import { percentText } from '../terminal/plan-table.js';
import {
  accuraciesText,
  accuracySource,
  accuracyText,
  planText,
  priceText,
  type RobustnessPrice,
} from '../terminal/plan-text.js';
import { routingText } from '../terminal/routing-text.js';
import type { CommandResult } from '../terminal/run-command.js';
import { checkFlags, type PlanOptions, type PlanQuestion, planQuestion } from './plan-question.js';
import { relaxedProblem } from './relaxed-problem.js';

/** Exits with 1 if a file has no feasible plan. */
export async function plan(files: readonly string[], options: PlanOptions): Promise<CommandResult> {
  checkFlags(files, options);
  const [svg, out] = await Promise.all([options.svg, options.out].map((path) => path && outputFile(path)));
  const answers: FileAnswer[] = [];
  for (const file of files) answers.push(await answerFor(file, options));
  const [first] = answers;
  const result = answers.length === 1 && first !== undefined ? first.result : together(answers);
  if (out) await out.write(result.json);
  if (svg && first?.frontier !== undefined) await svg.writeText(await picture(first.question, first.frontier));
  const written = [options.out, options.svg].filter((path) => path !== undefined);
  const notes = result.answerIsNo && svg ? written.filter((path) => path !== options.svg) : written;
  return { ...result, text: [result.text, ...notes.map((path) => pc.dim(`written to ${path}`))].join('\n') };
}

interface FileAnswer {
  readonly file: string;
  readonly question: PlanQuestion;
  readonly result: CommandResult;
  readonly frontier?: Frontier;
}

function together(answers: readonly FileAnswer[]): CommandResult {
  return {
    json: { plans: answers.map(({ file, result }) => ({ file, ...(result.json as object) })) },
    text: answers.map(({ file, result }) => `${pc.bold(file)}\n${result.text}`).join('\n\n'),
    answerIsNo: answers.some(({ result }) => result.answerIsNo),
  };
}

async function answerFor(file: string, options: PlanOptions): Promise<FileAnswer> {
  const question = await planQuestion(file, options);
  const { problem } = question;
  const { spec } = problem;
  const progress = new PlanProgress(`planning ${spec.name}`, quietMsOf(question, options));
  try {
    const verifiersOf = options.verify ? await countedVerifiers(progress) : undefined;
    const asked: Asked = {
      problem,
      split: question.split,
      options,
      verifiersOf,
      stream: question.stream,
      engine: question.engine,
      price: spec.robustness && priceOf({ problem, split: question.split, options, verifiersOf }),
    };
    if (!question.wantsFrontier) return { file, question, result: asDocument(planned(asked), asked) };
    const front = frontOf(asked);
    if (front.kind !== 'frontier') {
      const note = 'frontier: no plan meets the SLO within the budget, so it has no points.';
      const answer = withRelaxed(withNote(answered(front, asked), note), { front, asked }, frontierOf);
      return { file, question, result: asDocument(answer, asked) };
    }
    return { file, question, result: asDocument(frontierAnswer(front, asked), asked), frontier: front };
  } finally {
    await progress.stop();
  }
}

/** Time after which a simulation starts the display of progress. */
const SOON_SIMULATED_MS = 500;

/** Usual plans by the estimate take far less time than the display waits. They show no progress. */
function quietMsOf({ problem: { spec }, wantsFrontier }: PlanQuestion, { verify }: PlanOptions): number {
  if (verify) return SOON_SIMULATED_MS;
  return wantsFrontier || spec.stages.length > MOST_USUAL_STAGES ? 0 : Number.POSITIVE_INFINITY;
}

interface Asked {
  readonly problem: PlanningProblem;
  readonly split: RouterSplit;
  readonly options: PlanOptions;
  readonly verifiersOf: VerifiersOf | undefined;
  readonly price: RobustnessPrice | undefined;
  readonly stream: JoinedStream | undefined;
  readonly engine: PlanQuestion['engine'];
}

type Question = Pick<Asked, 'problem' | 'split' | 'options' | 'verifiersOf'>;

const verifierOf = (problem: PlanningProblem, { verifiersOf }: Question) => verifiersOf?.(problem)(problem.arrivalRps);

/** Plans of several routers are made for one of them. */
function firstPlan(asked: Question): PlanResult {
  const problem = problemOfRouter(asked.problem, asked.split);
  return resultOfRouters(policyOf(asked.options)(problem, verifierOf(problem, asked)), asked.split);
}

function frontOf(asked: Asked): ReturnType<typeof frontier> {
  const { split } = asked;
  const problem = problemOfRouter(asked.problem, split);
  const front = frontier(problem, verifierOf(problem, asked));
  if (front.kind !== 'frontier') return resultOfRouters(front, split);
  const points = front.points.map((point) => ({
    ...point,
    cpuCores: split.count * point.cpuCores,
    plan: planOfRouters(point.plan, split),
  }));
  return { ...front, points };
}

/** Answer about the frontier; undefined if it has no points. */
function frontierOf(asked: Asked): CommandResult | undefined {
  const front = frontOf(asked);
  return front.kind === 'frontier' ? frontierAnswer(front, asked) : undefined;
}

function frontierAnswer(front: Frontier, { problem: { spec }, price }: Asked): CommandResult {
  const points = front.points.map((point) => ({ ...point, accuracy: accuracySource(spec, point.plan) }));
  const sources = points.map(({ accuracy }) => accuracy.source);
  const text = [frontierText(front, sources), ...(price ? [priceText(price)] : [])].join('\n');
  return { json: frontierDocument({ ...front, points }), text, answerIsNo: false };
}

/** Adds the answer for the problem with the advised change. Without a plan, this is what the user needs next. */
function withRelaxed(
  answer: CommandResult,
  { front, asked }: { readonly front: PlanResult; readonly asked: Asked },
  answerTo: (asked: Asked) => CommandResult | undefined,
): CommandResult {
  const relaxed = front.kind === 'feasible' ? undefined : relaxedProblem(asked.problem, front);
  const next = relaxed && answerTo({ ...asked, problem: relaxed.problem, price: undefined });
  if (relaxed === undefined || next === undefined) return answer;
  return {
    ...answer,
    json: { ...(answer.json as object), relaxed: { ...relaxed.change, ...(next.json as object) } },
    text: `${answer.text}\n\n${pc.bold(`With ${relaxed.text}`)}\n${next.text}`,
  };
}

/** Price of robustness: compares with the best plan for service times as profiled. */
function priceOf(asked: Question): RobustnessPrice {
  const { robustness: { serviceFactor } = { serviceFactor: 1 }, ...spec } = asked.problem.spec;
  return { serviceFactor, nominal: firstPlan({ ...asked, problem: { ...asked.problem, spec } }) };
}

type VerifiersOf = (problem: PlanningProblem) => VerifierAt;

/** Loads the simulator, which a plan without verification does not need. */
async function countedVerifiers(progress: PlanProgress): Promise<VerifiersOf> {
  const { plannedHostCores, verifierFor } = await import('../compose/plan-verification.js');
  return ({ spec, profiles }) => {
    let simulated = 0;
    return (arrivalRps) => {
      const verify = verifierFor(spec, profiles, { arrivalRps, hostCores: plannedHostCores(spec) });
      return (...asked) => {
        simulated++;
        progress.say(`planning ${spec.name}, ${counted(simulated, 'plan')} simulated`);
        return verify(...asked);
      };
    };
  };
}

const policyOf = ({ policy }: PlanOptions): Policy => (policy === 'equipoise' ? optimize : policies[policy]);

function planned(asked: Asked, first = firstPlan(asked)): CommandResult {
  const { problem, options, verifiersOf, price } = asked;
  if (!options.explain) return answered(first, asked);
  if (first.kind !== 'feasible') {
    const noted = withNote(answered(first, asked), '--explain: no plan to explain.');
    return withRelaxed(noted, { front: first, asked }, explainedIfFeasible);
  }
  const { result, explanation } = explainPlan(problem, first, verifiersOf?.(problem));
  const answer = answered(result, asked);
  const { plan: chosen } = result;
  const { objective } = problem.spec;
  const { uncertainPoints } = profileEvidence(problem.profiles);
  const networkMs = networkTimesOf(problem.spec);
  const explained = { explanation, plan: chosen, objective, nominal: price?.nominal, uncertainPoints, networkMs };
  const reasons = explanationText(explained);
  return {
    ...answer,
    json: { ...(answer.json as object), explanation },
    text: `${answer.text}\n\n${reasons}\n\n${accuraciesText(problem.spec)}`,
  };
}

const networkTimesOf = ({ stages }: Asked['problem']['spec']): Readonly<Record<string, number>> =>
  Object.fromEntries(stages.flatMap(({ id, networkMs = 0 }) => (networkMs === 0 ? [] : [[id, networkMs]])));

/** Undefined without a plan: a further change could be advised without end. */
function explainedIfFeasible(asked: Asked): CommandResult | undefined {
  const first = firstPlan(asked);
  return first.kind === 'feasible' ? planned(asked, first) : undefined;
}

/** The frontier without its factors, which are internal to the solver. */
const frontierDocument = ({ points, complete, toleranceFraction, omittedPoints }: Frontier) => ({
  points,
  complete,
  toleranceFraction,
  omittedPoints,
});

function answered(result: PlanResult, { problem, options, price }: Asked): CommandResult {
  const shown = result.kind === 'feasible' ? result.plan : result.bestEffort;
  const accuracy = shown && accuracySource(problem.spec, shown);
  const notes = [...(accuracy ? [pc.dim(accuracyText(accuracy))] : []), ...(price ? [priceText(price)] : [])];
  return {
    json: { ...result, ...(accuracy && { accuracy }) },
    text: [planText(result, options), ...notes].join('\n'),
    answerIsNo: result.kind !== 'feasible',
  };
}

const withNote = (answer: CommandResult, note: string): CommandResult => ({
  ...answer,
  text: `${answer.text}\n\n${pc.yellow(note)}`,
});

function asDocument(plain: CommandResult, { problem, price, stream, split, engine }: Asked): CommandResult {
  const answer = engine === undefined ? plain : withNote(plain, engineNote(engine));
  const { arrivalRps, profiles, spec } = problem;
  const routing = routingText(split, arrivalRps);
  const result = routing === undefined ? answer : { ...answer, text: `${answer.text}\n${routing}` };
  const evidence = profileEvidence(profiles);
  const robustness = price && { robustness: priceDocument(price) };
  const shown = Object.keys(evidence).length > 0 && { evidence };
  const routers = split.count > 1 && { split };
  const json = {
    ...(result.json as object),
    arrivalRps,
    ...robustness,
    ...routers,
    ...shown,
    ...(engine && { engine }),
  };
  if (stream === undefined) return { ...result, json };
  const shares = Object.fromEntries(spec.sources.map(({ name }, index) => [name, stream.shares[index] ?? 1]));
  const parts = Object.entries(shares).map(([name, share]) => `${percentText(share)} with ${name}`);
  const text = `${result.text}\n${pc.dim(`planned for ${arrivalRps.toFixed(2)} rps of requests that begin: ${parts.join(', ')}`)}`;
  return { ...result, text, json: { ...json, sourceShares: shares } };
}

function engineNote({ target, overheadMs }: NonNullable<PlanQuestion['engine']>): string {
  if (overheadMs === 0) return `${target}: our router walks the graph, and the SLO is whole.`;
  return `${target}: hops take ${overheadMs} ms of the SLO. The latencies above are without them.`;
}

const priceDocument = ({ serviceFactor, nominal }: RobustnessPrice) => ({
  serviceFactor,
  nominal: nominal.kind === 'feasible' ? { kind: nominal.kind, plan: nominal.plan } : { kind: nominal.kind },
});

async function picture({ problem }: PlanQuestion, { points }: Frontier): Promise<string> {
  const { frontierSvg } = await import('../report/frontier-plot.js');
  const { spec, arrivalRps } = problem;
  return frontierSvg(points, { pipeline: spec.name, arrivalRps, ...spec.slo });
}
