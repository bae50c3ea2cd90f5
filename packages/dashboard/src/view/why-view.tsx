/** Why requests were dropped, late or failed in a past window: the incident card of the server. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { failureText } from '../api/admin-client.js';
import type { IncidentCard } from '../api/answers.js';
import { clockText, digits, percentFigure, reasonText, text } from '../format/figures.js';
import type { PipelineState } from '../state/pipeline-state.js';
import { Notice } from './notice.js';
import { PlanTable } from './plan-table.js';
import { Scroll } from './scroll.js';

const WINDOWS = [
  { name: '2 min', lengthMs: 120_000 },
  { name: '10 min', lengthMs: 600_000 },
  { name: '1 h', lengthMs: 3_600_000 },
] as const;

type Read =
  | { readonly kind: 'loading' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'read'; readonly card: IncidentCard };

export function WhyView({ state }: { readonly state: PipelineState }) {
  const lengthMs = useSignal<number>(WINDOWS[1].lengthMs);
  const asked = useSignal(0);
  const read = useSignal<Read>({ kind: 'loading' });
  useEffect(() => {
    let isCurrent = true;
    read.value = { kind: 'loading' };
    const fromEpochMs = Math.round(state.nowMs() - lengthMs.value);
    void state.client.post<IncidentCard>(state.path('/why'), { fromEpochMs }).then((answer) => {
      if (!isCurrent) return;
      if (answer.ok) read.value = { kind: 'read', card: answer.value };
      else if (answer.failure.kind === 'not-found' && answer.failure.isRoute) read.value = { kind: 'missing' };
      else read.value = { kind: 'failed', message: failureText(answer.failure) };
    });
    return () => {
      isCurrent = false;
    };
  }, [lengthMs.value, asked.value]);
  return (
    <section class="panel why" aria-label="Diagnosis">
      <div class="panel-head">
        <h2>Diagnosis</h2>
        <fieldset class="modes">
          <legend class="hidden">Length of the window</legend>
          {WINDOWS.map(({ name, lengthMs: each }) => (
            <button
              key={name}
              type="button"
              aria-pressed={lengthMs.value === each}
              onClick={() => {
                lengthMs.value = each;
              }}
            >
              {name}
            </button>
          ))}
        </fieldset>
        <button
          type="button"
          onClick={() => {
            asked.value += 1;
          }}
        >
          Ask again
        </button>
      </div>
      <Answer state={state} read={read.value} />
    </section>
  );
}

function Answer({ state, read }: { readonly state: PipelineState; readonly read: Read }) {
  switch (read.kind) {
    case 'loading':
      return (
        <Notice kind="loading" title="Looking for the cause">
          <p>The server compares the figures of the window and simulates remedies. This takes a few seconds.</p>
        </Notice>
      );
    case 'missing':
      return (
        <Notice kind="empty" title="This server gives no diagnosis">
          <p>It is older than this page.</p>
        </Notice>
      );
    case 'failed':
      return (
        <Notice kind="bad" title="There is no diagnosis">
          <p>{read.message}</p>
        </Notice>
      );
    case 'read':
      return <Card state={state} card={read.card} />;
  }
}

function Card({ state, card }: { readonly state: PipelineState; readonly card: IncidentCard }) {
  const window = `${clockText(card.fromEpochMs)} to ${clockText(card.toEpochMs)}`;
  if (card.verdict !== 'incident') {
    const title = card.verdict === 'healthy' ? `Healthy from ${window}` : 'No figures of this window';
    return (
      <Notice kind="empty" title={title}>
        <p>{card.text}</p>
      </Notice>
    );
  }
  return <Incident state={state} card={card} window={window} />;
}

type IncidentAnswer = Extract<IncidentCard, { verdict: 'incident' }>;

interface IncidentProps {
  readonly state: PipelineState;
  readonly card: IncidentAnswer;
  readonly window: string;
}

function Incident({ state, card, window }: IncidentProps) {
  const { cause, stageId, summary, firstSignal, evidence, runnerUp, counterfactual } = card;
  return (
    <>
      <p class="lead">
        <strong>{capitalized(causeText({ cause, stageId }))}</strong> from {window}. {sentence(summary)}
      </p>
      <HarmText card={card} />
      <h3>First signal</h3>
      <p>
        {clockText(firstSignal.atEpochMs)}: {firstSignal.text}.
      </p>
      {evidence.length > 0 && <EvidenceTable evidence={evidence} />}
      {runnerUp !== undefined && (
        <>
          <h3>Why not {causeText(runnerUp)}</h3>
          <p>{sentence(runnerUp.against)}</p>
        </>
      )}
      {counterfactual !== undefined && (
        <>
          <h3>What would have helped</h3>
          <p>{sentence(counterfactual.text)}</p>
          {counterfactual.plan !== undefined && <PlanTable before={state.plan.value} after={counterfactual.plan} />}
        </>
      )}
    </>
  );
}

function HarmText({ card: { harm, harmful, episode } }: { readonly card: IncidentAnswer }) {
  const { requests, missed, dropped, failed, late, missedFraction, allowedFraction } = harm;
  const percent = (fraction: number) => text(percentFigure(fraction, 2));
  return (
    <p>
      {digits(missed)} of {digits(requests)} requests missed the SLO ({percent(missedFraction)}; allowed{' '}
      {percent(allowedFraction)}): {digits(dropped)} dropped, {digits(failed)} failed, {digits(late)} late.{' '}
      {harmful
        ? `Worst from ${clockText(episode.fromEpochMs)} to ${clockText(episode.toEpochMs)}.`
        : 'The SLO is met all the same.'}
    </p>
  );
}

const causeText = ({ cause, stageId }: Pick<IncidentAnswer, 'cause' | 'stageId'>): string =>
  `${cause === 'unknown' ? 'unknown cause' : reasonText(cause)}${stageId === undefined ? '' : ` at stage ${stageId}`}`;

const sentence = (words: string): string => `${capitalized(words)}.`;

const capitalized = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);

const figure = (value: number | null | undefined): string =>
  typeof value === 'number' && Number.isFinite(value) ? digits(value) : '';

function EvidenceTable({ evidence }: Pick<IncidentAnswer, 'evidence'>) {
  return (
    <>
      <h3>Evidence</h3>
      <Scroll name="Evidence">
        <table>
          <thead>
            <tr>
              <th>Figure</th>
              <th class="number">Measured</th>
              <th class="number">Interval</th>
              <th class="number">Expected</th>
            </tr>
          </thead>
          <tbody>
            {evidence.map(({ text: name, measured, low, high, expected }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td class="number">{figure(measured)}</td>
                <td class="number">
                  {low === undefined || high === undefined ? '' : `${figure(low)} to ${figure(high)}`}
                </td>
                <td class="number">{figure(expected)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </>
  );
}
