/** One decision: observation, forecast, candidates, reason, predicted against observed. */

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { type ApiResult, failureText } from '../api/admin-client.js';
import type { DecisionRecord, Plan, PlanResult } from '../api/answers.js';
import {
  digits,
  durationText,
  type Figure,
  latencyFigure,
  momentText,
  percentFigure,
  rateFigure,
  text,
} from '../format/figures.js';
import { kindOf } from '../state/decision-list.js';
import type { PipelineState } from '../state/pipeline-state.js';
import { hashOf } from '../state/route.js';
import { ApplyPlan } from './apply-plan.js';
import { Notice } from './notice.js';
import { EffectTable, PlanTable, VerifiedText } from './plan-table.js';

type Read =
  | { readonly kind: 'loading' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'read'; readonly record: DecisionRecord };

/** A record that was read stays if it cannot be read again. */
function readOf(answer: ApiResult<DecisionRecord>, before: Read): Read {
  if (answer.ok) return { kind: 'read', record: answer.value };
  if (before.kind === 'read') return before;
  if (answer.failure.kind === 'not-found') return { kind: 'missing' };
  return { kind: 'failed', message: failureText(answer.failure) };
}

interface DecisionDetailProps {
  readonly state: PipelineState;
  readonly id: number;
}

export function DecisionDetail({ state, id }: DecisionDetailProps) {
  const read = useSignal<Read>({ kind: 'loading' });
  const round = useSignal(0);
  // Facts that come later (outcome, observation) are read again with the list.
  const known = state.decisions.value.decisions.find((each) => each.id === id);
  const version = JSON.stringify([known?.outcome, known?.observed]);
  const isLost = state.failure.value !== undefined;
  useEffect(() => {
    let isCurrent = true;
    void state.decision(id).then((answer) => {
      if (isCurrent) read.value = readOf(answer, read.peek());
    });
    return () => {
      isCurrent = false;
    };
  }, [id, version, isLost, round.value]);
  const { value } = read;
  return (
    <section class="panel detail" aria-label={`Decision ${id}`}>
      <div class="panel-head">
        <h2>Decision {id}</h2>
        <a href={hashOf(state.name, 'decisions')} aria-label="Close the decision">
          Close
        </a>
      </div>
      {value.kind === 'loading' && <Notice kind="loading" title="Reading the decision" />}
      {value.kind === 'failed' && (
        <Notice kind="bad" title="The decision cannot be read">
          <p>{value.message}</p>
          <button
            type="button"
            onClick={() => {
              round.value += 1;
            }}
          >
            Try again
          </button>
        </Notice>
      )}
      {value.kind === 'missing' && (
        <Notice kind="empty" title={`There is no decision ${id}`}>
          <p>It was never made, or the log no longer keeps it.</p>
        </Notice>
      )}
      {value.kind === 'read' && <Facts state={state} record={value.record} />}
    </section>
  );
}

function Facts({ state, record }: { readonly state: PipelineState; readonly record: DecisionRecord }) {
  const { decision, manual, mode, atEpochMs, trigger } = record;
  return (
    <>
      <p class="lead">
        <span class="kind is-change">{kindOf({ kind: decision?.kind, manual, trigger })}</span>{' '}
        {decision?.reason ?? manual?.reason ?? (manual ? `${manual.action} by hand` : 'Deciding failed.')}
      </p>
      <p class="muted">
        {momentText(atEpochMs, state.nowMs())}
        {mode === undefined ? '' : ` · mode ${mode}`}
        {trigger === undefined ? '' : ` · ${TRIGGERS[trigger] ?? trigger}`}
        {manual?.warning === undefined ? '' : ` · warning: ${manual.warning}`}
      </p>
      <Observed record={record} />
      <Observation record={record} />
      <Forecast record={record} />
      <Candidates record={record} />
      {decision?.kind === 'apply' && <Chosen state={state} record={record} plan={decision.plan} />}
    </>
  );
}

const TRIGGERS: Readonly<Record<string, string>> = {
  start: 'at the start',
  plan: 'regular tick',
  burst: 'burst of arrivals',
  'roll-back': 'overspent error budget',
  manual: 'by hand',
};

function Observation({ record: { observation } }: { readonly record: DecisionRecord }) {
  const { load, stages, staleSources } = observation;
  const recent = load.arrivalsPerSecond.slice(-10);
  const rate = recent.reduce((sum, count) => sum + count, 0) / Math.max(1, recent.length);
  return (
    <>
      <h3>Observation</h3>
      <Pairs
        pairs={[
          ['Arrivals, last 10 s', rateFigure(rate)],
          ...Object.entries(stages).map(
            ([id, { queueLength }]) => [`Queue of ${id}`, { value: `${queueLength}`, unit: '' }] as const,
          ),
        ]}
      />
      {staleSources.length > 0 && <p class="error">No fresh metrics from {staleSources.join(', ')}.</p>}
    </>
  );
}

function Forecast({ record: { decision } }: { readonly record: DecisionRecord }) {
  if (decision === undefined) return null;
  const { forecast, burst, load, necessary } = decision.evidence;
  return (
    <>
      <h3>Forecast</h3>
      <Pairs
        pairs={[
          [`Expected (${forecast.method})`, rateFigure(forecast.meanRps)],
          ['Planned for', rateFigure(load?.arrivalRps ?? forecast.upperRps)],
          ...(burst === undefined ? [] : [[`Burst in ${digits(burst.windowS)} s`, rateFigure(burst.rateRps)] as const]),
        ]}
      />
      {necessary === true && <p class="muted">The running plan would miss the SLO or break a bound at this load.</p>}
      {forecast.passedOver !== undefined && <p class="muted">Passed over: {forecast.passedOver.join(', ')}.</p>}
    </>
  );
}

const BINDING: Readonly<Record<string, string>> = {
  slo: 'The latency target is too tight.',
  budget: 'The budget is too small.',
  'accuracy-floor': 'The accuracy floor is too high.',
  'several-limits': 'Several limits together are too tight.',
  capacity: 'The allowed replicas cannot carry the load.',
  'unmeasured-accuracy': 'No allowed combination of variants has a measured accuracy.',
};

function Candidates({ record: { decision } }: { readonly record: DecisionRecord }) {
  const { result, passedOver } = decision?.evidence ?? {};
  if (result === undefined && passedOver === undefined) return null;
  return (
    <>
      <h3>Candidates</h3>
      {result !== undefined && <ResultFacts result={result} />}
      {passedOver !== undefined && (
        <>
          <p>A plan was passed over: {passedOver.reason}.</p>
          <PlanTable before={undefined} after={passedOver.plan} />
        </>
      )}
    </>
  );
}

export function ResultFacts({ result }: { readonly result: PlanResult }) {
  if (result.kind !== 'feasible') {
    const { fixes, bindingConstraint } = result;
    const ways = [
      fixes.slo && `an SLO of ${text(latencyFigure(fixes.slo.latencyMs))}`,
      fixes.budget && `a budget of ${digits(fixes.budget.cpuCores)} cores`,
      fixes.accuracyFloor !== undefined && `an accuracy floor of ${fixes.accuracyFloor.toFixed(3)}`,
    ].filter((way) => typeof way === 'string');
    return (
      <p class="error">
        {result.kind === 'infeasible' ? 'No plan can meet the goals.' : 'No plan was found that meets the goals.'}{' '}
        {BINDING[bindingConstraint]} {ways.length > 0 && `One of these would do: ${ways.join(', ')}.`}
      </p>
    );
  }
  const { solver, elapsedMs, gapToBoundFraction, search, optimal } = result.certificate;
  const tried = search === undefined ? '' : ` Simulated in full: ${search.simulated}; briefly: ${search.looked}.`;
  return (
    <p>
      {optimal ? 'The best plan of all candidates' : 'The best plan found'} by {solver} in {durationText(elapsedMs)}
      {gapToBoundFraction > 0.0005 ? `, at most ${digits(100 * gapToBoundFraction)} % from the bound` : ''}.{tried}
    </p>
  );
}

function Observed({ record: { observed, decision, outcome } }: { readonly record: DecisionRecord }) {
  if (decision?.kind !== 'apply') return null;
  const { predicted, verified } = decision.plan;
  const rows: readonly (readonly [string, Figure, Figure])[] = [
    [
      `Latency p${predicted.percentile}`,
      latencyFigure((verified ?? predicted).latencyMs),
      latencyFigure(observed?.latencyMs?.atPercentile),
    ],
    [
      'Within SLO',
      percentFigure(verified?.sloAttainmentFraction, 2),
      percentFigure(observed?.sloAttainmentFraction, 2),
    ],
    [
      'Rate',
      rateFigure(decision.evidence.load?.arrivalRps ?? decision.evidence.forecast.upperRps),
      rateFigure(observed?.arrivalRps),
    ],
  ];
  return (
    <>
      <h3>Predicted and observed</h3>
      <table>
        <thead>
          <tr>
            <th />
            <th class="number">Predicted</th>
            <th class="number">Observed{observed === undefined ? '' : ` in ${durationText(observed.windowMs)}`}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, said, seen]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td class="number">{text(said)}</td>
              <td class="number">{text(seen)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {outcome?.kind === 'applied' && observed === undefined && (
        <p class="muted">The observation comes at the next change, or after a minute.</p>
      )}
    </>
  );
}

interface ChosenProps {
  readonly state: PipelineState;
  readonly record: DecisionRecord;
  readonly plan: Plan;
}

function Chosen({ state, record, plan }: ChosenProps) {
  const isRunning = state.planId.value === record.id;
  return (
    <>
      <h3>Plan</h3>
      <PlanTable before={undefined} after={plan} />
      <EffectTable before={undefined} after={plan} />
      <VerifiedText plan={plan} />
      {!isRunning && (
        <ApplyPlan
          {...{ state, plan, title: `Apply the plan of decision ${record.id}?`, body: { decisionId: record.id } }}
        />
      )}
    </>
  );
}

function Pairs({ pairs }: { readonly pairs: readonly (readonly [string, Figure])[] }) {
  return (
    <dl class="pairs">
      {pairs.map(([name, figure]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{text(figure)}</dd>
        </div>
      ))}
    </dl>
  );
}
