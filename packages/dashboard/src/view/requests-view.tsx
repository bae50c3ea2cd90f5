/** Sampled and slowest requests: where their time went. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { failureText } from '../api/admin-client.js';
import { clockText, latencyFigure, reasonText, text } from '../format/figures.js';
import type { PipelineState } from '../state/pipeline-state.js';
import { hashOf, place } from '../state/route.js';
import {
  chromeTrace,
  type NamedRequest,
  namedRequests,
  type RequestsAnswer,
  type SampledRequest,
  timeByKind,
  type WaterfallRow,
  waterfallRows,
} from '../state/waterfall.js';
import { Notice } from './notice.js';
import { Scroll } from './scroll.js';

const REFRESH_MS = 5000;

type Read =
  | { readonly kind: 'loading' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'read'; readonly answer: RequestsAnswer };

export function RequestsView({ state }: { readonly state: PipelineState }) {
  const isSlowest = useSignal(true);
  const read = useSignal<Read>({ kind: 'loading' });
  // An opened request stays, also when the list no longer has it.
  const kept = useSignal<NamedRequest | undefined>(undefined);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    let isCurrent = true;
    const again = async () => {
      const answer = await state.client.get<RequestsAnswer>(state.path(`/requests?slowest=${isSlowest.value}`));
      if (!isCurrent) return;
      if (answer.ok) read.value = { kind: 'read', answer: answer.value };
      else if (answer.failure.kind === 'not-found' && answer.failure.isRoute) read.value = { kind: 'missing' };
      else read.value = { kind: 'failed', message: failureText(answer.failure) };
      if (read.value.kind !== 'missing') timer = setTimeout(() => void again(), REFRESH_MS);
    };
    void again();
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [isSlowest.value]);
  const { value } = read;
  if (value.kind === 'loading') return <Notice kind="loading" title="Reading requests" />;
  if (value.kind === 'failed')
    return (
      <Notice kind="bad" title="The requests cannot be read">
        <p>{value.message}</p>
      </Notice>
    );
  if (value.kind === 'missing') {
    return (
      <Notice kind="empty" title="This server samples no requests">
        <p>It is older than this page.</p>
      </Notice>
    );
  }
  if (value.answer.tracing === false) {
    return (
      <Notice kind="empty" title="Requests are not recorded">
        <p>The server was started without tracing, so it keeps no samples.</p>
      </Notice>
    );
  }
  const { requests } = value.answer;
  const named = namedRequests(requests);
  const id = place.value.detail;
  const found = named.find(({ name }) => name === id);
  if (found !== undefined && kept.value?.request !== found.request) kept.value = found;
  const open = kept.value?.name === id ? kept.value?.request : undefined;
  return (
    <div class={open === undefined ? 'split' : 'split is-open'}>
      <section class="panel list" aria-label="Requests">
        <div class="panel-head">
          <h2>Requests</h2>
          <fieldset class="modes">
            <legend class="hidden">Which requests</legend>
            {[true, false].map((slowest) => (
              <button
                key={`${slowest}`}
                type="button"
                aria-pressed={isSlowest.value === slowest}
                onClick={() => {
                  isSlowest.value = slowest;
                }}
              >
                {slowest ? 'Slowest' : 'Sampled'}
              </button>
            ))}
          </fieldset>
          <button type="button" disabled={requests.length === 0} onClick={() => save(state.name, requests)}>
            Export traces
          </button>
        </div>
        {requests.length === 0 ? (
          <Notice kind="empty" title="No requests yet">
            <p>
              {isSlowest.value
                ? 'The slowest requests of the last minutes appear here.'
                : 'Samples appear here as requests arrive.'}
            </p>
          </Notice>
        ) : (
          <RequestTable {...{ state, named, open: id }} />
        )}
      </section>
      {open !== undefined && <Waterfall state={state} request={open} />}
    </div>
  );
}

interface RequestTableProps {
  readonly state: PipelineState;
  readonly named: readonly NamedRequest[];
  readonly open: string | undefined;
}

function RequestTable({ state, named, open }: RequestTableProps) {
  return (
    <Scroll name="List of requests">
      <table class="requests">
        <thead>
          <tr>
            <th class="number">Started</th>
            <th>Request</th>
            <th class="number">Latency</th>
            <th class="number">Waiting, all items</th>
            <th class="number">Running, all items</th>
            <th>Outcome</th>
          </tr>
        </thead>
        <tbody>
          {named.map(({ name, request }) => {
            const { traceId, startedEpochMs, latencyMs, spans } = request;
            const { queue, batch, run } = timeByKind(spans);
            return (
              <tr key={name} class={name === open ? 'is-current' : ''}>
                <td class="number">{clockText(startedEpochMs)}</td>
                <td>
                  <a href={hashOf(state.name, 'requests', name)}>{traceId.slice(0, 8)}</a>
                </td>
                <td class="number">{text(latencyFigure(latencyMs))}</td>
                <td class="number">{text(latencyFigure(queue + batch))}</td>
                <td class="number">{text(latencyFigure(run))}</td>
                <td>{outcomeText(request)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Scroll>
  );
}

const outcomeText = ({ outcome, reason }: SampledRequest): string =>
  reason === undefined ? outcome : `${outcome}: ${reasonText(reason.toLowerCase().replaceAll('_', ' '))}`;

const KINDS = ['queue', 'batch', 'hop', 'run'] as const;
const KIND_NAMES = { queue: 'in the queue', batch: 'waiting for a batch', hop: 'on the way', run: 'running' } as const;

function Waterfall({ state, request }: { readonly state: PipelineState; readonly request: SampledRequest }) {
  const { traceId, startedEpochMs, latencyMs, spans, omittedVisits = 0 } = request;
  const rows = waterfallRows(spans);
  const whole = Math.max(latencyMs, ...rows.map(({ endMs }) => endMs), 1e-3);
  const sums = timeByKind(spans);
  return (
    <section class="panel detail" aria-label={`Request ${traceId}`}>
      <div class="panel-head">
        <h2>Request {traceId.slice(0, 8)}</h2>
        <button type="button" onClick={() => save(`${state.name}-${traceId.slice(0, 8)}`, [request])}>
          Export trace
        </button>
        <a href={hashOf(state.name, 'requests')}>Close</a>
      </div>
      <p class="muted">
        {clockText(startedEpochMs)} · {text(latencyFigure(latencyMs))} · {outcomeText(request)} · trace{' '}
        <code>{traceId}</code>
      </p>
      <ul class="legend waterfall-legend">
        {KINDS.map((kind) => (
          <li key={kind}>
            <span class={`block is-${kind}`} aria-hidden="true" /> {KIND_NAMES[kind]} {text(latencyFigure(sums[kind]))}
          </li>
        ))}
      </ul>
      {omittedVisits > 0 && <p class="muted">Further visits to stages are not recorded: {omittedVisits}.</p>}
      <div class="waterfall">
        {rows.map((row, index) => (
          <Row key={`${row.stageId}${row.startMs}-${index}`} row={row} whole={whole} />
        ))}
        <div class="waterfall-axis" aria-hidden="true">
          {[0, 0.25, 0.5, 0.75, 1].map((part) => (
            <span key={part}>{text(latencyFigure(part * whole))}</span>
          ))}
        </div>
      </div>
    </section>
  );
}

function Row({
  row: { stageId, spans, startMs, endMs },
  whole,
}: {
  readonly row: WaterfallRow;
  readonly whole: number;
}) {
  const described = spans.map(
    ({ kind, startMs: from, endMs: to }) => `${KIND_NAMES[kind]} ${text(latencyFigure(to - from))}`,
  );
  return (
    <div class="waterfall-row">
      <span class="waterfall-name">{stageId}</span>
      <span
        class="waterfall-track"
        role="img"
        aria-label={`${stageId} from ${text(latencyFigure(startMs))} to ${text(latencyFigure(endMs))}: ${described.join(', ')}`}
      >
        {spans.map((span) => (
          <span
            key={`${span.kind}${span.startMs}`}
            class={`block is-${span.kind}`}
            title={`${stageId}: ${KIND_NAMES[span.kind]} ${text(latencyFigure(span.endMs - span.startMs))}${span.variantId === undefined ? '' : `, ${span.variantId}`}`}
            style={{
              left: `${(100 * span.startMs) / whole}%`,
              width: `${Math.max(0.15, (100 * (span.endMs - span.startMs)) / whole)}%`,
            }}
          />
        ))}
      </span>
    </div>
  );
}

/** Saves requests as a file for chrome://tracing or Perfetto. */
function save(name: string, requests: readonly SampledRequest[]): void {
  const file = new Blob([JSON.stringify(chromeTrace(requests))], { type: 'application/json' });
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = `${name}-trace.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
