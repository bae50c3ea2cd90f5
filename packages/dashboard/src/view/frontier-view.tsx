/** The frontier: the most accurate plan for each cost, with the running plan. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { failureText } from '../api/admin-client.js';
import type { FrontierAnswer, FrontierPoint } from '../api/answers.js';
import { coresFigure, costFigure, digits, latencyFigure, text } from '../format/figures.js';
import { isVerified, scatterOf } from '../state/frontier.js';
import type { PipelineState } from '../state/pipeline-state.js';
import { variantsText } from '../state/plan-diff.js';
import { ApplyPlan } from './apply-plan.js';
import { ResultFacts } from './decision-detail.js';
import { Notice } from './notice.js';
import { EffectTable, PlanTable, VerifiedText } from './plan-table.js';
import { Scroll } from './scroll.js';
import { useWidth } from './use-width.js';

type Read =
  | { readonly kind: 'loading' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'read'; readonly answer: FrontierAnswer };

export function FrontierView({ state }: { readonly state: PipelineState }) {
  const read = useSignal<Read>({ kind: 'loading' });
  const round = useSignal(0);
  const chosen = useSignal<number | undefined>(undefined);
  useEffect(() => {
    let isCurrent = true;
    read.value = { kind: 'loading' };
    void state.client.get<FrontierAnswer>(state.path('/frontier'), { isLong: true }).then((answer) => {
      if (!isCurrent) return;
      if (answer.ok) read.value = { kind: 'read', answer: answer.value };
      else if (answer.failure.kind === 'not-found' && answer.failure.isRoute) read.value = { kind: 'missing' };
      else read.value = { kind: 'failed', message: failureText(answer.failure) };
    });
    return () => {
      isCurrent = false;
    };
  }, [round.value]);
  const { value } = read;
  const again = () => {
    chosen.value = undefined;
    round.value += 1;
  };
  if (value.kind === 'loading') {
    return (
      <Notice kind="loading" title="Searching the frontier">
        <p>Each point is searched and simulated, so this can take some seconds.</p>
      </Notice>
    );
  }
  if (value.kind === 'missing') {
    return (
      <Notice kind="empty" title="This server offers no frontier">
        <p>
          It is older than this page. <code>equipoise plan FILE --objective frontier</code> makes one.
        </p>
      </Notice>
    );
  }
  if (value.kind === 'failed') {
    return (
      <Notice kind="bad" title="No frontier">
        <p>{value.message}</p>
        <button type="button" onClick={again}>
          Try again
        </button>
      </Notice>
    );
  }
  const { answer } = value;
  const points = answer.points ?? [];
  const open = chosen.value === undefined ? undefined : points[chosen.value];
  return (
    <div class={open === undefined ? 'split' : 'split is-open'}>
      <section class="panel" aria-label="Frontier">
        <div class="panel-head">
          <h2>Accuracy and cost at {digits(answer.arrivalRps)} req/s</h2>
          <button type="button" onClick={again}>
            Search again
          </button>
        </div>
        {answer.result !== undefined && <ResultFacts result={answer.result} />}
        {points.length > 0 && (
          <>
            <Scatter
              {...{ points, current: answer.current, chosen: chosen.value }}
              choose={(index) => {
                chosen.value = index;
              }}
            />
            <PointTable
              {...{ points, chosen: chosen.value }}
              choose={(index) => {
                chosen.value = index;
              }}
            />
            <p class="muted">
              {answer.complete
                ? 'The front is complete.'
                : 'The search ended at its work limit: there may be better plans.'}
            </p>
          </>
        )}
      </section>
      {open !== undefined && <Point state={state} point={open} />}
    </div>
  );
}

interface ScatterProps {
  readonly points: readonly FrontierPoint[];
  readonly current: FrontierAnswer['current'];
  readonly chosen: number | undefined;
  readonly choose: (index: number) => void;
}

function Scatter({ points, current, chosen, choose }: ScatterProps) {
  const { box, widthPx } = useWidth<HTMLDivElement>();
  const { width, height, places, here, xTicks, yTicks, steps } = scatterOf(points, current, widthPx || undefined);
  return (
    <div class="scatter-box" ref={box}>
      <ul class="legend scatter-legend">
        <li>
          <span class="mark is-ok" aria-hidden="true" />
          verified by simulation
        </li>
        <li>
          <span class="mark" aria-hidden="true" />
          estimated only
        </li>
        <li>
          <span class="mark is-current" aria-hidden="true" />
          running plan
        </li>
      </ul>
      <svg
        class="scatter"
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label="Accuracy over cost per hour; the table below has the same points"
      >
        {yTicks.map(({ at, label }) => (
          <g key={at}>
            <line x1="52" x2={width - 12} y1={at} y2={at} class="grid" />
            <text x="44" y={at + 4} text-anchor="end">
              {label}
            </text>
          </g>
        ))}
        {xTicks.map(({ at, label }) => (
          <text key={at} x={at} y={height - 22} text-anchor="middle">
            {label}
          </text>
        ))}
        <text x={width - 12} y={height - 5} text-anchor="end" class="muted">
          cost per hour
        </text>
        <text x="4" y="12" class="muted">
          accuracy
        </text>
        <path d={steps} class="front" />
        {here !== undefined && <circle cx={here.x} cy={here.y} r="11" class="current" />}
        {places.map(({ x, y }, index) => (
          // biome-ignore lint/a11y/noStaticElementInteractions: the table offers the same to the keyboard
          <circle
            key={`${x},${y}`}
            cx={x}
            cy={y}
            r={index === chosen ? 8 : 6}
            class={isVerified(points[index] as FrontierPoint) ? 'point is-verified' : 'point'}
            onClick={() => choose(index)}
          />
        ))}
      </svg>
    </div>
  );
}

interface PointTableProps {
  readonly points: readonly FrontierPoint[];
  readonly chosen: number | undefined;
  readonly choose: (index: number) => void;
}

function PointTable({ points, chosen, choose }: PointTableProps) {
  return (
    <Scroll name="Points of the frontier">
      <table>
        <thead>
          <tr>
            <th>Plan</th>
            <th class="number">Accuracy</th>
            <th class="number">Cost</th>
            <th class="number">CPU</th>
            <th class="number">Latency</th>
          </tr>
        </thead>
        <tbody>
          {points.map((point, index) => (
            <tr key={`${point.pas}-${point.costPerHour}`} class={index === chosen ? 'is-current' : ''}>
              <td class="variants">
                <span class={isVerified(point) ? 'mark is-ok' : 'mark'} aria-hidden="true" />
                <button
                  type="button"
                  class="link"
                  aria-label={`Open plan ${index + 1}: ${variantsText(point.plan)}`}
                  onClick={() => choose(index)}
                >
                  {variantsText(point.plan)}
                </button>
              </td>
              <td class="number">{point.pas.toFixed(3)}</td>
              <td class="number">{text(costFigure(point.costPerHour))}</td>
              <td class="number">{text(coresFigure(point.cpuCores))}</td>
              <td class="number">{text(latencyFigure((point.plan.verified ?? point.plan.predicted).latencyMs))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Point({ state, point: { plan } }: { readonly state: PipelineState; readonly point: FrontierPoint }) {
  return (
    <section class="panel detail" aria-label="Plan of the frontier">
      <div class="panel-head">
        <h2>Plan</h2>
      </div>
      <PlanTable before={state.plan.value} after={plan} />
      <h3>Effect</h3>
      <EffectTable before={state.plan.value} after={plan} />
      <VerifiedText plan={plan} />
      <div class="dialog-buttons">
        <ApplyPlan {...{ state, plan, body: { stages: plan.stages } }} />
      </div>
    </section>
  );
}
