/** The decision timeline: what the loop decided and what people did, the newest first. */
import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import type { DecisionSummary } from '../api/answers.js';
import { durationText, latencyFigure, momentText, percentFigure, text } from '../format/figures.js';
import { isAction, isFull, kindOf } from '../state/decision-list.js';
import type { PipelineState } from '../state/pipeline-state.js';
import { hashOf, place } from '../state/route.js';
import { DecisionDetail } from './decision-detail.js';
import { Notice } from './notice.js';

export function DecisionsView({ state }: { readonly state: PipelineState }) {
  const onlyActions = useSignal(false);
  const { decisions, nextBefore } = state.decisions.value;
  const shown = onlyActions.value ? decisions.filter(isAction) : decisions;
  const id = Number(place.value.detail ?? Number.NaN);
  const isOpen = Number.isSafeInteger(id);
  return (
    <div class={isOpen ? 'split is-open' : 'split'}>
      <section class="panel list" aria-label="Decisions">
        <div class="panel-head">
          <h2>Decisions</h2>
          <label class="check">
            <input
              type="checkbox"
              checked={onlyActions.value}
              onChange={({ currentTarget }) => (onlyActions.value = currentTarget.checked)}
            />
            Only changes
          </label>
          <JumpTo state={state} />
        </div>
        {shown.length === 0 && (
          <Notice
            kind="empty"
            title={decisions.length === 0 ? 'No decisions yet' : 'No changes among these decisions'}
          />
        )}
        <ol class="timeline">
          {shown.map((decision) => (
            <Row key={decision.id} {...{ state, decision, isCurrent: decision.id === id }} />
          ))}
        </ol>
        {isFull(state.decisions.value) ? (
          <p class="muted">Open older decisions by their number.</p>
        ) : (
          nextBefore !== undefined && <Older state={state} />
        )}
      </section>
      {isOpen && <DecisionDetail key={id} state={state} id={id} />}
    </div>
  );
}

function Older({ state }: { readonly state: PipelineState }) {
  const isReading = useSignal(false);
  return (
    <button
      type="button"
      class="wide"
      disabled={isReading.value}
      onClick={() => {
        isReading.value = true;
        void state.olderDecisions().finally(() => {
          isReading.value = false;
        });
      }}
    >
      {isReading.value ? 'Reading' : 'Show older decisions'}
    </button>
  );
}

function JumpTo({ state }: { readonly state: PipelineState }) {
  const newest = state.decisions.value.decisions[0]?.id ?? 1;
  const entered = useSignal('');
  return (
    <form
      class="jump"
      onSubmit={(event) => {
        event.preventDefault();
        if (entered.value !== '') location.hash = hashOf(state.name, 'decisions', entered.value);
      }}
    >
      <input
        type="number"
        aria-label="Number of a decision"
        placeholder={`1 to ${newest}`}
        min={1}
        max={newest}
        value={entered.value}
        onInput={({ currentTarget }) => (entered.value = currentTarget.value)}
      />
      <button type="submit">Open</button>
    </form>
  );
}

const RECENT = 6;

export function RecentDecisions({ state }: { readonly state: PipelineState }) {
  const { decisions } = state.decisions.value;
  return (
    <section class="panel" aria-label="Recent decisions">
      <div class="panel-head">
        <h2>Recent decisions</h2>
        <a href={hashOf(state.name, 'decisions')}>All decisions</a>
      </div>
      {decisions.length === 0 ? (
        <Notice kind="empty" title="No decisions yet" />
      ) : (
        <ol class="timeline">
          {decisions.slice(0, RECENT).map((decision) => (
            <Row key={decision.id} {...{ state, decision, isCurrent: false }} />
          ))}
        </ol>
      )}
    </section>
  );
}

interface RowProps {
  readonly state: PipelineState;
  readonly decision: DecisionSummary;
  readonly isCurrent: boolean;
}

/** Rendered again only for news, because a list has up to 2,000 rows. */
function Row({ state, decision, isCurrent }: RowProps) {
  const today = new Date(state.nowMs()).toDateString();
  return useMemo(() => <RowContent {...{ state, decision, isCurrent }} />, [state, decision, isCurrent, today]);
}

function RowContent({ state, decision, isCurrent }: RowProps) {
  const { id, atEpochMs, reason, manual, observed } = decision;
  const said = reason ?? (manual?.reason === undefined ? '' : `“${manual.reason}”`);
  return (
    <li>
      <a class="row" href={hashOf(state.name, 'decisions', id)} aria-current={isCurrent ? 'true' : undefined}>
        <time dateTime={new Date(atEpochMs).toISOString()}>{momentText(atEpochMs, state.nowMs())}</time>
        <span class={`kind is-${levelOf(decision)}`}>{kindOf(decision)}</span>
        <span class="said">
          {said}
          <span class="muted sub">
            #{id}
            {outcomeText(decision)}
            {observed?.latencyMs !== undefined &&
              ` · then ${text(latencyFigure(observed.latencyMs.atPercentile))}, ${text(percentFigure(observed.sloAttainmentFraction, 1))} in time`}
          </span>
        </span>
      </a>
    </li>
  );
}

function levelOf({ kind, manual, outcome }: DecisionSummary): string {
  if (outcome?.kind === 'failed' || (kind === undefined && manual === undefined)) return 'bad';
  if (outcome?.kind === 'given-up') return 'warn';
  if (manual !== undefined) return 'hand';
  return kind === 'apply' ? 'change' : 'none';
}

function outcomeText({ outcome, kind, mode }: DecisionSummary): string {
  if (outcome?.kind === 'applied') return ` · in force after ${durationText(outcome.tookMs)}`;
  if (outcome?.kind === 'given-up') return ` · given up: ${outcome.message}`;
  if (outcome?.kind === 'failed') return ` · failed: ${outcome.message}`;
  return kind === 'apply' ? (mode === 'advise' ? ' · advised only' : ' · being applied') : '';
}
