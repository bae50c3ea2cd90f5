/** The live graph: stages as cards, edges with their rates. */
import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { ageText, digits, steadyDigits } from '../format/figures.js';
import {
  curveOf,
  type GraphPlaces,
  type Placed,
  type PlacedEdge,
  placeGraph,
  plainName,
} from '../state/graph-layout.js';
import type { PipelineState } from '../state/pipeline-state.js';
import type { EdgeRates } from '../state/rates.js';
import { stageStatus } from '../state/stage-status.js';
import { Notice } from './notice.js';
import { StageCard } from './stage-card.js';
import { StagePanel } from './stage-panel.js';
import { useNowMs } from './use-now-ms.js';
import { useWidth } from './use-width.js';

const NARROW_PX = 700;
const LEAST_SCALE = 0.62;

export function StageGraph({ state }: { readonly state: PipelineState }) {
  const graph = state.graph.value;
  const { box, widthPx } = useWidth<HTMLDivElement>(graph !== undefined);
  const open = useSignal<string | undefined>(undefined);
  const isNarrow = widthPx < NARROW_PX;
  const places = useMemo(() => graph && placeGraph(graph, !isNarrow), [graph, isNarrow]);
  if (graph === undefined || places === undefined) {
    return (
      <section class="panel">
        <h2>Stages</h2>
        <Notice kind={state.readAtMs.value === undefined ? 'loading' : 'empty'} title="No graph">
          <p>This server is older than the page and does not describe its graph.</p>
        </Notice>
      </section>
    );
  }
  const scale = Math.min(1, Math.max(LEAST_SCALE, widthPx / places.width));
  return (
    <section class="panel" aria-label="Stages">
      <div class="panel-head">
        <h2>Stages</h2>
        <Legend />
        <SignalAge state={state} />
      </div>
      <div class="graph-box" ref={box}>
        <div class="graph-frame" style={{ width: `${places.width * scale}px`, height: `${places.height * scale}px` }}>
          <div
            class="graph"
            style={{ width: `${places.width}px`, height: `${places.height}px`, transform: `scale(${scale})` }}
          >
            <Edges places={places} state={state} />
            {places.nodes.map((node) => (
              <Node key={node.id} node={node} state={state} open={(id) => (open.value = id)} />
            ))}
          </div>
        </div>
      </div>
      {open.value !== undefined && (
        <StagePanel state={state} stageId={open.value} close={() => (open.value = undefined)} />
      )}
    </section>
  );
}

function Legend() {
  return (
    <ul class="legend" aria-label="Replicas">
      {(['ready', 'starting', 'draining', 'unhealthy'] as const).map((status) => (
        <li key={status}>
          <span class={`dot is-${status}`} aria-hidden="true" /> {status}
        </li>
      ))}
    </ul>
  );
}

function SignalAge({ state }: { readonly state: PipelineState }) {
  const nowMs = useNowMs();
  const read = state.readAtMs.value;
  if (state.replayAt.value !== undefined) return <span class="muted">replay</span>;
  return <span class="muted age">{read === undefined ? '' : `read ${ageText(nowMs - read)}`}</span>;
}

interface NodeProps {
  readonly node: Placed;
  readonly state: PipelineState;
  readonly open: (id: string) => void;
}

function Node({ node, state, open }: NodeProps) {
  const { id, kind, x, y, width, height } = node;
  const style = { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` };
  if (kind === 'stage') {
    const input = {
      running: state.running.value,
      rates: state.rates.value,
      plan: state.plan.value,
      replayed: state.replayed.value,
      latest: state.newest.value,
    };
    // Pins and canaries are known for now only.
    const isPast = state.replayed.value !== undefined;
    const isPinned = !isPast && state.facts.value?.pins[id as never] !== undefined;
    const canary = isPast ? undefined : state.running.value?.stages[id]?.canary;
    return (
      <StageCard
        id={id}
        status={stageStatus(id, input)}
        style={style}
        isPinned={isPinned}
        canary={canary}
        open={open}
      />
    );
  }
  if (kind === 'combine') {
    const method = state.graph.value?.combines.find(({ stageId }) => stageId === id)?.method;
    return (
      <div class="pill is-combine" style={style} title={`Combine stage: ${method}`}>
        {id}
      </div>
    );
  }
  const rates = state.rates.value;
  // Requests are counted, not the parts of several sources.
  const arrivalRps = state.graph.value?.sources.length === 1 ? rates?.arrivalRps : undefined;
  const rps = kind === 'source' ? arrivalRps : rates?.completedRps;
  return (
    <div class="pill" style={style}>
      <span>{kind === 'source' ? plainName(id) : 'answers'}</span>
      <span class="muted">{rps === undefined || state.replayed.value ? '–' : `${steadyDigits(rps)}/s`}</span>
    </div>
  );
}

function Edges({ places, state }: { readonly places: GraphPlaces; readonly state: PipelineState }) {
  const rates = state.replayed.value === undefined ? state.rates.value : undefined;
  const graph = state.graph.value;
  const most = Math.max(1e-9, ...(rates?.edges ?? []).map((edge) => edge?.itemsRps ?? 0), rates?.arrivalRps ?? 0);
  return (
    <svg width={places.width} height={places.height} aria-hidden="true">
      <defs>
        <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
          <path d="M0,0.5 L7.5,4 L0,7.5 z" />
        </marker>
      </defs>
      {places.edges.map((edge) => {
        const rate = edge.index === undefined ? undefined : rates?.edges[edge.index];
        const rps = edge.index === undefined ? rates?.arrivalRps : rate?.itemsRps;
        const isQuiet = rps === undefined || rps === 0;
        const described = edge.index === undefined ? undefined : graph?.edges[edge.index];
        return (
          <g key={`${edge.from}>${edge.to}>${edge.index ?? ''}`} class={isQuiet ? 'edge is-quiet' : 'edge'}>
            <path
              d={curveOf(edge.points)}
              stroke-width={isQuiet ? 1.25 : 1.25 + 2.25 * Math.sqrt(rps / most)}
              marker-end="url(#arrow)"
            />
            {described !== undefined && (
              <EdgeLabel edge={edge} rate={rate} fanOut={described.fanOut} share={described.when?.probability} />
            )}
          </g>
        );
      })}
    </svg>
  );
}

interface EdgeLabelProps {
  readonly edge: PlacedEdge;
  readonly rate: EdgeRates | undefined;
  /** As the file states them, while nothing is measured. */
  readonly fanOut: number | undefined;
  readonly share: number | undefined;
}

function EdgeLabel({ edge: { label }, rate, fanOut, share }: EdgeLabelProps) {
  const first = rate === undefined ? '' : `${steadyDigits(rate.itemsRps)}/s`;
  const second = [
    fanOut === undefined ? '' : `×${digits(rate?.fanOut ?? fanOut)}`,
    share === undefined ? '' : `${Math.round(100 * (rate?.share ?? share))} %`,
  ]
    .filter((part) => part !== '')
    .join(' · ');
  return (
    <text x={label.x} y={label.y} text-anchor="middle">
      <tspan x={label.x} dy={second === '' ? '-0.6em' : '-0.9em'}>
        {first}
      </tspan>
      {second !== '' && (
        <tspan x={label.x} dy="2.1em" class="muted">
          {second}
        </tspan>
      )}
    </text>
  );
}
